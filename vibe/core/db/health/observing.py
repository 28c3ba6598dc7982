"""Read-only queries as the login role, the only one that can be given pg_monitor: short, and rolled back after.

A probe is a generator: it yields statements, is sent their rows, and returns its chapter. So all can be batched.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import DatabaseError, OperationalError, ProgrammingError, connection, transaction

from vibe.core.db.health.reading import Chapter, Reading, Verdict
from vibe.core.db.scopes import OUTSIDE, current_scope, note_scope

Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]  # and its values
Looking = Generator[list[Statement], list[Rows], Chapter]
Probe = Callable[[], Looking]
Ask = Callable[[Sequence[Statement]], list[Rows]]
LIMITS = "SET LOCAL ROLE none; SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = '5s'"


@contextmanager
def observing() -> Iterator[Ask]:
    """Provide read-only queries outside every scope for the block. The outer scope is in effect again after it."""
    outer = current_scope()
    try:
        with transaction.atomic():
            note_scope(OUTSIDE)
            yield run_statements
            transaction.set_rollback(True)  # with which role, reading only and time limit go
    finally:
        note_scope(outer)


def run_statements(statements: Sequence[Statement]) -> list[Rows]:
    """Return the rows of each statement, in one round trip."""
    whole = "; ".join([LIMITS, *(text for text, _ in statements)])
    with connection.cursor() as cursor:
        cursor.execute(whole, [value for _, values in statements for value in values] or None)
        rows = [cursor.fetchall() if cursor.description else [] for _ in each_result(cursor)]
    return rows[-len(statements) :]


def each_result(cursor: Any) -> Iterator[None]:
    """Yield once for each result of a cursor."""
    yield
    while cursor.nextset():
        yield


def run_probes(probes: Sequence[tuple[str, Probe]]) -> list[Chapter]:
    """Return the chapter of each probe. If one fails, each runs by itself, and only its own chapter shows the error."""
    try:
        return run_batched([probe for _, probe in probes])
    except DatabaseError:
        return [run_alone(title, probe) for title, probe in probes]


def run_batched(probes: Sequence[Probe]) -> list[Chapter]:
    """Run all probes together: what they yield at the same step goes to the server in one round trip."""
    with observing() as asking:
        running = {number: probe() for number, probe in enumerate(probes)}
        chapters: dict[int, Chapter] = {}
        answers: dict[int, list[Rows]] = {}
        while running:
            asked: dict[int, list[Statement]] = {}
            for number, probe in running.items():
                try:
                    asked[number] = probe.send(answers.get(number))  # type: ignore[arg-type]  # None begins
                except StopIteration as told:
                    chapters[number] = told.value
            running = {number: running[number] for number in asked}
            rows = iter(asking([each for statements in asked.values() for each in statements]) if asked else ())
            answers = {number: list(islice(rows, len(statements))) for number, statements in asked.items()}
    return [chapters[number] for number in sorted(chapters)]


def run_alone(title: str, probe: Probe) -> Chapter:
    """Run one probe by itself. Return its chapter, or one with the reason for its failure."""
    try:
        return run_batched([probe])[0]
    except DatabaseError as problem:
        return failed_chapter(title, problem)


def failed_chapter(title: str, problem: DatabaseError) -> Chapter:
    """Return the chapter of a failed probe. It names the kind of error only: the text could hold a value."""
    reading = Reading(title, "could not be seen", Verdict.UNKNOWN, reason(problem))
    return Chapter(title, "This could not be looked at.", (reading,))


def reason(problem: DatabaseError) -> str:
    """Return what kind of error it was, and what to do."""
    state = getattr(problem.__cause__, "sqlstate", None)
    if isinstance(problem, ProgrammingError) and state == "42501":
        return f"The database refuses it to this user. {monitor_grant_sql()}"
    if isinstance(problem, OperationalError) and state == "57014":
        return "It took longer than 5 seconds and was given up. Try again when the server is less busy."
    return f"The database answered with error {state or 'of no known kind'}."


def login() -> str:
    """Return the role that the configuration signs in with."""
    return str(connection.settings_dict["USER"] or "the login role")


def monitor_grant_sql() -> str:
    """Return what to type if the login role may not see what others do."""
    return f"As superuser: GRANT pg_monitor TO {login()};"
