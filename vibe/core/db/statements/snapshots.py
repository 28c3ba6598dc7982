"""Reading several things as they were at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vibe.core.db.statements.connection import current_connection


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let the transaction that begins in the block see one moment, whatever others change between two statements.

    Said with its BEGIN, which costs no round trip and reaches the shards. Inside a transaction it is that one's affair.
    """
    connection = current_connection()
    if connection.in_atomic_block:
        yield
        return
    connection.isolation = "ISOLATION LEVEL REPEATABLE READ"
    try:
        yield
    finally:
        connection.isolation = ""
