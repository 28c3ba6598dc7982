"""What a story is made of: a conversation as it was read, and how one knows that it has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from memories.models import Conversation, Memory
from memories.payload import OpenedMemory, open_memories
from stories.building.corrections import Kept, kept
from stories.models import Story
from stories.processors.base import Message, Transcript
from stories.processors.configured import processor_id
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.lookup import get_owned
from vibe.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Source:
    """A conversation as it was read, opened, with at least one memory. It does not print.

    Memories without a text, such as pictures, are left out: a story is built from texts.
    """

    conversation_id: UUID
    memories: list[OpenedMemory]
    revisions: list[int]
    fingerprint: str
    story_revision: int
    """Of the story that is there already; 0 for none."""
    kept: Kept | None
    """What stays of it."""
    title: str = field(repr=False)

    def transcript(self) -> Transcript:
        """What a processor is given. A message's id there is its memory's."""
        return Transcript(
            self.title,
            tuple(
                Message(str(memory.id), memory.payload.author, memory.payload.text, memory.occurred_at)
                for memory in self.memories
            ),
        )


def read(user_id: UUID, conversation_id: UUID, vault: Vault) -> Source | None:
    """A conversation and what was said in it, in order; None if there is no such conversation, or no text in it."""
    conversation = Conversation.objects.of(user_id).filter(pk=conversation_id).first()
    rows = list(Memory.objects.of(user_id).filter(conversation_id=conversation_id).order_by("occurred_at", "id"))
    memories = [memory for memory in open_memories(rows, vault) if memory.payload.text]
    if conversation is None or not memories:
        return None
    said = {memory.id for memory in memories}
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id).defer("embedding").first()
    return Source(
        conversation_id,
        memories,
        [row.revision for row in rows if row.pk in said],
        digest(conversation.revision, ((row.pk, row.revision) for row in rows)),
        story.revision if story else 0,
        kept(story, vault, {row.pk for row in rows}) if story else None,
        vault.open(conversation.title, address_of(conversation, "title")) if conversation.title else "",
    )


def fingerprint(user_id: UUID, conversation_id: UUID) -> str:
    """What a story of the conversation would be made of now; empty if there is nothing to tell."""
    revision = Conversation.objects.of(user_id).filter(pk=conversation_id).values_list("revision", flat=True).first()
    rows = list(
        Memory.objects.of(user_id)
        .filter(conversation_id=conversation_id)
        .order_by("occurred_at", "id")
        .values_list("id", "revision")
    )
    return digest(revision, rows) if revision is not None and rows else ""


def digest(revision: int, memories: Iterable[tuple[UUID, int]]) -> str:
    """What goes into a story, and what tells it: equal digests give equal stories. 32 hex digits.

    What makes its vectors is not among it: those of all stories of a person are exchanged at once, see reembedding.
    """
    made = hashlib.sha256(f"{processor_id()} {revision}".encode())
    for row_id, memory_revision in memories:
        made.update(row_id.bytes + memory_revision.to_bytes(8, "big"))
    return made.hexdigest()[:32]


def hold(user_id: UUID, conversation_id: UUID) -> bool:
    """Keep the conversation as it is, with nothing added, until the transaction ends. Whether it is there."""
    rows = Conversation.objects.of(user_id).filter(pk=conversation_id).select_for_update()
    return rows.values_list("pk").first() is not None


def story_at(user_id: UUID, story_id: UUID) -> Story:
    """A person's story as it is now, without its vector. Raises NotFound."""
    story = get_owned(Story, user_id, story_id, without=("embedding",))
    if story is None:
        raise NotFound("There is no such story.")
    return story
