"""Which operations read several things as they were at one moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from vibe.core.db.statements.snapshots import one_snapshot

Operation = TypeVar("Operation", bound=Callable[..., Any])
MARK = "of_one_moment"


def in_snapshot(operation: Operation) -> Operation:
    """Mark an operation that reads several things and changes none: its transaction is to see one moment."""
    setattr(operation, MARK, True)
    return operation


def snapshot_of(operation: Callable[..., Any]) -> AbstractContextManager[None]:
    """What the transaction of an operation is to begin in."""
    return one_snapshot() if getattr(operation, MARK, False) else nullcontext()
