"""What a person corrected in a story, brought back from an export of theirs; the rest of the story is told anew."""

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
from stories.building.corrections import LONGEST, SEARCHED, Changes, Kept
from stories.building.sources import hold_story
from stories.corrections.services.correcting import Correction, write
from stories.index.services import index_pending
from stories.models import Passage, SearchSet
from stories.processors.base import Event
from stories.sealed_story import open_draft
from vibe.core.db.scopes import as_user
from vibe.core.errors import InputError

Memories = Mapping[str, tuple[UUID, datetime]]  # by message id, within one conversation


def restore_correction(user_id: UUID, line: Line, *, actor: Actor) -> bool:
    """Bring a correction back, in the story of the episode that holds all it was made from; the rest is built again.

    Return whether there was anything to bring back. A story that is corrected here already stays as it is. Raises
    InputError; also where no one episode holds all of it.
    """
    if not line.get("corrected"):
        return False
    at = time_of(line)
    with as_user(user_id):
        vault = open_vault()
        conversation_id = conversation_of(user_id, line)
        memories = memories_of(user_id, conversation_id)
        given = given_by(line, memories)
        made_from = made_over(line, memories)
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        story = hold_story(user_id, episode_of(user_id, made_from))
        if story.corrected:
            return False
        kept = Kept(
            tuple(name for name in LONGEST if name in given), made_from, at, replace(open_draft(story, vault), **given)
        )
        searched = bool(given.keys() & SEARCHED)
        correction = Correction(story.revision, kept, "text" in given, searched, kept.passage())
        write(SearchSet.objects.of(user_id).get(), story, correction, None, vault)
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
    """The conversation that was told."""
    name = line.get("conversation")
    rows = Conversation.objects.of(user_id).filter(external_id=name) if isinstance(name, str) else ()
    for row in rows:
        return UUID(str(row.pk))
    raise InputError("is a story of a conversation that is not there")


def memories_of(user_id: UUID, conversation_id: UUID) -> Memories:
    """What was said in it, by each id that a message goes by."""
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id)
    return {
        name: (row_id, at)
        for row_id, names, at in rows.values_list("pk", "message_ids", "occurred_at")
        for name in names
    }


def made_over(line: Line, memories: Memories) -> frozenset[UUID]:
    """What the story had been told from when it was corrected: gone with any of these, as it would have been there."""
    names = line.get("corrected_from")
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name in memories for name in names)
    ):
        raise InputError("corrected_from names a message that is not there, or is missing")
    return frozenset(memories[name][0] for name in names)


def given_by(line: Line, memories: Memories) -> dict[str, Any]:
    """The fields that were corrected."""
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
    """An event, with the memory that tells of it where that is there."""
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
    """When it was corrected."""
    try:
        at = datetime.fromisoformat(line["corrected_at"])
    except (KeyError, TypeError, ValueError):
        raise InputError("corrected_at is missing or no time") from None
    if at.tzinfo is None or not 1900 <= at.year < 2200:
        raise InputError("corrected_at has no time zone, or is not between 1900 and 2200")
    return at
