"""This thread's connection, and how its next transaction begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from vibe.core.db.backend.base import DatabaseWrapper


def current_connection() -> DatabaseWrapper:
    """Return the connection itself, not Django's proxy, which looks it up for each attribute and has no types."""
    return cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Make the transaction that begins in the block read from one snapshot.

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
