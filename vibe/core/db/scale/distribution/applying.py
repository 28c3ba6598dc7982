"""Running the steps of the plan that are left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection, transaction

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.migrating.lock import LOCK, migration_lock
from vibe.core.db.scale.distribution.obstacles import obstacles, sessions
from vibe.core.db.scale.distribution.plan import Step, steps


def apply(*, on_step: Callable[[Step, bool], Any] = lambda *_: None) -> int:
    """Run every step that is not done, each in a transaction of its own. Return how many.

    `on_step` is called before each, with whether it is done already. Raises DatabaseNotReady for obstacles, before the
    first step, and for a step that fails: those before it are kept, and the next run resumes there.
    """
    with migration_lock(), connection.cursor() as cursor:
        found = list(obstacles(cursor))
        if others := sessions(cursor, LOCK):
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
