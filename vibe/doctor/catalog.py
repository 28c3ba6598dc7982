"""Checks of the database catalog against the models, and of the database's health."""

from __future__ import annotations

from collections.abc import Iterator

from vibe.core.db.health.reading import Verdict
from vibe.core.db.health.report import report
from vibe.core.db.schema import catalog_lint
from vibe.doctor.findings import Finding, error, warning


def rights() -> Iterator[Finding]:
    """Check that policies, grants, functions, triggers, views and roles are exactly what the models declare."""
    for found in catalog_lint.findings():
        yield error(
            f"{found}.",
            why="Somebody changed the database by hand, or restored it in part; rows may be open to others.",
            do=found.do,
        )


def health() -> Iterator[Finding]:
    """Report what is bad on the admin's page of database health."""
    for chapter in report():
        for reading in chapter.readings:
            if reading.verdict is Verdict.BAD:
                do = reading.advice or "See the page Database health in the admin"
                yield warning(f"{chapter.title}: {reading.name}, {reading.value}", why=chapter.about, do=do)
