"""What a story is made of: the memories of its episode as they were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from memories.models import UNEXPIRED, Conversation, Memory
from memories.payload import OpenedMemory, local_time, open_memories
from stories.building.corrections import KeptCorrection, kept_correction
from stories.entities import services as entities
from stories.models import Story
from stories.processors.base import Message, Transcript
from stories.processors.offline.names.candidates import possible_names
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import get_owned
from vibe.core.db.statements import bulk
from vibe.core.errors import NotFound

MEMBERS: Final = (
    "SELECT DISTINCT m.id, m.revision FROM passages p JOIN encrypted_memories m "
    "ON m.user_id = p.user_id AND m.id = p.memory_id WHERE p.user_id = %b AND m.user_id = %b AND p.story_id = %b "
    "AND (m.expires_at IS NULL OR m.expires_at > statement_timestamp())"
)
MOST_MEMORIES: Final = 400
MOST_BYTES: Final = 4 * 1024 * 1024
"""What a story is made of at most, in sealed bytes: what comes late makes a closed episode as long as anybody likes."""
IN_ORDER: Final = (
    "SELECT id, revision, number = 1 OR (number <= %b AND bytes <= %b) FROM ("  # noqa: S608
    "SELECT id, revision, row_number() OVER said AS number, sum(octet_length(payload)) OVER said AS bytes "
    f"FROM encrypted_memories WHERE user_id = %b AND id = ANY(%b) AND {UNEXPIRED} "
    "WINDOW said AS (ORDER BY occurred_at, id)) AS members ORDER BY number"
)


@dataclass(frozen=True, slots=True)
class Source:
    """An episode as it was read, with at least one memory, and those that its story is made of, opened.

    It does not print.
    """

    story_id: UUID
    story_revision: int
    memories: list[OpenedMemory]
    revisions: dict[UUID, int]
    """Of every memory of the episode, in order."""
    kept: KeptCorrection | None
    """What stays of the story."""
    title: str = field(repr=False)
    """Of the conversation, which was at `conversation_revision`."""
    conversation_revision: int
    known_people: frozenset[str] = field(repr=False)
    known_places: frozenset[str] = field(repr=False)

    def transcript(self) -> Transcript | None:
        """Return what a processor is given, the id of a message being its memory's; None if nothing was written."""
        messages = tuple(
            Message(
                str(memory.id),
                memory.payload.author,
                memory.payload.text,
                local_time(memory.occurred_at, memory.payload.utc_offset),
            )
            for memory in self.memories
            if memory.payload.text.strip()
        )
        return Transcript(self.title, messages, self.known_people, self.known_places) if messages else None


def read(user_id: UUID, story: Story, vault: Vault) -> Source | None:
    """Return an episode and what was said in it, in order; None if it has no memory.

    Of a very long one the first memories are opened, MOST_MEMORIES and MOST_BYTES of them at most.
    """
    ordered = bulk.run(IN_ORDER, [MOST_MEMORIES, MOST_BYTES, user_id, list(members(user_id, story.pk))])
    if not ordered:
        return None
    revisions = {memory_id: revision for memory_id, revision, _ in ordered}
    opened = [memory_id for memory_id, _, is_opened in ordered if is_opened]
    rows = list(Memory.objects.of(user_id).filter(pk__in=opened).order_by("occurred_at", "id"))
    conversation = get_owned(Conversation, user_id, story.conversation_id)
    title = conversation.title if conversation else None
    memories = open_memories(rows, vault)
    known = entities.known(story, vault, possible_names(memory.payload.text for memory in memories))
    return Source(
        story.pk,
        story.revision,
        memories,
        revisions,
        kept_correction(story, vault, revisions),
        vault.open(title, address_of(conversation, "title")) if conversation and title else "",
        conversation.revision if conversation else 0,
        known[entities.KIND.PERSON],
        known[entities.KIND.PLACE],
    )


def is_as_read(source: Source, story: Story) -> bool:
    """Return whether what an episode was made of stands yet: its memories, its corrections, and the title above it."""
    conversation = Conversation.objects.of(story.user_id).filter(pk=story.conversation_id)
    titled = conversation.values_list("revision", flat=True).first()
    now = members(story.user_id, story.pk)
    return (story.revision, titled or 0) == (source.story_revision, source.conversation_revision) and (
        source.revisions.items() <= now.items()
    )


def members(user_id: UUID, story_id: UUID) -> dict[UUID, int]:
    """Return the memories of an episode, each with its revision."""
    return dict(bulk.run(MEMBERS, [user_id, user_id, story_id]))  # type: ignore[arg-type]


def no_such_story() -> NotFound:
    """Return the same error for a story that is not there and for one that is somebody else's."""
    return NotFound("There is no such story.")


def story_at(user_id: UUID, story_id: UUID) -> Story:
    """Return a person's story as it is now, without its vector. Raises NotFound."""
    story = get_owned(Story, user_id, story_id, without=("embedding",))
    if story is None:
        raise no_such_story()
    return story


def hold_story(user_id: UUID, story_id: UUID) -> Story:
    """Return a person's story, kept as it is until the transaction ends; memories may be added. Raises NotFound."""
    rows = Story.objects.of(user_id).filter(pk=story_id).defer("embedding").select_for_update(no_key=True)
    story: Story | None = rows.first()
    if story is None:
        raise no_such_story()
    return story
