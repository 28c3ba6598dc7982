"""What a companion is to know before it answers: one call, within a budget, of a cost that does not grow with time.

read keys and index → read the last turns, the latest episodes and the facts → search for what bears on the message →
divide the budget among them → record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from uuid import UUID

from django.utils import timezone

from accounts.companions import companion_token
from audit.actors import Actor
from audit.services import record
from memories.models import UNEXPIRED, Memory
from memories.payload import OpenedMemory, local_time, open_memories
from memories.services.conversations import no_such_conversation
from stories.context.budget import PARTS, Allotment, Budget, Part, Piece, count_tokens
from stories.context.knowledge import KNOWN, known
from stories.context.rendering import (
    ChatMessage,
    Format,
    block,
    escaped,
    frame,
    head,
    in_order,
    line,
    message,
    messages,
)
from stories.context.snippets import Sentences
from stories.facts.services.reading import open_facts
from stories.facts.storing import read_statements
from stories.models import Story
from stories.search.answers import SAID, SHOWN, FoundMemory
from stories.search.asking import Asked, Asker
from stories.search.filters import Filters
from stories.search.question import Question
from stories.search.services import LONGEST_QUESTION, Search, found_by, when_understood
from stories.text.passages import windows
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.scale import replica
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Statement, execute_batch
from vibe.core.errors import InputError
from vibe.core.folding import fold

MOST_PIECES = 100
"""Of one part, whatever the budget: what is read and opened for a context is bounded."""
LEAST_PIECES = 5
UNITS_A_PIECE, UNITS_AN_EPISODE = 240, 600
"""For so many of the budget one memory, or one episode, is read: most pieces are longer."""
NOTHING_ASKED = Asked(Question("", {}))

TURNS = (
    f"SELECT {', '.join(SAID)} FROM encrypted_memories WHERE user_id = %s AND conversation_id = %s AND {UNEXPIRED} "  # noqa: S608
    "ORDER BY occurred_at DESC, id DESC LIMIT %s"
)
CONVERSATION = "SELECT companion_token FROM conversations WHERE user_id = %s AND id = %s"
EPISODE = (*SHOWN, "memory_ids")
EPISODES = (
    f"SELECT {', '.join(EPISODE)} FROM stories s WHERE user_id = %s AND title IS NOT NULL AND (%s::int8 IS NULL OR "  # noqa: S608
    "EXISTS (SELECT FROM conversations c WHERE c.user_id = s.user_id AND c.id = s.conversation_id "
    "AND c.companion_token = %s)) ORDER BY occurred_from DESC, id DESC LIMIT %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a context is to be about, and to hold."""

    message: str = field(default="", repr=False)
    conversation_id: UUID | None = None
    companion: str | None = field(default=None, repr=False)
    budget: Budget = field(default_factory=Budget)
    parts: Collection[Part] = PARTS
    format: Format = "messages"
    asked_at: datetime | None = None
    """When it is asked, in which zone: as for a search. Now, in UTC, if left out."""

    def __post_init__(self) -> None:
        if len(self.message) > LONGEST_QUESTION:
            raise InputError(f"The message is longer than {LONGEST_QUESTION:,} characters. Give less of it.")


@dataclass(frozen=True, slots=True)
class Context:
    """What a companion is to know, ready for a prompt, with the pieces that it is made of."""

    text: str | None = field(repr=False)
    messages: Sequence[ChatMessage] | None = field(repr=False)
    """One of the two, as it was wanted."""
    pieces: Sequence[tuple[str, Piece]]
    """Each with its label."""
    degraded: str
    pending: int
    tokens: int
    """By estimate."""
    characters: int


def build_context(*, user_id: UUID, actor: Actor, wanted: Wanted, asked: Asked | None = None) -> Context:
    """Return what is known of a person that bears on a message, within a budget; nothing stands in it twice.

    `asked` is that of `stories.search.services.search_memories`. Raises NotFound for a conversation
    that is not the person's, or not with the companion, and DataKeyMissing for a person whose data key is destroyed.
    """
    if not wanted.message.strip():
        asked = NOTHING_ASKED

    def read(asked: Asked, asker: Asker) -> Context:
        context = replica.read(user_id, lambda: _context(asked, asker, wanted))
        details: dict[str, list[str]] = {}
        for _, piece in context.pieces:
            details.setdefault(piece.part, []).append(str(piece.id))
        record(actor=actor, action="context.read", subject=user_id, resource="context", details=details, last=True)
        return context

    return when_understood(user_id, wanted.message, asked, wanted.asked_at, read)


def _context(asked: Asked, asker: Asker, wanted: Wanted) -> Context:
    """Read what may be shown, and share the budget out among it."""
    budget, as_messages = wanted.budget, wanted.format == "messages"
    words = asked.question.words
    pieces, degraded = [*_said_and_told(asker, wanted, words)], asked.degraded
    if wanted.message.strip() and "passages" in wanted.parts:
        most = _bounded(budget.total // UNITS_A_PIECE)
        found = found_by(asked, asker, Search(True, most, Filters(companion=wanted.companion)))
        pieces += [_passage(each, words) for each in found.memories if not _is(wanted.message, each.text)]
        degraded = found.degraded

    def cost(piece: Piece) -> int:
        if as_messages and piece.part == "turns":
            return budget.size(message(piece)["content"]) + budget.message
        return budget.size(line(piece))

    heads = {part: budget.size(head(part)) for part in PARTS if not (as_messages and part == "turns")}
    room = budget.total - budget.size(frame()) - budget.message * as_messages
    labelled = in_order(Allotment(budget, room, cost, heads).share_out(pieces))
    chat, text = (messages(labelled), None) if as_messages else (None, block(labelled))
    contents = [text or "", *(each["content"] for each in chat or ())]
    return Context(
        text,
        chat,
        labelled,
        degraded,
        asker.pending,
        tokens=count_tokens(contents, len(chat or ())),
        characters=sum(map(len, contents)),
    )


def _said_and_told(asker: Asker, wanted: Wanted, words: Collection[str]) -> Iterable[Piece]:
    """Give what is known, the last turns of the conversation, the last first, and the latest episodes.

    Read in one round trip. Raises NotFound.
    """
    vault, most = asker.vault, wanted.budget.total
    token = None if wanted.companion is None else companion_token(vault, wanted.companion)
    where = [vault.user_id, wanted.conversation_id]
    asked: dict[str, Statement] = {}
    if wanted.conversation_id:
        asked["conversation"] = CONVERSATION, where
        if "turns" in wanted.parts:
            asked["turns"] = TURNS, [*where, _bounded(most // UNITS_A_PIECE)]
    if not KNOWN.isdisjoint(wanted.parts):
        asked["facts"] = read_statements(vault.user_id, token)
    if "episodes" in wanted.parts:
        asked["episodes"] = EPISODES, [vault.user_id, token, token, _bounded(most // UNITS_AN_EPISODE)]
    rows = dict(zip(asked, execute_batch(*asked.values()), strict=True))
    if wanted.conversation_id and (not rows["conversation"] or token not in (None, rows["conversation"][0][0])):
        raise no_such_conversation()
    if "facts" in rows:
        facts = open_facts(vault, rows["facts"], token)
        yield from known(facts, words, wanted.asked_at or timezone.now(), KNOWN.intersection(wanted.parts), most)
    said = open_memories(bulk.as_models(Memory, SAID, rows.get("turns", [])), vault)
    if said and _is(wanted.message, said[0].payload.text):
        said = said[1:]
    yield from (_turn(each, words) for each in said if each.payload.text)
    yield from (_episode(each, vault, words) for each in bulk.as_models(Story, EPISODE, rows.get("episodes", [])))


def _bounded(number: int) -> int:
    """Return how many are read of what a budget has room for."""
    return min(max(number, LEAST_PIECES), MOST_PIECES)


def _is(message: str, text: str) -> bool:
    """Return whether a text equals the message, but for case and accents. The caller has the message already."""
    return bool(message.strip()) and fold(message).split() == fold(text).split()


def _passage(found: FoundMemory, words: Collection[str]) -> Piece:
    """Return a memory that was found, which may be cut to sentences of the window that was."""
    parts = windows(found.text.strip())
    at = min(found.part, len(parts) - 1)
    return Piece(
        "passages",
        found.id,
        escaped(found.text),
        escaped(found.author),
        found.role,
        local_time(found.occurred_at, found.utc_offset),
        frozenset([found.id, *(each.id for each in found.copies)]),
        cache(partial(Sentences.of, escaped(parts[at]), words, begins=at == 0, ends=at == len(parts) - 1)),
    )


def _turn(said: OpenedMemory, words: Collection[str]) -> Piece:
    text = escaped(said.payload.text)
    return Piece(
        "turns",
        said.id,
        text,
        escaped(said.payload.author),
        said.role,
        local_time(said.occurred_at, said.payload.utc_offset),
        frozenset([said.id]),
        cache(partial(Sentences.of, text, words)),
    )


def _episode(story: Story, vault: Vault, words: Collection[str]) -> Piece:
    title, text = (vault.open(getattr(story, each), address_of(story, each)) for each in ("title", "text"))
    told = escaped(text)
    return Piece(
        "episodes",
        story.pk,
        told,
        escaped(title),
        occurred_at=story.occurred_from,
        memories=frozenset(story.memory_ids),
        sentences=cache(partial(Sentences.of, told, words)),
    )
