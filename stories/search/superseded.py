"""Memories whose facts have ended, behind those that ended them: "I moved to Rome" before "I live in Berlin"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stories.facts.storing import open_statements
from stories.facts.timeline import facts_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements.batching import Rows

LOOKED_AT: Final = 50
"""Of the memories found, the first so many are compared."""


def newest_word_first(vault: Vault, found: list[UUID], stated: Rows) -> list[UUID]:
    """Return memories, given best first, with each that ended a fact before those that say the fact.

    All others keep their places. `stated` are the statements that these memories themselves make, as
    stories.facts.storing reads them.
    """
    order = list(found)
    for fact in facts_of(open_statements(vault, stated)) if len(stated) > 1 else ():
        old = [source.memory_id for source in fact.sources if source.memory_id != fact.ended_in]
        if fact.ended_in and old:
            _put_before(order, fact.ended_in, old)
    return order


def _put_before(order: list[UUID], first: UUID, others: Sequence[UUID | None]) -> None:
    """Move one to the place of the first of the others, if it is behind that."""
    at = order.index(first)
    before = min(order.index(each) for each in others if each is not None)
    if before < at:
        order.insert(before, order.pop(at))
