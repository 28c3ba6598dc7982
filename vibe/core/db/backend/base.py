"""Django's PostgreSQL backend. It starts the embedded server when that is what is configured, and says plainly what is
wrong when there is no connection. Its cursor takes along what is held back: statements whose answers nobody waits for.

Such are BEGIN, what tells a scope, a row that is inserted, and a job that is started. They go ahead of whatever is sent
next on the connection, in one text and one round trip. Each still is a statement of its own to the server; an error of
one is raised where the next is run, and that one is not run then.

Every statement of the product goes through this cursor, or calls `send_held` before: else it would be run under the
role of the scope before.

psycopg's pipeline mode would do without joining texts and counting answers. It was tried in place of this, in turns in
one run (docs/api.md has the figures): over 20 ms it is as quick, but with the database beside it adding a memory takes
1.15 times as long and searching 1.13, where 1.1 was the aim. There each statement is parsed, bound and described by
itself. Even that needs role and settings in one SELECT of set_config(), which Citus does not hand on to shards.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError
from django.db.backends.postgresql import base
from psycopg import sql

from vibe.core.db import citus_nodes, citus_session
from vibe.core.db.backend.schema import Stepwise, Whole
from vibe.core.db.configured import embedded_server, resolve
from vibe.core.db.embedded.server import PORT
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.requirements import require_schema, require_server
from vibe.core.db.roles import hold_schema
from vibe.core.errors import AuditUnavailable

WHEN_ASKED = sys.maxsize
"""How often a statement must have run to be prepared unasked: see vibe.core.db.statements.bulk.run."""
REPLICA = "replica"  # the alias of the database of REPLICA_URL: see vibe.core.db.scale.replica

# libpq tells these apart by words alone. A server that speaks another language gets the last resort, which quotes it.
REFUSED = ("password", "authentication", "pg_hba", "role ", "permission denied for database")
FULL = ("too many", "remaining connection slots")


@dataclass(frozen=True, slots=True)
class Held:
    """A text with `parts` statements in it, and its parameters.

    `telling` says that they only tell who the next ones come from: nothing is lost if none come.
    """

    text: str
    parameters: Sequence[Any] = ()
    parts: int = 1
    telling: bool = False


class Cursor(psycopg.ClientCursor[Any]):
    """The cursor of every statement whose parameters the driver writes out."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Run a statement after the held-back ones. The cursor is then at the statement's own first result."""
        if isinstance(query, str) and query.startswith("SET LOCAL") and getattr(self.connection, "distributed", False):
            send_held(self.connection)  # Citus repeats on the shards the whole text that this comes in with
        ahead = take_held(self.connection)
        if not ahead:
            return super().execute(query, params, **options)
        text = query if isinstance(query, str) else sql.SQL("{}").format(query).as_string(self)
        try:
            if isinstance(params, Mapping):
                text, params = self.mogrify(text, params), None
            if params is None:
                text, params = text.replace("%", "%%"), ()
            together = "; ".join(each for each in (*(each.text for each in ahead), text) if each)
            super().execute(together, [*(value for each in ahead for value in each.parameters), *params], **options)
        except Exception as problem:
            if getattr(problem, "sqlstate", None) is None:  # it did not come to the server, nor did what goes ahead
                self.connection.held = ahead  # type: ignore[attr-defined]
            raise
        for _ in range(sum(each.parts for each in ahead)):
            self.nextset()
        return self

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        """The same statement many times, by the driver's pipeline, which takes one statement at a time."""
        send_held(self.connection)
        return super().executemany(*arguments, **options)

    def copy(self, *arguments: Any, **options: Any) -> Any:
        """COPY, which stands alone."""
        send_held(self.connection)
        return super().copy(*arguments, **options)


def hold(connection: psycopg.Connection[Any], held: Held) -> None:
    """Keep a statement until the next one of this connection."""
    connection.held = [*getattr(connection, "held", ()), held]  # type: ignore[attr-defined]


def holds(connection: psycopg.Connection[Any]) -> bool:
    """Return whether statements are held back."""
    return bool(getattr(connection, "held", ()))


def take_held(connection: psycopg.Connection[Any]) -> list[Held]:
    """Return the held-back statements and clear them."""
    held: list[Held] = getattr(connection, "held", [])
    if held:
        connection.held = []  # type: ignore[attr-defined]
    return held


def send_held(connection: psycopg.Connection[Any], *, ends: bool = False) -> None:
    """Send it now: what comes next takes nothing along (COPY, a cursor on the server, parameters that travel apart).

    With `ends` the transaction ends here, and what only tells is dropped.
    """
    if ends and all(each.telling for each in getattr(connection, "held", ())):
        take_held(connection)
    if holds(connection):
        with Cursor(connection) as cursor:
            cursor.execute("")


class ServerUnreachable(DatabaseNotReady, OperationalError):
    message = "There is no connection to the database."


class NotCommitted(AuditUnavailable, DatabaseError):
    message = "The last statement or the commit was refused by the database, so nothing was done. Try again shortly."


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection of the product."""

    scope: Any = None
    """What the server was told, or will be with the next statement: of vibe.core.db.scopes."""
    isolation: str = ""
    """How the transaction that begins next begins: the words after BEGIN, of vibe.core.db.statements.batching."""
    closing: tuple[str, Sequence[Any]] | None = None
    """The last statement of the transaction, and its parameters: it goes with the commit, of audit.services."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        resolve(settings_dict, replica=alias == REPLICA)
        super().__init__(settings_dict, alias)

    def _start_transaction_under_autocommit(self) -> None:
        # What Django calls where a transaction is to be begun in words. Left to itself psycopg says BEGIN before the
        # first statement, in a round trip of its own; here it goes with that.
        begin, self.isolation = f"BEGIN {self.isolation}".rstrip(), ""  # not of what its commit begins
        self.hold(begin, telling=True)

    def commits_next(self) -> bool:
        """Return whether the end of the innermost block commits, so that its last statement can be sent with COMMIT."""
        return self.in_atomic_block and not self.savepoint_ids and self.commit_on_exit

    def _commit(self) -> None:
        if self.closing is None:
            self.send_held(ends=True)
            super()._commit()  # type: ignore[misc]  # django-stubs does not know it
            return
        (statement, parameters), self.closing = self.closing, None
        try:
            with self.cursor() as cursor:  # an error before its end leaves COMMIT out
                cursor.execute(f"{statement}; COMMIT", parameters)
        except DatabaseError as problem:
            if self.connection is None or self.connection.closed:
                raise  # whether the commit arrived is not known, so nobody is told that nothing was done
            raise NotCommitted from problem

    def _rollback(self) -> None:
        self.closing = None
        take_held(self.connection)
        super()._rollback()  # type: ignore[misc]

    def _close(self) -> None:
        if self.connection is not None:
            take_held(self.connection)  # a pool would hand it on to whoever comes next
        super()._close()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        take_held(self.connection)  # held since the savepoint, for making that sent what was held before
        super()._savepoint_rollback(sid)  # type: ignore[misc]

    def hold(self, text: str, parameters: Sequence[Any] = (), *, telling: bool = False) -> None:
        """Send statements with the next one of this transaction, in its round trip. Their results are skipped.

        They are counted by the semicolons between them, so values are parameters.
        On Citus a SET LOCAL goes at once and alone: see Cursor.execute.
        """
        self.validate_no_broken_transaction()
        if text.startswith("SET LOCAL") and self.distributed:
            with self.cursor() as cursor:
                cursor.execute(text, parameters)
        else:
            hold(self.connection, Held(text, parameters, text.count(";") + 1, telling))

    def send_held(self, *, ends: bool = False) -> None:
        """Send the held-back statements now: before one that cannot take them along, or as the transaction `ends`."""
        if self.connection is not None:
            with self.wrap_database_errors:
                send_held(self.connection, ends=ends)

    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            self.send_held()
        if name and self.in_atomic_block:
            # Django would have it outlive the transaction: it goes by the driver's autocommit, which stays on in ours.
            return base.ServerSideCursor(self.connection, name=name, scrollable=False)  # type: ignore[call-arg]
        return super().create_cursor(name)

    def get_connection_params(self) -> dict[str, Any]:
        # Here and not in get_new_connection: the worker's own connector asks for the parameters alone.
        embedded = embedded_server() if self.alias != REPLICA else None
        if embedded:
            embedded.start()
            self.settings_dict["HOST"] = self.settings_dict["HOST"] or str(embedded.sockets)
        parameters = {**super().get_connection_params(), "cursor_factory": Cursor}
        if "prepare_threshold" not in self.settings_dict["OPTIONS"]:  # or through a pooler: see vibe.core.db.configured
            parameters["prepare_threshold"] = WHEN_ASKED
        return {**parameters, "port": PORT} if embedded else parameters  # libpq would else take PGPORT's

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError as problem:
            setting = "REPLICA_URL" if self.alias == REPLICA else "DATABASE_URL"
            raise ServerUnreachable(explain_failure(str(problem), self.settings_dict, setting)) from problem

    def connect(self) -> None:
        try:
            super().connect()
        except Exception:
            self.close()  # Django would keep a connection that was lost while it was set up
            raise

    def _configure_connection(self, connection: Any) -> bool:
        # Once a connection, pooled or not.
        super()._configure_connection(connection)  # type: ignore[misc]  # django-stubs does not know it
        with connection.cursor() as cursor:
            connection.distributed = citus_session.prepare_session(cursor)
        if connection.distributed:
            connection.prepare_threshold = None  # a plan that is kept on the coordinator was not tried on shards
            connection.wait = citus_nodes.watched(connection)
        return True

    @property
    def distributed(self) -> bool:
        """Return whether people's rows are on shards: see vibe.core.db.scale.distribution."""
        self.ensure_connection()
        return bool(self.connection.distributed)

    def check_database_version_supported(self) -> None:
        require_server(self.pg_version)
        super().check_database_version_supported()

    def schema_editor(self, *arguments: Any, **options: Any) -> Any:
        editor = Whole if options.get("atomic", True) else Stepwise
        return editor(self, *arguments, **options)

    def prepare_database(self) -> None:
        # What Django calls before it migrates, and so before it makes a table of its own.
        super().prepare_database()
        with self.cursor() as cursor:
            hold_schema(cursor)
            require_schema(cursor)


def explain_failure(text: str, database: dict[str, Any], setting: str = "DATABASE_URL") -> str:
    """What to do about a connection that failed, by libpq's words. Names host, port, database and user, never the
    password; and the setting that it was made by."""
    where = f"{database['HOST'] or 'the local socket'}:{database['PORT'] or 5432}"
    if "database" in text and "does not exist" in text:
        return f"Database '{database['NAME']}' does not exist at {where}. Create it: createdb {database['NAME']}"
    if any(word in text for word in FULL):
        return f"PostgreSQL at {where} has no free connection. Raise max_connections, or put a pooler in front."
    if "FATAL:" in text and any(word in text for word in REFUSED):
        return (
            f"PostgreSQL at {where} refused user '{database['USER']}' ({failure_reason(text)}). "
            f"Check user and password in {setting}."
        )
    if "FATAL:" in text:
        return f"PostgreSQL at {where} refused the connection: {failure_reason(text)}."
    return (
        f"No PostgreSQL answers at {where} ({failure_reason(text)}). Start it, or correct host and port in {setting}."
    )


def failure_reason(text: str) -> str:
    """The end of libpq's message: what the server said, or why there was none to say it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "FATAL:" in line] or [line for line in lines if "failed:" in line] or lines[:1]
    return (
        said[-1].rpartition("FATAL:")[2].rpartition(" failed: ")[2].strip().rstrip(".") if said else "no reason given"
    )
