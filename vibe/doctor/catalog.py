"""Checks of the database catalog against the models, and of the database's health."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from vibe.core.db.health.reading import Verdict
from vibe.core.db.health.report import report
from vibe.core.db.roles import LARGE_OBJECTS, RESTRICT_STATISTICS, REVOKE_LARGE_OBJECTS, STATISTICS
from vibe.core.db.schema import catalog_lint
from vibe.core.db.schema.catalog_lint.rules import OF_A_SUPERUSER
from vibe.doctor.findings import Finding, Severity, note, warning
from vibe.doctor.server import passes_row_security

SIDE_DOORS = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE to_regprocedure(name) IS NOT NULL AND has_function_privilege('vibe_user', to_regprocedure(name)::oid, 'EXECUTE')
"""


def rights() -> Iterator[Finding]:
    """Check that policies, grants, functions, triggers, views and roles are exactly what the models declare."""
    for found in catalog_lint.findings():
        if found.what == OF_A_SUPERUSER and passes_row_security():
            continue  # reported by server.roles, whose cure hands over what that role has made
        yield Finding(
            Severity.ERROR,
            f"{found}.",
            "Somebody changed the database by hand, or restored it in part; rows may be open to others.",
            found.do,
            kind=found.what,
        )


def side_doors() -> Iterator[Finding]:
    """Check that scopes may not do what PostgreSQL lets everybody do, and only its superuser can take away."""
    with connection.cursor() as cursor:
        cursor.execute(SIDE_DOORS, [[*LARGE_OBJECTS, STATISTICS]])
        found = {name for (name,) in cursor.fetchall()}
    if found - {STATISTICS}:
        yield note(
            "The roles of scopes may make large objects.",
            why="A statement that an attacker slips in could keep data there, which no policy and no erasure reaches.",
            do=f"As superuser, in this database: {REVOKE_LARGE_OBJECTS};",
        )
    if STATISTICS in found:
        yield note(
            "The roles of scopes may read pg_stat_statements.",
            why="A statement that an attacker slips in could read what others run, without its values.",
            do=f"As superuser, in this database: {'; '.join(RESTRICT_STATISTICS)};",
        )


def health() -> Iterator[Finding]:
    """Report what is bad on the admin's page of database health."""
    for chapter in report():
        for reading in chapter.readings:
            if reading.verdict is Verdict.BAD:
                do = reading.advice or "See the page Database health in the admin"
                yield warning(f"{chapter.title}: {reading.name}, {reading.value}", why=chapter.about, do=do)
