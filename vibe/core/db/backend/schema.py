"""How a migration's statements reach a database that is in use.

What waits for a lock holds up everything that comes after it, so no statement waits longer than MIGRATION_LOCK_TIMEOUT:
it gives up, lets the others pass, and tries again, for MIGRATION_PATIENCE seconds in all.

- Whole: a migration with `atomic = True` is one transaction, retried as a whole by vibe.core.db.migrating.lock.
- Stepwise: one with `atomic = False` goes statement by statement. Indexes are built concurrently, foreign keys, checks
  and NOT NULL are added unvalidated and then validated (django-pg-zero-downtime-migrations), and what is there already
  is passed over, so that an interrupted migration is simply run again.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import OperationalError
from django.db.backends.ddl_references import Statement
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django_zero_downtime_migrations.backends.postgres.schema import DatabaseSchemaEditorMixin

from vibe.core.db.errors import DatabaseNotReady

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds
GIVEN_UP = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected
# These wait for old transactions to end and hold nobody up meanwhile.
MAY_WAIT = re.compile(r"\bCONCURRENTLY\b|\bVALIDATE CONSTRAINT\b")
INDEX = re.compile(r"(?:CREATE (?:UNIQUE )?|RE)INDEX (?:INDEX )?CONCURRENTLY (?:IF NOT EXISTS )?(\"[^\"]+\"|\w+)")
BUILT = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(\"[^\"]+\"|\w+)")
# What a failed or killed build leaves: the index itself, or the new one beside it.
INVALID = """
SELECT quote_ident(relname) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace
AND (relname = %s OR relname ~ ('^' || %s || '_ccnew[0-9]*$'))
"""

OLDEST = "SELECT pid, state, xact_start, query FROM pg_stat_activity WHERE xact_start < now() ORDER BY xact_start"

TOGETHER = ";\n--\n"  # between the statements of vibe.core.db.schema.constraints.SchemaPolicy

logger = logging.getLogger(__name__)
T = TypeVar("T")


class OneByOne(DatabaseSchemaEditor):
    """Send the statements of a policy one by one where a cluster would forward their whole text to the shards."""

    def execute(self, sql: Any, params: Any = ()) -> Any:
        together = isinstance(sql, str) and not params and not self.collect_sql and self.connection.distributed  # type: ignore[attr-defined]
        for each in sql.split(TOGETHER) if together else (sql,):
            super().execute(each, params)


class Whole(OneByOne):
    """One transaction, in which no statement waits long for a lock."""

    def __enter__(self) -> Self:
        editor = super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            self.execute(f"SET LOCAL lock_timeout = {settings.MIGRATION_LOCK_TIMEOUT}")
        return editor


class Patient(OneByOne):
    """Retry each statement that did not get its lock."""

    def __enter__(self) -> Self:
        editor = super().__enter__()
        self.limit(settings.MIGRATION_LOCK_TIMEOUT)
        return editor

    def __exit__(self, *problem: Any) -> None:
        try:
            super().__exit__(*problem)
        finally:
            if not self.connection.needs_rollback:
                self.limit("DEFAULT")

    def execute(self, sql: Any, params: Any = ()) -> Any:
        if self.collect_sql or self.connection.in_atomic_block:
            return super().execute(sql, params)
        run = super().execute
        if not MAY_WAIT.search(str(sql)):
            return retry_for_locks(lambda: run(sql, params))
        index = INDEX.search(str(sql))
        self.limit(0)
        try:
            return run(sql, params)
        except BaseException:
            self.drop_invalid(index)
            raise
        finally:
            self.limit(settings.MIGRATION_LOCK_TIMEOUT)

    def limit(self, milliseconds: int | str) -> None:
        """Set how long statements may wait for a lock from here on; 0: without limit."""
        if not self.collect_sql:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = {milliseconds}")

    def drop_invalid(self, index: re.Match[str] | None) -> None:
        """Drop an invalid index that a failed build has left."""
        if index is None:
            return
        name = index[1].strip('"')
        with self.connection.cursor() as cursor:
            cursor.execute(INVALID, [name, re.escape(name)])
            for (left,) in cursor.fetchall():
                logger.warning("Dropping index %s, which an interrupted build left invalid.", left)
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")


class Stepwise(DatabaseSchemaEditorMixin, Patient):  # type: ignore[misc]  # that package has no types
    """Statement by statement, each in the form that holds others up least."""

    stepwise = True

    def __init__(self, connection: Any, collect_sql: bool = False, atomic: bool = False) -> None:
        super().__init__(connection, collect_sql=collect_sql, atomic=atomic)
        self.RAISE_FOR_UNSAFE = self.FLEXIBLE_STATEMENT_TIMEOUT = True
        self.IDEMPOTENT_SQL = not collect_sql

    def execute(self, sql: Any, params: Any = ()) -> Any:
        if not self.collect_sql:  # what is there and invalid is made anew: it may be of another definition
            self.drop_invalid(BUILT.search(as_text(sql)))
        return super().execute(sql, params)


def as_text(sql: Any) -> str:
    """Return one statement or several as text."""
    whole = sql.template % sql.parts if isinstance(sql, Statement) else sql
    return ";\n".join(map(str, whole)) if isinstance(whole, list) else str(whole)


def retry_for_locks(attempt: Callable[[], T]) -> T:
    """Retry until the locks are granted. Raises DatabaseNotReady after MIGRATION_PATIENCE seconds."""
    for pause in backoff_pauses(settings.MIGRATION_PATIENCE):
        try:
            return attempt()
        except OperationalError as problem:
            if getattr(problem.__cause__, "sqlstate", "") not in GIVEN_UP:
                raise
            logger.info("A migration did not get its lock, lets others pass and tries again in %.1f s.", pause)
            time.sleep(pause)
    raise DatabaseNotReady(
        f"A migration did not get a lock in {settings.MIGRATION_PATIENCE} seconds: some transaction holds it. "
        f"Find it: {OLDEST}; End it, or wait, and run migrate again."
    )


def backoff_pauses(patience: float) -> Iterator[float]:
    """Yield growing pauses with jitter until so many seconds have passed."""
    end, pause = time.monotonic() + patience, FIRST_PAUSE
    while time.monotonic() < end:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # nosec B311  against marching in step, no secret
        pause = min(pause * 2, LONGEST_PAUSE)
