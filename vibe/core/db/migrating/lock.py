"""One process at a time migrates a database, also one that is in use: a lock, and an executor that waits for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from vibe.core.db.backend.schema import retry_for_locks

LOCK = 0x6D696772  # an advisory lock, of this database
ASK_EVERY_SECONDS = 0.2

_held: ContextVar[bool] = ContextVar("migration_lock_held", default=False)


@contextmanager
def migration_lock(waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock for the block; `waiting` is called once when somebody else has it.

    It belongs to a transaction of a second connection, so it also works behind a pooler in transaction mode, and ends
    with the process that held it. It is polled, never waited for in a statement: a waiting statement holds a snapshot,
    and CREATE INDEX CONCURRENTLY would wait for that in turn. Inside another such block it is held already.
    """
    if _held.get():
        yield
        return
    lock = connection.copy()
    mark = _held.set(True)
    try:
        told = False
        while not try_lock(lock):
            if not told:
                waiting()
                told = True
            time.sleep(ASK_EVERY_SECONDS)
        yield
    finally:
        _held.reset(mark)
        if lock.connection is not None:
            with suppress(DatabaseError):
                lock.rollback()  # or the server would hold the lock until it notices the closed connection
        lock.close()


def try_lock(lock: Any) -> bool:
    """Try once to take the lock, in a transaction that stays open if it succeeds."""
    lock.set_autocommit(False)
    with lock.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0]:
            return True
    lock.rollback()
    return False


class PatientExecutor(MigrationExecutor):
    """An executor that retries an atomic migration that did not get one of its locks.

    Non-atomic ones retry statement by statement by themselves.
    """

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:
        run = super().apply_migration
        if not migration.atomic:
            return run(state, migration, fake, fake_initial)
        return retry_for_locks(lambda: run(state.clone(), migration, fake, fake_initial))

    def unapply_migration(self, state: Any, migration: Any, fake: bool = False) -> Any:
        run = super().unapply_migration
        if not migration.atomic:
            return run(state, migration, fake)
        return retry_for_locks(lambda: run(state.clone(), migration, fake))
