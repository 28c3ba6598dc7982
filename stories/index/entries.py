"""What search needs of memories: made before anything is locked, written in the transaction that adds them.

read what they follow → words → vectors → (their conversation is locked) → episodes → passages
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from pgvector import HalfVector

from accounts.keys.services.data_keys import data_keys, vault_of
from memories.index import SaidMemory
from memories.models import UNEXPIRED, Memory
from memories.payload import local_time, open_memories
from memories.roles import Role, role_of
from stories.entities import services as entities
from stories.facts.rules.reading import read_statements
from stories.facts.statements import Statement, may_state, of_speaker
from stories.facts.storing import insert_statements
from stories.index.episodes import Episode, Timeline
from stories.index.pending import make_pending
from stories.models import Passage, SearchSet, Story
from stories.processors.base import Message
from stories.processors.configured import EmbedderFailed, embed, embedder, embedder_named
from stories.processors.fenced import embed_many
from stories.text.passages import (
    PassageText,
    array_text,
    asks,
    blind_words,
    cloaked,
    length_class,
    metadata_index,
    passages,
    replies,
    speaker_token,
)
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, current_connection, execute_batch
from vibe.core.db.statements.batching import Statement as Query

MOST_PARTS: Final = 16
"""Parts that are indexed within a request; a job takes more."""
MOST_CHARACTERS: Final = 65_536
"""Characters that are indexed within a request."""
FORM: Final = 2
"""How words, parts and vectors are made. Raised when that changes: `reindex` makes those of an earlier form anew."""

SET: Final = "SELECT id, user_id, passages, words, in_graph, embedder, model FROM search_sets WHERE user_id = %s"
SET_COLUMNS: Final = ("id", "user_id", "passages", "words", "in_graph", "embedder", "model")
BEFORE: Final = (
    "SELECT id, message_ids, role, payload, occurred_at, revision FROM encrypted_memories "  # noqa: S608
    f"WHERE user_id = %s AND conversation_id = %s AND (occurred_at, id) < (%s, %s) AND {UNEXPIRED} "
    "ORDER BY occurred_at DESC, id DESC LIMIT 1"
)
BEFORE_COLUMNS: Final = ("id", "message_ids", "role", "payload", "occurred_at", "revision")
OPEN: Final = (
    "SELECT id, occurred_from, occurred_to FROM stories WHERE user_id = %s AND conversation_id = %s AND is_open"
)
LAST_END: Final = "SELECT max(occurred_to) FROM stories WHERE user_id = %s AND conversation_id = %s AND NOT is_open"
REVISIONS: Final = "SELECT id, revision FROM encrypted_memories WHERE user_id = %s AND id = ANY(%s)"
AROUND: Final = (
    "SELECT id, occurred_from, occurred_to FROM stories WHERE user_id = %b AND conversation_id = %b AND NOT is_open "
    "AND occurred_from <= %b AND occurred_to >= %b ORDER BY occurred_from DESC, id DESC LIMIT 1"
)
# One that waited for its closing alone (stories.index.dividing.closing_at) is not built again.
ADD_TO_EPISODE: Final = (
    "UPDATE stories SET memory_count = memory_count + %s, occurred_from = least(occurred_from, %s), "
    "occurred_to = greatest(occurred_to, %s), is_open = %s, due_at = CASE "
    "WHEN NOT %s AND due_at = built_at + %s AND memory_count + %s = cardinality(memory_ids) THEN NULL "
    "WHEN failure <> '' OR due_at <= %s THEN due_at "
    "WHEN memory_count + %s >= %s OR memory_count + %s >= greatest(5, 2 * cardinality(memory_ids)) THEN %s "
    "WHEN NOT %s OR cardinality(memory_ids) = 0 THEN %s ELSE %s END "
    "WHERE user_id = %s AND id = %s"
)


@dataclass(frozen=True, slots=True)
class Context:
    """The memory whose end is part of a vector, at the revision at which it was read."""

    id: UUID
    revision: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A memory with its parts, blind and cloaked."""

    memory: SaidMemory
    context: Context | None
    speaker: int
    metadata: list[int] | None
    texts: list[PassageText] = field(repr=False)
    tokens: list[list[int]] = field(repr=False)
    vectors: list[HalfVector | None] = field(repr=False)
    statements: list[Statement] = field(repr=False)
    """Of facts, that its speaker made."""
    embedded: bool
    """Whether its vectors are there; else a job makes them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a changed memory stood: it stays in its story, or outside of any, unless its time has changed."""

    episode: Episode | None
    occurred_at: datetime


@dataclass(slots=True)
class Entries:
    """Entries of memories of one conversation, in order of time. `later` are for a job to make."""

    user_id: UUID
    made: list[Entry]
    later: list[UUID]
    model: int

    def reads(self) -> list[Query]:
        """Return the statements that read episodes, the search set and what vectors were made with."""
        if not self.made:
            return []
        conversation_id = self.made[0].memory.conversation_id
        return [
            (OPEN, [self.user_id, conversation_id]),
            (LAST_END, [self.user_id, conversation_id]),
            (SET, [self.user_id]),
            (REVISIONS, [self.user_id, [each.context.id for each in self.made if each.context]]),
        ]

    def write(self, vault: Vault, roles: Mapping[UUID, str], found: Sequence[Rows], instead_of: object = None) -> None:
        """Place the memories in episodes, and insert their passages."""
        if self.made:
            placed = instead_of if isinstance(instead_of, Placed) else None
            write_entries(self, vault, roles, found, placed)
        if self.later:
            make_pending(self.user_id, self.later)


def prepare_entries(user_id: UUID, memories: Sequence[SaidMemory]) -> Entries:
    """Make entries of memories of one conversation; what would take long is left to a job.

    Raises DataKeyMissing for a person whose data key is destroyed.
    """
    ordered = sorted(memories, key=lambda each: (each.occurred_at, each.id))
    if len(ordered) > MOST_PARTS or sum(len(each.payload.text) for each in ordered) > MOST_CHARACTERS:
        return Entries(user_id, [], [each.id for each in ordered], 0)
    first = ordered[0]
    keys, before, sets = execute_batch(
        data_keys(user_id),
        (BEFORE, [user_id, first.conversation_id, first.occurred_at, first.id]),
        (SET, [user_id]),
    )
    search_set = next(iter(bulk.as_models(SearchSet, SET_COLUMNS, sets)), None)
    vault = vault_of(user_id, keys, to_process=True)
    previous = [
        SaidMemory(opened.id, first.conversation_id, row.revision, opened.occurred_at, None, opened.payload, row.role)
        for row in bulk.as_models(Memory, BEFORE_COLUMNS, before)
        for opened in open_memories([row], vault)
    ]
    befores = [previous[0] if previous else None, *ordered]
    return make_entries(vault, list(zip(ordered, befores, strict=False)), search_set, most=MOST_PARTS)


def make_entries(
    vault: Vault,
    following: Sequence[tuple[SaidMemory, SaidMemory | None]],
    search_set: SearchSet | None,
    *,
    most: int | None = None,
    wait: bool = False,
) -> Entries:
    """Make the entries of memories in order of time, each given with the one that it follows.

    More than `most` parts are left to a job. A model that is elsewhere is asked only by one that may `wait`; without
    vectors the words are there at once, and the rest is left to a job.
    """
    texts: list[tuple[SaidMemory, Context | None, list[PassageText]]] = []
    for memory, before in following:
        message, previous = message_of(memory), message_of(before) if before else None
        if before and previous and not gives_context(before, previous):
            previous = None
        context = Context(before.id, before.revision) if before and replies(message, previous) else None
        texts.append((memory, context, passages(message, previous)))
    user_id, generation = vault.user_id, search_set.model if search_set else 0
    parts = [part for _, _, each in texts for part in each]
    if most is not None and len(parts) > most:
        return Entries(user_id, [], [memory.id for memory, _ in following], generation)
    tokens = iter(blind_words(vault, parts))
    vectors = vectors_of(vault, parts, search_set, wait=wait)
    cloaks = iter(vectors or [None] * len(parts))
    speakers = {name: speaker_token(vault, name) for name in {memory.payload.author for memory, _ in following}}
    made = [
        Entry(
            memory,
            context if vectors else None,
            speakers[memory.payload.author],
            metadata_index(vault, memory.payload.metadata),
            each,
            [next(tokens) for _ in each],
            [next(cloaks) for _ in each],
            read_statements(memory.payload.text, said_at(memory)) if may_state(memory.role) else [],
            vectors is not None or not memory.payload.text.strip(),
        )
        for memory, context, each in texts
    ]
    later = [entry.memory.id for entry in made if not entry.embedded]
    return Entries(user_id, made, later, generation)


def gives_context(memory: SaidMemory, message: Message) -> bool:
    """Return whether what follows a memory is embedded with it: of what an assistant says, only its questions.

    An assistant repeats what it was told; in the vector of the next thing said, that would be found once more.
    """
    role = memory.role or role_of(memory.payload.author)
    return role not in {Role.ASSISTANT, Role.TOOL, Role.SYSTEM} or asks(message.text.strip())


def message_of(memory: SaidMemory) -> Message:
    """Return a memory as what makes words of it reads it."""
    return Message(str(memory.id), memory.payload.author, memory.payload.text, said_at(memory))


def said_at(memory: SaidMemory) -> datetime:
    """Return when a memory was said, in the time zone of its speaker."""
    return local_time(memory.occurred_at, memory.payload.utc_offset)


def vectors_of(
    vault: Vault, parts: Sequence[PassageText], search_set: SearchSet | None, *, wait: bool
) -> list[HalfVector | None] | None:
    """Return the cloaked vectors of parts; None if the person's model cannot be asked now.

    Raises EmbedderFailed only for one that may `wait`.
    """
    model = embedder_named(search_set.embedder) if search_set and search_set.embedder else embedder()
    if model is None or not (wait or getattr(model, "in_process", False)):
        return None
    try:
        make = embed_many if wait else embed
        return cloaked(vault, make([part.embedded for part in parts], model))
    except EmbedderFailed:
        if wait:
            raise
        return None


def write_entries(
    entries: Entries, vault: Vault, roles: Mapping[UUID, str], found: Sequence[Rows], placed: Placed | None
) -> None:
    """Place memories in episodes and insert their passages, with their conversation locked."""
    user_id, made = entries.user_id, entries.made
    conversation_id = made[0].memory.conversation_id
    open_, [[last_end]], sets, revisions = found
    search_set = next(iter(bulk.as_models(SearchSet, SET_COLUMNS, sets)), None)
    if search_set is None:
        make_search_set(user_id)
    drop = made if search_set and search_set.model != entries.model else without_context(made, dict(revisions))
    timeline = Timeline(
        next((Episode(row[0], row[1], row[2], is_open=True) for row in open_), None),
        gap=timedelta(minutes=settings.EPISODE_GAP_MINUTES),
        last_end=last_end,
        closed_around=lambda at: closed_around(user_id, conversation_id, at),
    )
    stories: list[UUID | None]
    if placed and (placed.episode is None or placed.occurred_at == made[0].memory.occurred_at):
        stories = [placed.episode.id if placed.episode else None]
        if placed.episode:
            placed.episode.add(placed.occurred_at)
            timeline.touched[placed.episode.id] = placed.episode
    else:
        stories = [timeline.place(each.memory.occurred_at).id for each in made]
    write_episodes(user_id, conversation_id, timeline.touched.values())
    insert_passages(user_id, made, stories, roles, entries.model, without_vectors={each.memory.id for each in drop})
    insert_statements(user_id, vault, stated(made, roles))
    entities.remember(user_id, vault, {entities.KIND.SPEAKER.value: {each.memory.payload.author for each in made}})
    make_pending(user_id, [each.memory.id for each in drop if each.embedded])


def stated(made: Iterable[Entry], roles: Mapping[UUID, str]) -> list[tuple[UUID, Statement]]:
    """Return the statements of facts in memories, each with its memory, as those of whoever said it."""
    return [
        (each.memory.id, said)
        for each in made
        for said in of_speaker(each.statements, each.memory.payload.author, roles[each.memory.id])
    ]


def without_context(made: Iterable[Entry], revisions: Mapping[UUID, int]) -> list[Entry]:
    """Return the entries whose context was changed or deleted since it was read: their vectors hold what is gone."""
    return [each for each in made if each.context and revisions.get(each.context.id) != each.context.revision]


def closed_around(user_id: UUID, conversation_id: UUID, at: datetime) -> Episode | None:
    """Return the closed episode of a conversation whose span holds a moment."""
    rows = bulk.run(AROUND, [user_id, conversation_id, at, at])
    return next((Episode(row[0], row[1], row[2], is_open=False) for row in rows), None)


def write_episodes(user_id: UUID, conversation_id: UUID, touched: Iterable[Episode]) -> None:
    """Insert new episodes and count memories into those that were there; each goes with the next statement."""
    now = timezone.now()
    quiet, gap = timedelta(seconds=settings.STORY_QUIET_SECONDS), timedelta(minutes=settings.EPISODE_GAP_MINUTES)
    connection = current_connection()
    for each in sorted(touched, key=lambda episode: episode.is_open):  # the one that closes makes room for the next
        if each.is_new:
            full = not each.is_open or each.added >= settings.EPISODE_MEMORIES
            bulk.insert(
                Story._meta.db_table,
                {
                    "id": ("uuid", [each.id]),
                    "occurred_from": ("timestamptz", [each.began]),
                    "occurred_to": ("timestamptz", [each.ended]),
                    "memory_count": ("int4", [each.added]),
                    "is_open": ("bool", [each.is_open]),
                    "due_at": ("timestamptz", [now if full else now + quiet]),
                },
                same={"user_id": ("uuid", user_id), "conversation_id": ("uuid", conversation_id), **EMPTY},
                later=True,
            )
        else:
            size = each.added
            connection.hold(
                ADD_TO_EPISODE,
                [
                    *(size, each.began, each.ended, each.is_open),
                    *(each.is_open, gap, size),
                    *(now, size, settings.EPISODE_MEMORIES, size, now, each.is_open, now + quiet, now + gap),
                    *(user_id, each.id),
                ],
            )


EMPTY: Final[dict[str, tuple[str, Any]]] = {
    **{f"{kind}_index": ("text::bigint[]", "{}") for kind in ("people", "places", "events")},
    "memory_ids": ("text::uuid[]", "{}"),
    "passage_count": ("int4", 0),
    "word_count": ("int4", 0),
    "in_graph": ("bool", False),
    "processor": ("text", ""),
    "embedder": ("text", ""),
    "tries": ("int4", 0),
    "failure": ("text", ""),
    "revision": ("int4", 1),
}
"""The columns of a story that is not built yet."""


def insert_passages(
    user_id: UUID,
    made: Sequence[Entry],
    stories: Sequence[UUID | None],
    roles: Mapping[UUID, str],
    model: int,
    *,
    without_vectors: set[UUID] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Insert the passages of memories, in one statement; a few are sent with the next statement."""
    rows = [
        (entry, story, at, None if entry.memory.id in without_vectors else entry.vectors[at])
        for entry, story in zip(made, stories, strict=True)
        for at in range(len(entry.texts))
    ]
    bulk.insert(
        Passage._meta.db_table,
        {
            "id": ("uuid", [uuid7() for _ in rows]),
            "story_id": ("uuid", [story for _, story, _, _ in rows]),
            "memory_id": ("uuid", [entry.memory.id for entry, *_ in rows]),
            "memory_revision": ("int4", [entry.memory.revision for entry, *_ in rows]),
            "part": ("int2", [entry.texts[at].part for entry, _, at, _ in rows]),
            "context": ("uuid", [context_id(entry, at, vector) for entry, _, at, vector in rows]),
            "role": ("text", [roles[entry.memory.id] for entry, *_ in rows]),
            "speaker": ("int8", [entry.speaker for entry, *_ in rows]),
            "metadata_index": (
                "text::bigint[]",
                [entry.metadata and array_text(entry.metadata) for entry, *_ in rows],
            ),
            "words": ("text::bigint[]", [array_text(entry.tokens[at]) for entry, _, at, _ in rows]),
            "length": ("int4", [length_class(entry.texts[at].length) for entry, _, at, _ in rows]),
            "occurred_at": ("timestamptz", [entry.memory.occurred_at for entry, *_ in rows]),
            "expires_at": ("timestamptz", [entry.memory.expires_at for entry, *_ in rows]),
            "embedding": ("halfvec", [vector for *_, vector in rows]),
        },
        same={
            "user_id": ("uuid", user_id),
            "conversation_id": ("uuid", made[0].memory.conversation_id),
            "model": ("int2", model),
            "form": ("int2", FORM),
            "in_graph": ("bool", False),
        },
        later=True,
    )


def context_id(entry: Entry, part: int, vector: HalfVector | None) -> UUID | None:
    """Return the memory whose end is in the vector of a part: of the first alone, and where there is a vector."""
    return entry.context.id if entry.context and vector is not None and part == 0 else None


def make_search_set(user_id: UUID) -> None:
    """Insert the person's search set, unless another transaction did."""
    current_connection().hold(
        "INSERT INTO search_sets (id, user_id, passages, words, in_graph, embedder, model) "
        "VALUES (%s, %s, 0, 0, false, %s, 0) ON CONFLICT (user_id) DO NOTHING",
        [uuid7(), user_id, embedder().name],
    )
