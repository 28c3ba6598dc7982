"""What happens to stories. Each verb is one transaction: check, change, record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.services import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Conversation, Memory
from memories.services import CONVERSATIONS, OpenedMemory, open_memories
from stories import entities
from stories.blinding import array_text, blind_phrases, blind_words, cloaked, speaker_token
from stories.models import Passage, SearchSet, Story
from stories.passages import PassageText, passages
from stories.processors.base import Draft, Event, Message, Transcript
from stories.processors.embedding import Vectors
from stories.providers import embedder, processor, processor_id
from vibe.crypto.fields import address_of
from vibe.crypto.vault import Vault
from vibe.db import bulk
from vibe.db.contexts import as_user
from vibe.db.owned import uuid7
from vibe.errors import NotFound

SEALED = ("title", "text", "people", "places", "events")
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Source:
    """A conversation as it was read, opened. It does not print."""

    conversation: Conversation
    memories: list[OpenedMemory]
    fingerprint: str
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


@dataclass(frozen=True, slots=True)
class Told:
    """A story before it is stored: made outside any transaction, since making it may take long."""

    draft: Draft = field(repr=False)
    passages: list[PassageText] = field(repr=False)
    vectors: Vectors = field(repr=False)


def build_story(*, user_id: UUID, conversation_id: UUID, actor: Actor) -> bool:
    """Tell a conversation: story and passages replaced as one, or removed where nothing is left to tell.

    Whether anything changed. Reading, making and storing are three steps; if the conversation changes while its story
    is made, it is made again.
    """
    for _ in range(ATTEMPTS):
        with as_user(user_id):
            source = read(user_id, conversation_id, open_vault())
            if source is None or not source.memories:
                return remove_story(user_id, conversation_id, actor)
            if Story.objects.of(user_id).filter(conversation_id=conversation_id, fingerprint=source.fingerprint).exists():
                return False
        told = tell(source)
        with as_user(user_id):
            vault = open_vault()
            held = hold(user_id, conversation_id)
            if held and fingerprint(user_id, conversation_id) == source.fingerprint:
                store(user_id, source, told, vault)
                record(
                    actor=actor,
                    action="story.build",
                    subject=user_id,
                    resource=f"conversations/{conversation_id}",
                    details={"passages": len(told.passages)},
                )
                return True
    raise NotFound(f"Conversation {conversation_id} kept changing while its story was made. Build it again later.")


def tell(source: Source) -> Told:
    """Compose and embed. The story's own vector is that of its text."""
    transcript = source.transcript()
    draft = processor().compose(transcript)
    made = passages(transcript.messages)
    vectors = embedder().embed([draft.text, *(passage.embedded for passage in made)])
    return Told(draft, made, vectors)


def read(user_id: UUID, conversation_id: UUID, vault: Vault) -> Source | None:
    """A conversation and what was said in it, in order; None if there is no such conversation."""
    conversation = Conversation.objects.of(user_id).filter(pk=conversation_id).first()
    if conversation is None:
        return None
    memories = list(Memory.objects.of(user_id).filter(conversation_id=conversation_id).order_by("occurred_at", "id"))
    title = vault.open(conversation.title, address_of(conversation, "title")) if conversation.title else ""
    return Source(conversation, open_memories(memories, vault), fingerprint(user_id, conversation_id), title)


def fingerprint(user_id: UUID, conversation_id: UUID) -> str:
    """What a story was made of, and by what: equal fingerprints give equal stories."""
    rows = Memory.objects.of(user_id).filter(conversation_id=conversation_id).order_by("occurred_at", "id")
    digest = hashlib.sha256(f"{processor_id()} {embedder().name}".encode())
    for row_id, revision in rows.values_list("id", "revision"):
        digest.update(row_id.bytes + revision.to_bytes(8, "big"))
    return digest.hexdigest()[:32]


def hold(user_id: UUID, conversation_id: UUID) -> bool:
    """Keep the conversation as it is until the transaction ends. Whether it is there."""
    rows = Conversation.objects.of(user_id).filter(pk=conversation_id).select_for_update()
    return rows.values_list("pk").first() is not None


def store(user_id: UUID, source: Source, told: Told, vault: Vault) -> None:
    """Replace the story of a conversation. Its id stays, so that what points to it keeps pointing."""
    search_set = hold_search_set(user_id)
    conversation_id = source.conversation.pk
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id).first()
    is_new = story is None
    story = story or Story(id=uuid7(), user_id=user_id, conversation_id=conversation_id, revision=0)
    fill(story, source, told, vault, search_set)
    story.save(force_insert=is_new)
    before = drop_passages(user_id, story.pk)
    insert_passages(story, source, told, vault)
    names = {
        entities.KIND.SPEAKER: source.transcript().participants,
        entities.KIND.PERSON: told.draft.people,
        entities.KIND.PLACE: told.draft.places,
        entities.KIND.EVENT: [event_line(event) for event in told.draft.events],
    }
    entities.remember(user_id, vault, {kind.value: given for kind, given in names.items()})
    if not is_new:
        entities.forget_unused(user_id)
    count_set(search_set, [passage.length for passage in told.passages], before)


def fill(story: Story, source: Source, told: Told, vault: Vault, search_set: SearchSet) -> None:
    """Put a draft into the columns of a story, sealed and blinded, under its next revision."""
    draft = told.draft
    story.revision += 1
    clear = {
        "title": draft.title,
        "text": draft.text,
        "people": json.dumps(draft.people, ensure_ascii=False),
        "places": json.dumps(draft.places, ensure_ascii=False),
        "events": json.dumps([event_values(event) for event in draft.events], ensure_ascii=False),
    }
    for column in SEALED:
        setattr(story, column, vault.seal(clear[column], address_of(story, column)))
    story.people_index = blind_phrases(vault, "person", draft.people)
    story.places_index = blind_phrases(vault, "place", draft.places)
    story.events_index = blind_phrases(vault, "event", [event_line(event) for event in draft.events])
    story.occurred_from, story.occurred_to = draft.occurred_from, draft.occurred_to
    story.memory_ids = [memory.id for memory in source.memories]
    story.embedding = cloaked(vault, told.vectors[:1])[0]
    story.in_graph = search_set.in_graph
    story.processor, story.embedder = processor_id(), embedder().name
    story.fingerprint = source.fingerprint
    story.built_at = timezone.now()


def insert_passages(story: Story, source: Source, told: Told, vault: Vault) -> None:
    """One row a message, all in one statement."""
    made, count = told.passages, len(told.passages)
    words = blind_words(vault, made)
    speakers = {name: speaker_token(vault, name) for name in {memory.payload.author for memory in source.memories}}
    bulk.insert(
        Passage._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in made]),
            "user_id": ("uuid", [story.user_id] * count),
            "story_id": ("uuid", [story.pk] * count),
            "memory_id": ("uuid", [UUID(passage.message_id) for passage in made]),
            "position": ("int4", [passage.position for passage in made]),
            "speaker": ("int8", [speakers[memory.payload.author] for memory in source.memories]),
            "words": ("text::bigint[]", [array_text(tokens) for tokens in words]),
            "counts": ("text::smallint[]", [array_text(tokens.values()) for tokens in words]),
            "length": ("int4", [passage.length for passage in made]),
            "occurred_at": ("timestamptz", [memory.occurred_at for memory in source.memories]),
            "embedding": ("text::halfvec", cloaked(vault, told.vectors[1:])),
            "in_graph": ("bool", [story.in_graph] * count),
        },
    )


def remove_story(user_id: UUID, conversation_id: UUID, actor: Actor) -> bool:
    """Take away the story of a conversation that has nothing left to tell. Whether there was one."""
    search_set = hold_search_set(user_id)
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id).only("pk", "user_id").first()
    if story is None:
        return False
    before = drop_passages(user_id, story.pk)
    story.delete()
    entities.forget_unused(user_id)
    count_set(search_set, [], before)
    record(actor=actor, action="story.remove", subject=user_id, resource=f"conversations/{conversation_id}")
    return True


def drop_passages(user_id: UUID, story_id: UUID) -> list[int]:
    """Delete a story's passages; gives their lengths."""
    deleted = bulk.run(
        "DELETE FROM passages WHERE user_id = %b AND story_id = %b RETURNING length", [user_id, story_id]
    )
    return [length for (length,) in deleted]


def hold_search_set(user_id: UUID) -> SearchSet:
    """The person's search set, made if it is not there, and kept from others until the transaction ends."""
    bulk.run(
        "INSERT INTO search_sets (id, user_id, passages, words, in_graph, embedder) VALUES (%b, %b, 0, 0, false, %b) "
        "ON CONFLICT (user_id) DO NOTHING",
        [uuid7(), user_id, embedder().name],
    )
    held: SearchSet = SearchSet.objects.of(user_id).select_for_update().get()
    return held


def count_set(search_set: SearchSet, added: Sequence[int], removed: Sequence[int]) -> None:
    """Keep the counts that search chooses its strategy and weighs its words by."""
    SearchSet.objects.of(search_set.user_id).update(
        passages=F("passages") + len(added) - len(removed), words=F("words") + sum(added) - sum(removed)
    )


def settle_graph(*, user_id: UUID, actor: Actor) -> bool:
    """Move a person's set into the shared graph, or out of it, when its size says so. Whether it moved.

    One transaction: no search ever sees half a set. A set leaves only well below the size at which it enters, so that
    one that hovers there is not moved to and fro.
    """
    with as_user(user_id):
        search_set = hold_search_set(user_id)
        most = settings.SEARCH_EXACT_UP_TO
        belongs = search_set.passages > (most // 2 if search_set.in_graph else most)
        if belongs == search_set.in_graph:
            return False
        for model in (Passage, Story):
            model.objects.of(user_id).update(in_graph=belongs)
        SearchSet.objects.of(user_id).update(in_graph=belongs)
        record(
            actor=actor, action="search_set.move", subject=user_id, resource="search_sets", details={"in_graph": belongs}
        )
    return True


def event_values(event: Event) -> dict[str, str | None]:
    """An event as it is sealed."""
    when = event.when.isoformat() if event.when else None
    return {"who": event.who, "what": event.what, "when": when, "precision": event.precision, "memory": event.message_id}


def event_line(event: Event) -> str:
    """An event as one reads it: who did what."""
    return f"{event.who} {event.what}".strip()
