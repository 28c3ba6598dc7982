"""Looking at the server as the login role, which alone can be given pg_monitor: reading only, briefly, undone after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, OperationalError, ProgrammingError, connection, transaction

from vibe.db.contexts import OUTSIDE, current_scope, remember
from vibe.db.health.reading import Chapter, Reading, Verdict

Probe = Callable[[Any], Chapter]
LIMITS = "SET LOCAL ROLE none; SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = '5s'"


@contextmanager
def observing() -> Iterator[Any]:
    """A cursor outside every scope that can write nothing. The scope around it is taken up again."""
    outer = current_scope()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LIMITS)
            remember(OUTSIDE)
            yield cursor
            transaction.set_rollback(True)  # with which role, reading only and time limit go
    finally:
        remember(outer)


def look(probes: Sequence[tuple[str, Probe]]) -> list[Chapter]:
    """What each probe found. One that fails says so and holds up no other."""
    chapters: list[Chapter] = []
    while len(chapters) < len(probes):
        try:
            with observing() as cursor:
                for _, probe in probes[len(chapters) :]:
                    chapters.append(probe(cursor))
        except DatabaseError as problem:
            chapters.append(unseen(probes[len(chapters)][0], problem))
    return chapters


def unseen(title: str, problem: DatabaseError) -> Chapter:
    """A chapter that could not be written. Told by the kind of error: its text could hold a value."""
    reading = Reading(title, "could not be seen", Verdict.UNKNOWN, reason(problem))
    return Chapter(title, "This could not be looked at.", (reading,))


def reason(problem: DatabaseError) -> str:
    """What kind of error it was, and what to do."""
    state = getattr(problem.__cause__, "sqlstate", None)
    if isinstance(problem, ProgrammingError) and state == "42501":
        return f"The database refuses it to this user. As superuser: GRANT pg_monitor TO {login()};"
    if isinstance(problem, OperationalError) and state == "57014":
        return "It took longer than 5 seconds and was given up. Try again when the server is less busy."
    return f"The database answered with error {state or 'of no known kind'}."


def login() -> str:
    """The role that the configuration signs in with."""
    return str(connection.settings_dict["USER"] or "the login role")
