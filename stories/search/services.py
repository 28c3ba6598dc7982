"""The one search that the command, the API and the admin use.

read who asks → understand the question, embed it → blind its words, cloak its vector → fetch candidates → rank → open
what is shown → record.

How candidates are fetched is chosen from the person's own count of passages, never left to the planner:

- up to READ_WHOLE: every passage is fetched and ranked ("exact");
- up to SEARCH_EXACT_UP_TO: the nearest of all by sorting, the best by words ("exact");
- beyond: the nearest by the shared graph, where the person's set then is, the best by words ("hnsw").

A filter that leaves little enough of a large set brings it back to the first or the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

import numpy as np
from django.conf import settings

from audit.actors import Actor
from audit.services import record
from stories.models import SearchSet
from stories.processors.embedding import OfflineEmbedder
from stories.search.answers import PASSAGES_SHOWN, Answer, open_memories_found, open_stories
from stories.search.asking import Asked, Asker, embedded, read_asker, understood
from stories.search.candidates import EXACT, HNSW, Found, Wanted, exact
from stories.search.filters import Filters, Narrowed, narrowed_by
from stories.search.graph import likeliest
from stories.search.ranking import Ranker, Ranking
from stories.search.scoring import BY_WORDS, OFFLINE, SEVERAL, Calibration, Weights
from stories.signals import searched
from stories.text.passages import ASKS, DATES, FOREIGN, cloaked, speaker_token, tongue_marks, word_tokens
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import one_snapshot
from vibe.core.errors import InputError, VibeError

READ_WHOLE = 10_000
"""Passages that are fetched and ranked all; beyond it is no dearer to have candidates chosen by the database."""

ATTEMPTS = 3
LONGEST_QUESTION = 100_000
MOST_STORIES = 100
MOST_PASSAGES = 20
Prefer = Literal["best", "newest"]
Result = TypeVar("Result")
NOTHING_TO_GO_BY = "The question holds nothing to search by, neither words nor meaning: the order tells little."


def fetch(user_id: UUID, wanted: Wanted, narrowed: Narrowed | None, search_set: SearchSet | None, limit: int) -> Found:
    """The candidates: for never fewer than `limit` stories, where there are as many."""
    strategy = strategy_for(search_set, narrowed)
    if search_set is None or (size_of(search_set, narrowed) <= READ_WHOLE and strategy == EXACT):
        return exact(user_id, wanted, narrowed)
    return likeliest(user_id, wanted, narrowed, search_set, strategy=strategy, limit=limit)


def strategy_for(search_set: SearchSet | None, narrowed: Narrowed | None = None) -> str:
    """The graph for a set that is in it, unless a filter leaves little of it."""
    if search_set is None or not search_set.in_graph:
        return EXACT
    return EXACT if narrowed is not None and narrowed.passages <= settings.SEARCH_EXACT_UP_TO else HNSW


def size_of(search_set: SearchSet, narrowed: Narrowed | None) -> int:
    """How many passages are searched."""
    return search_set.passages if narrowed is None else narrowed.passages


class VectorsChanging(VibeError):
    message = "The person's vectors were exchanged while they were searched, time and again. Ask again."
    code = "vectors-changing"
    status = 409


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of a search: how many stories or memories, and passages shown of each story."""

    of_memories: bool
    limit: int
    filters: Filters | None
    passages: int = PASSAGES_SHOWN
    asked_at: datetime | None = None
    prefer: Prefer = "best"
    min_score: float = 0.0


def search_stories(
    *,
    user_id: UUID,
    question: str,
    actor: Actor,
    limit: int = 10,
    filters: Filters | None = None,
    passages: int = PASSAGES_SHOWN,
    asked_at: datetime | None = None,
    prefer: Prefer = "best",
    min_score: float = 0.0,
    asked: Asked | None = None,
) -> Answer:
    """Return the person's own stories that answer a question best, best first; never fewer than there are.

    Times that the question names ("last week") are reckoned from `asked_at` and in its time zone; from now, in UTC, if
    left out. `prefer` "newest" puts the newer of two that fit about as well first. What answers with a probability
    below `min_score` is left out: of a story, its best passage. `asked` is the question as `ask`
    understood it, for who does that before a transaction of theirs begins.

    Raises InputError for an empty or overlong question, a limit out of 1 to 100 or a `min_score` out of 0 to 1,
    DataKeyMissing for a person whose data key is destroyed. What was found is given back after the row that records it
    has been committed.
    """
    wanted = Search(False, limit, filters, passages, asked_at=asked_at, prefer=prefer, min_score=min_score)
    return _search(user_id, question, actor, asked, wanted)


def search_memories(
    *,
    user_id: UUID,
    question: str,
    actor: Actor,
    limit: int = 10,
    filters: Filters | None = None,
    asked_at: datetime | None = None,
    prefer: Prefer = "best",
    min_score: float = 0.0,
    asked: Asked | None = None,
) -> Answer:
    """Return the person's own memories that answer a question best, as `search_stories` does."""
    wanted = Search(True, limit, filters, asked_at=asked_at, prefer=prefer, min_score=min_score)
    return _search(user_id, question, actor, asked, wanted)


def _search(user_id: UUID, question: str, actor: Actor, asked: Asked | None, wanted: Search) -> Answer:
    check(question, wanted.limit, wanted.passages, wanted.min_score)
    started = time.perf_counter() - (asked.seconds if asked else 0)
    answer = when_understood(
        user_id, question, asked, wanted.asked_at, lambda asked, asker: _answered(asked, asker, actor, wanted)
    )
    seconds = time.perf_counter() - started
    searched.send(None, strategy=answer.strategy, seconds=seconds, degraded=bool(answer.degraded))
    return answer


def when_understood(
    user_id: UUID,
    question: str,
    asked: Asked | None,
    asked_at: datetime | None,
    work: Callable[[Asked, Asker], Result],
) -> Result:
    """Call `work` with the embedded question and the person's keys and index, in one snapshot of the database.

    A model on another machine is asked before the snapshot, not in it. Raises VectorsChanging where the person's
    vectors are exchanged time and again.
    """
    for _ in range(1 + ATTEMPTS):
        with one_snapshot(), as_user(user_id):
            asker = read_asker(user_id, question)
            if asked is None or not asked.fits(asker.search_set):
                asked = understood(asker, question, asked_at)
            if not asked.waiting:
                return work(asked, asker)
        # In no transaction. Keys are read again afterwards: one may be destroyed by then.
        asked = embedded(user_id, asked)
    raise VectorsChanging(f"The vectors of person {user_id} were exchanged several times during a search. Ask again.")


def _answered(asked: Asked, asker: Asker, actor: Actor, wanted: Search) -> Answer:
    """Fetch, rank and open, on the replica or here, each in one snapshot; and record, here."""
    user_id = asker.vault.user_id
    answer = replica.read(user_id, lambda: found_by(asked, asker, wanted))
    action, found = ("memories.search", "memories") if wanted.of_memories else ("stories.search", "stories")
    ids = [str(each.id) for each in (answer.memories if wanted.of_memories else answer.stories)]
    record(
        actor=actor,
        action=action,
        subject=user_id,
        resource=found,
        details={"strategy": answer.strategy, found: ids},
        last=True,
    )
    return answer


def found_by(asked: Asked, asker: Asker, wanted: Search) -> Answer:
    """Fetch, rank and open. Raises VectorsChanging where a replica still has another model's."""
    if replica.is_in_use():
        asker = replace(asker, search_set=SearchSet.objects.of(asker.vault.user_id).first())
        if not asked.fits(asker.search_set):
            raise VectorsChanging
    found, ranking, degraded = rank(asked, asker, filters=wanted.filters, limit=wanted.limit, prefer=wanted.prefer)
    if wanted.of_memories:
        memories = tuple(open_memories_found(asker.vault, found, ranking, wanted.limit, wanted.min_score))
        return Answer(found.strategy, (), memories, degraded, asker.pending)
    stories = tuple(
        open_stories(asker.vault, found, ranking, wanted.limit, passages=wanted.passages, least=wanted.min_score)
    )
    return Answer(found.strategy, stories, (), degraded, asker.pending)


def check(question: str, limit: int, passages: int = PASSAGES_SHOWN, min_score: float = 0.0) -> None:
    """Refuse what cannot be searched for."""
    if not question.strip():
        raise InputError("The question is empty. Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"The question is longer than {LONGEST_QUESTION:,} characters. Ask more briefly.")
    if not 1 <= limit <= MOST_STORIES:
        raise InputError(f"The limit must be from 1 to {MOST_STORIES}.")
    if not 1 <= passages <= MOST_PASSAGES:
        raise InputError(f"The number of passages must be from 1 to {MOST_PASSAGES}.")
    if not 0 <= min_score <= 1:
        raise InputError("min_score is a probability: from 0 to 1.")


def rank(
    asked: Asked, asker: Asker, *, filters: Filters | None = None, limit: int = 10, prefer: Prefer = "best"
) -> tuple[Found, Ranking, str]:
    """Candidates and their ranks, inside the person's scope, with nothing opened yet; and how it is degraded."""
    vault = asker.vault
    wanted = replace(wanted_by(asked, asker), newest=prefer == "newest")
    narrowed = narrowed_by(vault.user_id, filters, vault)
    found = fetch(vault.user_id, wanted, narrowed, asker.search_set, limit)
    if filters and (filters.authors or filters.roles):
        # Only one side is left of conversations: that it stands alone there says nothing.
        found = replace(found, passages=replace(found.passages, author=None))
    degraded = asked.degraded
    if wanted.vector is None and not wanted.asked:
        degraded = " ".join(filter(None, [degraded, NOTHING_TO_GO_BY]))
    weights = SEVERAL if asked.question.several else Weights()
    ranker = replace(ranker_for(found, list(wanted.asked)), weights=weights, calibration=calibration_of(asked.embedder))
    return found, ranker.rank(found.passages), degraded


def wanted_by(asked: Asked, asker: Asker) -> Wanted:
    """Return the question as the database may know it: blind and cloaked."""
    question, vault = asked.question, asker.vault
    marks = tongue_marks(question.tongue)
    asks_mark, dates_mark, tongue_mark = word_tokens(vault, [ASKS, DATES, *(marks or [FOREIGN])[-1:]])
    return Wanted(
        tokens=word_tokens(vault, question.words),
        asked=list(question.words.values()),
        asks_mark=asks_mark,
        dates_mark=dates_mark,
        tongue_mark=tongue_mark,
        in_english=not marks,
        when=question.when,
        vector=None if asked.vector is None else cloaked(vault, asked.vector)[0],
        model=asker.search_set.model if asker.search_set else 0,
        speaker=speaker_token(vault, question.speaker) if question.speaker else None,
        of_assistant=question.of_assistant,
        times=question.times,
    )


def calibration_of(embedder: str) -> Calibration:
    """Return how scores of a model's vectors become probabilities."""
    return OFFLINE if embedder == OfflineEmbedder.name else BY_WORDS


def ranker_for(found: Found, asked: list[int]) -> Ranker:
    """The ranker for these candidates."""
    words, behind = np.array(asked, dtype=np.int64), found.backdrop
    if behind is None:
        return Ranker(words)
    return Ranker(words, behind.collection, None, behind.story_collection, behind.floor)
