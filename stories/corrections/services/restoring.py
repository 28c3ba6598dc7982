"""What a person corrected in a story or among their facts, or had forgotten, restored from an export of theirs.

The rest of the story is built again, and all other facts are read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from accounts.export.sections import Line
from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Conversation, Memory
from stories.building.corrections import LONGEST, SEARCHED, Changes, KeptCorrection
from stories.building.sources import hold_story
from stories.corrections.services.correcting import Correction, write_correction
from stories.facts.attributes import ATTRIBUTES
from stories.facts.services.changing import OWN
from stories.facts.statements import Kind, Statement
from stories.facts.storing import insert_statements, open_statements, read_statements
from stories.index.services import index_pending
from stories.models import Fact, Passage, SearchSet
from stories.processors.base import Event
from stories.sealed_story import open_draft
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import InputError

Memories = Mapping[str, tuple[UUID, datetime]]  # by message id, within one conversation

LONGEST_VALUE = 200


def restore_correction(user_id: UUID, line: Line, *, actor: Actor) -> bool:
    """Restore a correction, in the story of the episode that holds all its memories. The rest is built again.

    Return whether anything was restored. A story that is corrected already stays as it is. Raises InputError, also if
    no single episode holds all the memories.
    """
    if not line.get("corrected"):
        return False
    at = time_of(line)
    with as_user(user_id):
        vault = open_vault()
        conversation_id = conversation_of(user_id, line)
        memories = memories_of(user_id, conversation_id)
        given = corrected_fields(line, memories)
        made_from = memories_behind(line, memories)
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        story = hold_story(user_id, episode_of(user_id, made_from))
        if story.corrected:
            return False
        kept = KeptCorrection(
            tuple(name for name in LONGEST if name in given), made_from, at, replace(open_draft(story, vault), **given)
        )
        searched = bool(given.keys() & SEARCHED)
        correction = Correction(story.revision, kept, "text" in given, searched, kept.passage())
        write_correction(SearchSet.objects.of(user_id).get(), story, correction, None, vault)
        record(
            actor=actor,
            action="story.correct",
            subject=user_id,
            resource=f"stories/{story.pk}",
            details={"fields": sorted(given), "revision": story.revision},
        )
    return True


def episode_of(user_id: UUID, memory_ids: frozenset[UUID]) -> UUID:
    """Return the story of the episode that holds all these memories. Raises InputError."""
    passages = Passage.objects.of(user_id).filter(memory_id__in=memory_ids)
    found = set(passages.values_list("story_id", flat=True))
    if len(found) != 1 or None in found:
        raise InputError("is a correction made over messages that are not of one episode here")
    return UUID(str(found.pop()))


def conversation_of(user_id: UUID, line: Line) -> UUID:
    """Return the conversation of the story. Raises InputError."""
    name = line.get("conversation")
    rows = Conversation.objects.of(user_id).filter(external_id=name) if isinstance(name, str) else ()
    for row in rows:
        return UUID(str(row.pk))
    raise InputError("is a story of a conversation that is not there")


def memories_of(user_id: UUID, conversation_id: UUID) -> Memories:
    """Return the memories of a conversation by each of their message ids."""
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id)
    return {
        name: (row_id, at)
        for row_id, names, at in rows.values_list("pk", "message_ids", "occurred_at")
        for name in names
    }


def memories_behind(line: Line, memories: Memories) -> frozenset[UUID]:
    """Return the memories that the story was built from when it was corrected. Raises InputError.

    The correction is removed with any of them, as it would have been where it was exported.
    """
    names = line.get("corrected_from")
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name in memories for name in names)
    ):
        raise InputError("corrected_from names a message that is not there, or is missing")
    return frozenset(memories[name][0] for name in names)


def corrected_fields(line: Line, memories: Memories) -> dict[str, Any]:
    """Return the corrected fields with their values. Raises InputError."""
    fields = line["corrected"]
    if not isinstance(fields, list) or not all(isinstance(name, str) and name in LONGEST for name in fields):
        raise InputError("corrected names what is no field of a story")
    values: dict[str, Any] = {name: line.get(name) for name in fields}
    for name in {"people", "places", "events"} & values.keys():
        if not isinstance(values[name], list):
            raise InputError(f"{name} is missing or not a list")
    if "events" in values:
        values["events"] = [event_of(each, memories) for each in values["events"]]
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise InputError(f"{missing[0]} is missing")
    return Changes(**values).given()


def event_of(values: Any, memories: Memories) -> Event:
    """Return an event, with the id of its memory if that is here. Raises InputError."""
    if not isinstance(values, dict) or not all(isinstance(values.get(name, ""), str) for name in ("who", "what")):
        raise InputError("events holds what is no object, or one whose who or what is no text")
    when, source = values.get("when"), values.get("message")
    try:
        day = None if when is None else date.fromisoformat(when)
    except (TypeError, ValueError):
        raise InputError("events holds a date that is none") from None
    memory = str(memories[source][0]) if isinstance(source, str) and source in memories else ""
    return Event(values.get("who", ""), values.get("what", ""), day, values.get("precision", "none"), memory)


def time_of(line: Line) -> datetime:
    """Return when it was corrected. Raises InputError."""
    try:
        at = datetime.fromisoformat(line["corrected_at"])
    except (KeyError, TypeError, ValueError):
        raise InputError("corrected_at is missing or no time") from None
    if at.tzinfo is None or not 1900 <= at.year < 2200:
        raise InputError("corrected_at has no time zone, or is not between 1900 and 2200")
    return at


def restore_own_word(user_id: UUID, line: Line, *, actor: Actor) -> bool:
    """Bring back a correction, or that a fact is forgotten, as of the time at which it was made.

    Return whether there was anything to bring back that is not here. Raises InputError.
    """
    forgotten = line.get("forgotten_at") is not None
    at = time_in(line, "forgotten_at" if forgotten else "corrected_at")
    if at is None:
        return False
    subject, attribute = text_in(line, "subject", 0), text_in(line, "attribute")
    if attribute not in ATTRIBUTES:
        raise InputError("attribute is none")
    with as_user(user_id):
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        vault = open_vault()
        memories = memories_in(user_id, line)
        [rows] = execute_batch(read_statements(user_id))
        known = open_statements(vault, rows)
        about = [each for each in known if (each.statement.subject, each.statement.attribute) == (subject, attribute)]
        if any(each.source.memory_id is None and each.source.said_at == at for each in about):
            return False
        replaced = [each for each in about if each.source.memory_id in memories and each.source.said_at <= at]
        said = Statement(
            subject,
            attribute,
            "" if forgotten else text_in(line, "value"),
            Kind.FORGOTTEN if forgotten else Kind.CORRECTED,
            since=time_in(line, "valid_from"),
            until=None if forgotten else time_in(line, "valid_to"),
            day=day_in(line),
            processor=OWN,
            instead_of=tuple(sorted({each.token for each in replaced})),
            of=str(uuid7()),
            memories=tuple(sorted(str(each) for each in memories)),
        )
        if forgotten:
            gone = [each.source.statement_id for each in replaced]
            Fact.objects.of(user_id).filter(pk__in=gone)._raw_delete("default")
        insert_statements(user_id, vault, [(None, said)], at=at)
        action = "fact.forget" if forgotten else "fact.correct"
        record(actor=actor, action=action, subject=user_id, resource=f"facts/{said.of}")
    return True


def memories_in(user_id: UUID, line: Line) -> set[UUID]:
    """Return the memories that a line names, of those that are here."""
    named = line.get("said_in")
    if not isinstance(named, list) or len(named) > 1_000 or not all(isinstance(each, dict) for each in named):
        raise InputError("said_in is missing, or no list of objects")
    found: set[UUID] = set()
    for each in named:
        conversation, message = text_in(each, "conversation"), text_in(each, "message")
        rows = Memory.objects.of(user_id).filter(
            conversation__external_id=conversation, message_ids__contains=[message]
        )
        found |= set(rows.values_list("pk", flat=True))
    return found


def text_in(line: dict[str, Any], name: str, least: int = 1) -> str:
    """Return a text of a line. Raises InputError."""
    value = line.get(name)
    if not isinstance(value, str) or not least <= len(value) <= LONGEST_VALUE:
        raise InputError(f"{name} is missing, no text, or too long")
    return value


def time_in(line: Line, name: str) -> datetime | None:
    """Return a time of a line, None where there is none. Raises InputError."""
    value = line.get(name)
    try:
        at = None if value is None else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is no time") from None
    if at and (at.tzinfo is None or not 1900 <= at.year < 2200):
        raise InputError(f"{name} has no time zone, or is not between 1900 and 2200")
    return at


def day_in(line: Line) -> date | None:
    """Return the day of a line, None where there is none. Raises InputError."""
    try:
        return None if line.get("day") is None else date.fromisoformat(line["day"])
    except (TypeError, ValueError):
        raise InputError("day is no date") from None
