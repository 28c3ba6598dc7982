"""Reading several things as they were at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from django.db import connection

Operation = TypeVar("Operation", bound=Callable[..., Any])
MARK = "of_one_moment"


def of_one_moment(operation: Operation) -> Operation:
    """Mark an operation that reads several things and changes none: its transaction is to see one moment."""
    setattr(operation, MARK, True)
    return operation


def moment_of(operation: Callable[..., Any]) -> AbstractContextManager[None]:
    """What the transaction of an operation is to begin in."""
    return one_snapshot() if getattr(operation, MARK, False) else nullcontext()


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let the transaction that begins in the block see one moment, whatever others change between two statements.

    Said with its BEGIN, which costs no round trip and reaches the shards. Inside a transaction it is that one's affair.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.isolation = "ISOLATION LEVEL REPEATABLE READ"  # type: ignore[attr-defined]
    try:
        yield
    finally:
        connection.isolation = ""  # type: ignore[attr-defined]
