"""Reading several things as they were at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg import IsolationLevel


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let the transaction that begins in the block see one moment, whatever others change between two statements.

    Said with its BEGIN, which costs no round trip and reaches the shards. Inside a transaction it is that one's affair.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    session = connection.connection
    session.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        yield
    finally:
        if not session.closed:
            session.isolation_level = None
