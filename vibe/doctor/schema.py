"""Checks that the schema is as the models declare, and of what the database reports of itself.

Migrations, row-level security, owners, indexes, the catalog; connections, locks, space.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import CheckConstraint, Index, UniqueConstraint

from vibe.core.crypto.fields import SealedColumn
from vibe.core.db.health.reading import Verdict
from vibe.core.db.health.report import report
from vibe.core.db.migrating.retired import WHAT_TO_DO, newer_of, retired_of
from vibe.core.db.roles import LARGE_OBJECTS, RESTRICT_STATISTICS, REVOKE_LARGE_OBJECTS, STATISTICS, SUPPORT, USER
from vibe.core.db.scale.distribution.applying import steps_left
from vibe.core.db.schema import catalog_lint
from vibe.core.db.schema.catalog_lint.rules import OF_A_SUPERUSER
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity, SchemaPolicy
from vibe.core.db.schema.operations import partitioned_index_sql
from vibe.core.db.statements.batching import distributed
from vibe.doctor.findings import Finding, Severity, error, note, warning
from vibe.doctor.server import passes_row_security
from vibe.metrics.figures import rows
from vibe.serving.preparing import pending

TABLES = """
SELECT relname, relrowsecurity AND relforcerowsecurity, pg_get_userbyid(relowner) = current_user
FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""
POLICIES = "SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public'"
NAMES = """
SELECT relname FROM pg_class WHERE relkind IN ('i', 'I') AND relnamespace = 'public'::regnamespace
UNION SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
INVALID = """
SELECT c.relname, t.relname, c.relkind = 'I' FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE NOT (i.indisvalid AND i.indisready)
"""
PARTITIONED = "SELECT FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'p'"
UNVALIDATED = """
SELECT conname, conrelid::regclass::text FROM pg_constraint
WHERE NOT convalidated AND connamespace = 'public'::regnamespace
"""
PUBLIC = """
SELECT DISTINCT relname FROM pg_class, aclexplode(relacl) AS given
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND given.grantee = 0
"""
FORCE = "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
READABLE = "SELECT has_column_privilege(%s, %s, %s, 'SELECT')"

SIDE_DOORS = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE to_regprocedure(name) IS NOT NULL AND has_function_privilege('vibe_user', to_regprocedure(name)::oid, 'EXECUTE')
"""


def models() -> list[Any]:
    """Return every model with a table of its own."""
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and not m._meta.proxy]


def migrations() -> Iterator[Finding]:
    applied = MigrationRecorder(connection).applied_migrations()
    if retired := retired_of(applied):
        yield error(
            f"The database is of an earlier version: migration {retired[0]} is gone from this one.",
            why="No migration leads from there to here, and this code expects columns and tables that are not there.",
            do=WHAT_TO_DO,
        )
    if newer := newer_of(applied):
        yield warning(
            f"The database is of a newer version: migration {newer[0]} is unknown to this one.",
            why="Only the version just before a migration works with the schema after it.",
            do="Install the version that migrated the database",
        )
    missing = pending()
    if missing:
        yield error(
            f"{len(missing)} migrations are pending: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}",
            why="This code expects columns and tables that are not there.",
            do="manage.py migrate",
        )


def walls() -> Iterator[Finding]:
    """Check that row-level security is on, forced and has its policies on every declared table and its partitions."""
    tables = {name: (secured, ours) for name, secured, ours in rows(TABLES)}
    policies = set(rows(POLICIES))
    for model in models():
        table = model._meta.db_table
        for wall in walls_of(model, RowSecurity) if table in tables else ():
            roles = (USER, *(role for role, _ in wall.others))
            if not tables[table][0] or any((table, wall.policy(role)) not in policies for role in roles):
                yield unwalled(table, do=anew([wall], table))
    for part, secured in parts_of_walled():
        if not secured:
            yield unwalled(part, do=FORCE.format(table=part))


def walls_of(model: Any, kind: type[SchemaPolicy]) -> list[Any]:
    """Return the policies of one kind that a model declares."""
    return [wall for wall in model._meta.constraints if isinstance(wall, kind)]


def anew(walls: list[Any], table: str) -> str:
    """Return SQL that drops and recreates policies in one transaction."""
    quote = connection.ops.quote_name
    dropped = [wall.drop_statements(table, quote) for wall in walls]
    steps = [*dropped, *(wall.create_statements(table, quote) for wall in walls)]
    return "BEGIN; " + "; ".join(statement for step in steps for statement in step) + "; COMMIT;"


def parts_of_walled() -> list[tuple[str, bool]]:
    """Return the partitions of tables with row-level security, and whether they have it too."""
    return rows(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_inherits "
        "JOIN pg_class p ON p.oid = inhparent JOIN pg_class c ON c.oid = inhrelid "
        "WHERE p.relkind = 'p' AND c.relkind IN ('r', 'p') AND p.relrowsecurity"
    )


def unwalled(table: str, *, do: str) -> Finding:
    """Return the finding that a table lacks row-level security."""
    return error(
        f"Row-level security of table {table} is off, not forced, or lacks a policy.",
        why="The database itself keeps people apart by it.",
        do=do,
    )


def owners() -> Iterator[Finding]:
    """Check that every table is ours, and that nothing is granted to PUBLIC."""
    for table, _, ours in rows(TABLES):
        if not ours:
            yield warning(
                f"Table {table} belongs to another database user.",
                why="Migrations cannot change it.",
                do=f"As superuser: ALTER TABLE {table} OWNER TO the user of DATABASE_URL;",
            )
    for (table,) in rows(PUBLIC):
        yield error(
            f"Everybody who can log in has rights on table {table}.",
            why="Rights are given to the roles of scopes alone.",
            do=f"REVOKE ALL ON {table} FROM PUBLIC;",
        )


def sealed_columns() -> Iterator[Finding]:
    """Check that support can read no sealed column."""
    there = {name for name, _, _ in rows(TABLES)}
    for model in models():
        for field in model._meta.local_fields:
            table = model._meta.db_table
            if not isinstance(field, SealedColumn) or table not in there:
                continue
            if rows(READABLE, [SUPPORT, table, field.column])[0][0]:
                yield error(
                    f"Support may read the sealed column {table}.{field.column}.",
                    why="The admin is to be refused it by the database.",
                    do=anew([wall for wall in walls_of(model, Privileges) if wall.role == SUPPORT], table),
                )


def indexes() -> Iterator[Finding]:
    """Check that declared indexes and constraints exist, and that all are valid."""
    there, built = {name for (name,) in rows(NAMES)}, {name for name, _, _ in rows(TABLES)}
    for model in models():
        if model._meta.db_table in built:
            for each in declared(model):
                if each.name not in there:
                    yield error(
                        f"{each.name} of table {model._meta.db_table} is missing.",
                        why="Without an index look-ups get slow; without a constraint rows can go wrong.",
                        do=made_by(model, each),
                    )
    for name, table, partitioned in rows(INVALID):
        yield error(
            f"The index {name} of table {table} is invalid: building it was cut short.",
            why="It is not used, and still costs every write.",
            do=rest_of(table, name) if partitioned else f"REINDEX INDEX CONCURRENTLY {name};",
        )
    for name, table in rows(UNVALIDATED):
        yield warning(
            f"The constraint {name} of table {table} is not validated.",
            why="Rows from before it may not keep it.",
            do=f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
        )


def declared(model: Any) -> list[Any]:
    """Return a model's indexes, unique and check constraints, and references, by name."""
    kept = (UniqueConstraint, CheckConstraint, CompositeReference)
    constraints = [each for each in model._meta.constraints if isinstance(each, kept)]
    return sorted([*constraints, *model._meta.indexes], key=lambda each: each.name)


def made_by(model: Any, what: Any) -> str:
    """Return the statements that make an index or a constraint while the table is in use, one after another."""
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        if not isinstance(what, Index):
            editor.add_constraint(model, what)
        elif rows(PARTITIONED, [model._meta.db_table]):
            editor.collected_sql += [f"{each};" for each in partitioned_index_sql(what, model, editor)]
        else:
            editor.add_index(model, what)
    return " ".join(editor.collected_sql)


def rest_of(table: str, name: str) -> str:
    """Return the statements that complete the index of a partitioned table, which REINDEX cannot."""
    named = [(model, index) for model in models() if model._meta.db_table == table for index in model._meta.indexes]
    return next((made_by(model, index) for model, index in named if index.name == name), f"DROP INDEX {name};")


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


def placement() -> Iterator[Finding]:
    """Check that every table is where distributing puts it, where people's rows are on shards."""
    if not distributed():
        return
    with connection.cursor() as cursor:
        left = steps_left(cursor)
    if left:
        yield error(
            f"{len(left)} steps of distributing are not done, the first: {left[0].what}.",
            why="A table that is not on shards stays the coordinator's, and a worker that does not refuse it lets the "
            "owner move shards, which loses their rows.",
            do="manage.py distribute --apply, with serve and workers stopped.",
        )
