"""Running the plan: the steps that are left, each in a transaction of its own.

Nothing is stored between two runs, so an interrupted run resumes where it ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection, transaction

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.migrating.lock import LOCK, migration_lock
from vibe.core.db.scale.distribution import placing
from vibe.core.db.scale.distribution.plan import Step, steps
from vibe.core.db.statements.batching import distributed


def apply(*, on_step: Callable[[Step, bool], Any] = lambda *_: None) -> int:
    """Run every step that is not done, each in a transaction of its own. Return how many.

    `on_step` is called before each, with whether it is done already. Raises DatabaseNotReady for obstacles, before the
    first step, and for a step that fails: those before it are kept, and the next run resumes there.
    """
    with migration_lock(), connection.cursor() as cursor:
        found = list(placing.obstacles(cursor))
        if others := placing.sessions(cursor, LOCK):
            found.append(f"{others} other connections of Vibe are open. Stop serve and workers until this is done.")
        if found:
            raise DatabaseNotReady("\n".join(found))
        done = 0
        for step in list(steps(cursor)):
            there = step.done(cursor)
            on_step(step, there)
            if not there:
                apply_step(cursor, step)
                done += 1
    connection.close()  # a new session learns that the tables are on shards
    return done


def place_new_tables(*, on_step: Callable[[Step, bool], Any] = lambda *_: None) -> None:
    """Run what is left of the plan for tables that a migration has just made, where people's rows are on shards.

    Nobody uses such a table yet, so nothing has to be stopped. Raises DatabaseNotReady for a step that fails.
    """
    if distributed() and not any(placing.of_the_migrations()):
        with connection.cursor() as cursor:
            for step in steps_left(cursor):
                on_step(step, False)
                apply_step(cursor, step)


def steps_left(cursor: Any) -> list[Step]:
    """Return the steps that are not done."""
    return [step for step in steps(cursor) if not step.done(cursor)]


def apply_step(cursor: Any, step: Step) -> None:
    """Run one step in a transaction. Raises DatabaseNotReady when it fails."""
    try:
        with transaction.atomic():
            for statement in step.statements:
                cursor.execute(statement)
    except DatabaseError as problem:
        said = str(problem).partition("DETAIL")[0].strip()  # a DETAIL may quote a row
        raise DatabaseNotReady(
            f"It stopped at '{step.what}': {said}. Mend that and run distribute --apply again."
        ) from None
