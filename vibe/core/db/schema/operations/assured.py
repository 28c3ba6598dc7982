"""A wrapper for operations that `check_migrations` would refuse, with the reason why they are safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations import SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation

from vibe.core.errors import ConfigurationError

SHORTEST = 15  # characters that a reason has at least


class Assured(SeparateDatabaseAndState):
    """Operations that were judged safe. The reason is required, and read in review."""

    def __init__(self, reason: str, operations: Sequence[Operation]) -> None:
        if len(reason) < SHORTEST:
            raise ConfigurationError("Assured() needs a reason: why this holds nobody up and breaks nothing.")
        super().__init__(database_operations=operations, state_operations=operations)
        self.reason = reason

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [self.reason, self.database_operations], {}

    def describe(self) -> str:
        return "; ".join(operation.describe() for operation in self.database_operations)
