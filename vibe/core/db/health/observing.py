"""Looking at the server as the login role, which alone can be given pg_monitor: reading only, briefly, undone after.

A probe is a generator: it yields what it asks, is sent the rows, and returns its chapter. So all can ask at once.
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
    """A way to ask outside every scope that can write nothing. The scope around it is taken up again."""
    outer = current_scope()
    try:
        with transaction.atomic():
            note_scope(OUTSIDE)
            yield run_statements
            transaction.set_rollback(True)  # with which role, reading only and time limit go
    finally:
        note_scope(outer)


def run_statements(statements: Sequence[Statement]) -> list[Rows]:
    """The rows of each, in one round trip."""
    whole = "; ".join([LIMITS, *(text for text, _ in statements)])
    with connection.cursor() as cursor:
        cursor.execute(whole, [value for _, values in statements for value in values] or None)
        rows = [cursor.fetchall() if cursor.description else [] for _ in each_result(cursor)]
    return rows[-len(statements) :]


def each_result(cursor: Any) -> Iterator[None]:
    """Once for each result that a cursor stands at."""
    yield
    while cursor.nextset():
        yield


def run_probes(probes: Sequence[tuple[str, Probe]]) -> list[Chapter]:
    """What each probe found. One that fails says so and holds up no other: then each is asked by itself."""
    try:
        return run_batched([probe for _, probe in probes])
    except DatabaseError:
        return [run_alone(title, probe) for title, probe in probes]


def run_batched(probes: Sequence[Probe]) -> list[Chapter]:
    """All at once: what they ask at the same time goes to the server in one."""
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
    """One by itself, or why it could not be seen."""
    try:
        return run_batched([probe])[0]
    except DatabaseError as problem:
        return failed_chapter(title, problem)


def failed_chapter(title: str, problem: DatabaseError) -> Chapter:
    """A chapter that could not be written. Told by the kind of error: its text could hold a value."""
    reading = Reading(title, "could not be seen", Verdict.UNKNOWN, reason(problem))
    return Chapter(title, "This could not be looked at.", (reading,))


def reason(problem: DatabaseError) -> str:
    """What kind of error it was, and what to do."""
    state = getattr(problem.__cause__, "sqlstate", None)
    if isinstance(problem, ProgrammingError) and state == "42501":
        return f"The database refuses it to this user. {monitor_grant_sql()}"
    if isinstance(problem, OperationalError) and state == "57014":
        return "It took longer than 5 seconds and was given up. Try again when the server is less busy."
    return f"The database answered with error {state or 'of no known kind'}."


def login() -> str:
    """The role that the configuration signs in with."""
    return str(connection.settings_dict["USER"] or "the login role")


def monitor_grant_sql() -> str:
    """What to type where the login role may not see what others do."""
    return f"As superuser: GRANT pg_monitor TO {login()};"
