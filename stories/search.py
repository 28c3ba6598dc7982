"""Finding stories by meaning: one service, used by the command, the API and the admin alike.

understand the question → blind its words, cloak its vector → fetch candidates → rank → open what is shown → record.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import sql

from accounts.models import User
from accounts.services import open_name, open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Memory
from memories.services import OpenedMemory, open_memories
from stories.blinding import blind_phrases, cloaked, speaker_token, word_tokens
from stories.candidates import Found, Wanted, Where, fetch
from stories.entities import speakers
from stories.models import SearchSet, Story
from stories.passages import ASKS, DATES
from stories.providers import embedder
from stories.question import Question, understand
from stories.ranking import Ranker, Ranking
from vibe.crypto.fields import address_of
from vibe.crypto.vault import Vault
from vibe.db.contexts import as_user
from vibe.errors import InputError

logger = logging.getLogger(__name__)
LONGEST_QUESTION = 100_000
MOST_STORIES = 100
PASSAGES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a search is narrowed to. Names match as a whole or by any of their words."""

    people: Sequence[str] = ()
    places: Sequence[str] = ()
    events: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    conversation_id: UUID | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that speaks for its story, opened, with what made up its score."""

    memory: UUID
    message_ids: tuple[str, ...]
    score: float
    why: dict[str, float]
    author: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundStory:
    """A story that was found, opened, with what made up its score and its best passages."""

    id: UUID
    conversation_id: UUID
    score: float
    why: dict[str, float]
    occurred_at: datetime
    passages: tuple[FoundPassage, ...]
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found. `degraded` says why it is less than it could be, such as words alone."""

    strategy: str
    stories: tuple[FoundStory, ...]
    degraded: str = ""


def search_stories(
    *, user_id: UUID, question: str, actor: Actor, limit: int = 10, filters: Filters | None = None
) -> Answer:
    """The person's own stories that answer a question best, best first; never fewer than there are, up to `limit`.

    Raises InputError for an empty or overlong question and for a limit out of 1 to 100.
    """
    check(question, limit)
    with as_user(user_id):
        vault = open_vault()
        found, ranking, degraded = rank(user_id, question, vault, filters, limit)
        stories = open_stories(user_id, vault, found, ranking, limit)
        record(
            actor=actor,
            action="stories.search",
            subject=user_id,
            resource="stories",
            details={"strategy": found.strategy, "stories": [str(story.id) for story in stories]},
        )
    return Answer(found.strategy, tuple(stories), degraded)


def check(question: str, limit: int) -> None:
    """Refuse what cannot be searched for."""
    if not question.strip():
        raise InputError("The question is empty. Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"The question is longer than {LONGEST_QUESTION:,} characters. Ask more briefly.")
    if not 1 <= limit <= MOST_STORIES:
        raise InputError(f"The limit must be from 1 to {MOST_STORIES}.")


def rank(
    user_id: UUID, question: str, vault: Vault, filters: Filters | None = None, limit: int = 10
) -> tuple[Found, Ranking, str]:
    """Candidates and their ranks, inside the person's scope, with nothing opened yet but names."""
    understood = understand(question, speakers(user_id, vault), own_name(user_id))
    vector, degraded = question_vector(understood, vault)
    asks_mark, dates_mark = word_tokens(vault, [ASKS, DATES])
    wanted = Wanted(
        tokens=word_tokens(vault, understood.words),
        asks_mark=asks_mark,
        dates_mark=dates_mark,
        when=understood.when,
        vector=vector,
        speaker=speaker_token(vault, understood.speaker) if understood.speaker else None,
    )
    search_set = SearchSet.objects.of(user_id).first()
    found = fetch(user_id, wanted, where(filters, vault), search_set, limit)
    asked = np.array(list(understood.words.values()), dtype=np.int64)
    return found, Ranker(asked, collection=found.collection).rank(found.passages), degraded


def own_name(user_id: UUID) -> str | None:
    """The name of the person who asks."""
    return open_name(User.objects.only("pk", "name").get(pk=user_id)) or None


def question_vector(question: Question, vault: Vault) -> tuple[str | None, str]:
    """The question, embedded and cloaked; without an embedder, nothing, and why."""
    try:
        return cloaked(vault, embedder().embed([question.spoken]))[0], ""
    except Exception as problem:  # whatever a provider raises: the answer is then by words, and says so
        logger.warning("The embedder failed (%s): searching by words alone.", type(problem).__name__)
        return None, "The embedder did not answer: found by words alone."


def where(filters: Filters | None, vault: Vault) -> Where | None:
    """Filters as a condition on stories; names are matched blind."""
    if filters is None:
        return None
    parts: list[tuple[str, Any]] = [
        (f"s.{plural}_index && %b::int8[]", blind_phrases(vault, kind, names))
        for kind, plural, names in (
            ("person", "people", filters.people),
            ("place", "places", filters.places),
            ("event", "events", filters.events),
        )
        if names
    ]
    if filters.since:
        parts.append(("s.occurred_to >= %b", filters.since))
    if filters.until:
        parts.append(("s.occurred_from <= %b", filters.until))
    if filters.conversation_id:
        parts.append(("s.conversation_id = %b", filters.conversation_id))
    if filters.archived is not None:
        archived = (
            "EXISTS (SELECT FROM conversations c WHERE c.user_id = s.user_id AND c.id = s.conversation_id "
            "AND c.is_archived = %b)"
        )
        parts.append((archived, filters.archived))
    if not parts:
        return None
    condition = sql.SQL(" AND ").join(sql.SQL(text) for text, _ in parts)  # type: ignore[arg-type]
    return Where(condition, tuple(value for _, value in parts))


def open_stories(user_id: UUID, vault: Vault, found: Found, ranking: Ranking, limit: int) -> list[FoundStory]:
    """Open the best stories: their titles, and the texts of their best passages."""
    by_number = dict(zip(found.passages.story.tolist(), found.stories, strict=True))
    best = ranking.stories.best(limit)
    passages = best_passages(found, ranking, {int(ranking.story[at]) for at in best})
    rows = Story.objects.of(user_id).filter(pk__in=[by_number[int(ranking.story[at])] for at in best])
    stories = {row.pk: row for row in rows.only("pk", "user_id", "conversation_id", "title", "occurred_from", "revision")}
    memories = opened(user_id, vault, [found.memories[at] for places in passages.values() for at in places])
    answer = []
    for at in best:
        number = int(ranking.story[at])
        row = stories[by_number[number]]
        answer.append(
            FoundStory(
                id=row.pk,
                conversation_id=row.conversation_id,
                score=round(float(ranking.stories.score[at]), 4),
                why=ranking.stories.why(at),
                occurred_at=row.occurred_from,
                passages=tuple(
                    shown(memories[found.memories[place]], ranking, place) for place in passages.get(number, ())
                ),
                title=vault.open(row.title, address_of(row, "title")),
            )
        )
    return answer


def best_passages(found: Found, ranking: Ranking, stories: set[int]) -> dict[int, list[int]]:
    """Of each story the places of its best passages, best first."""
    best: dict[int, list[int]] = {}
    for at in ranking.passages.best().tolist():
        story = int(found.passages.story[at])
        if story in stories and len(places := best.setdefault(story, [])) < PASSAGES_SHOWN:
            places.append(at)
    return best


def opened(user_id: UUID, vault: Vault, ids: list[UUID]) -> dict[UUID, OpenedMemory]:
    """Memories by id."""
    return {memory.id: memory for memory in open_memories(Memory.objects.of(user_id).filter(pk__in=ids), vault)}


def shown(memory: OpenedMemory, ranking: Ranking, at: int) -> FoundPassage:
    """One passage of the answer."""
    return FoundPassage(
        memory=memory.id,
        message_ids=memory.message_ids,
        score=round(float(ranking.passages.score[at]), 4),
        why=ranking.passages.why(at),
        author=memory.payload.author,
        text=memory.payload.text,
    )
