"""Facts that a processor found in an episode, beside those that the rules read in each memory of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from memories.payload import OpenedMemory, local_time
from stories.facts.attributes import ATTRIBUTES, DATED, SINGLE
from stories.facts.statements import BY_RULES, PERSON, Kind, Statement, of_speaker
from stories.facts.storing import open_statements, replace_statements, statements_in
from stories.facts.timeline import covers
from stories.processors.base import StatedFact
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements.batching import execute_batch

STATABLE: Final = ATTRIBUTES - {"other"}


def statements_of(
    proposed: Iterable[StatedFact], memories: Iterable[OpenedMemory], processor: str
) -> list[tuple[UUID, Statement]]:
    """Return what is proposed as statements of whoever said it, each with its memory.

    Left out is what is about nothing known, what an assistant or a tool said, a day that was over when it was said,
    and the end of something that may be one of several.
    """
    said_in = {str(memory.id): memory for memory in memories}
    found = []
    for each in proposed:
        memory = said_in.get(each.message_id)
        said = memory and _statement(each, local_time(memory.occurred_at, memory.payload.utc_offset), processor)
        if memory and said:
            found += [(memory.id, one) for one in of_speaker([said], memory.payload.author, memory.role)]
    return found


def replace_proposed(
    user_id: UUID, vault: Vault, memory_ids: Collection[UUID], rows: Sequence[tuple[UUID, Statement]]
) -> None:
    """Bring what processors found in memories to these statements.

    What the rules read in the same memory is not stated a second time. What the person corrected or had forgotten is
    not stated again of the memories that it was said in, however it is put.
    """
    [found] = execute_batch(statements_in(user_id, list(memory_ids)))
    known = open_statements(vault, found)
    if rows or any(each.source.processor != BY_RULES for each in known):
        read = _by_memory(
            (each.source.memory_id, each.statement) for each in known if each.source.processor == BY_RULES
        )
        new = [row for row in rows if not any(_is_said(row[1], by_rule) for by_rule in read.get(row[0], ()))]
        replace_statements(user_id, vault, memory_ids, new, by_rules=False)


def _statement(each: StatedFact, said_at: datetime, processor: str) -> Statement | None:
    """Return what is proposed as a statement, its subject left open; None for what is none."""
    until = None
    if each.attribute not in STATABLE or not (each.value or each.attribute in SINGLE):
        return None
    if each.attribute in DATED and not each.ended:
        if each.day is None or each.day < said_at.date():
            return None
        until = datetime.combine(each.day + timedelta(days=1), time(), said_at.tzinfo)
    return Statement(
        PERSON,
        each.attribute,
        each.value,
        Kind.ENDED if each.ended else Kind.HOLDS,
        until=until,
        day=each.day if until else None,
        start=each.start,
        end=each.end,
        processor=processor,
    )


def _by_memory(rows: Iterable[tuple[UUID | None, Statement]]) -> Mapping[UUID | None, list[Statement]]:
    found: dict[UUID | None, list[Statement]] = {}
    for memory_id, said in rows:
        found.setdefault(memory_id, []).append(said)
    return found


def _is_said(proposed: Statement, read: Statement) -> bool:
    """Return whether the rules read the same, in as many words, more or fewer."""
    return proposed.attribute == read.attribute and (covers(proposed.key, read.key) or covers(read.key, proposed.key))
