"""Kills work at one of the statements it sends: all go through one place of the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


class Killed(KeyboardInterrupt):
    """What a killed process does not survive; nothing of ours catches it."""


@contextmanager
def killed_at(statement: int, *, after: bool = False) -> Iterator[None]:
    """Raise Killed instead of sending the n-th statement, counted from 1, or right after the server has done it.

    The connection is gone with it, as that of a killed process is: the server gives up what was not committed. Needs
    real commits (the fixture `committed`).
    """
    wait, sent = psycopg.Connection.wait, [0]

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        sent[0] += 1
        if sent[0] > statement or (sent[0] == statement and not after):
            raise Killed  # and nothing that the dead would send to tidy up
        result = wait(self, *arguments, **options)
        if sent[0] == statement:
            raise Killed
        return result

    psycopg.Connection.wait = watched  # type: ignore[method-assign]
    try:
        yield
    except Killed:
        psycopg.Connection.wait = wait  # type: ignore[method-assign]
        connection.connection.close()
        connection.connect()
        raise
    finally:
        psycopg.Connection.wait = wait  # type: ignore[method-assign]
