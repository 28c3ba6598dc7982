"""Django's cursor, which takes along what is held back: statements whose answers nobody waits for.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql


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
