"""The one search that the command, the API and the admin use.

understand the question → blind its words, cloak its vector → fetch candidates → rank → open what is shown → record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from accounts.models import User
from accounts.services import open_name, open_vault
from audit.actors import Actor
from audit.services import record
from stories.answers import Answer, open_stories
from stories.blinding import cloaked, speaker_token, vector_text, word_tokens
from stories.candidates import Found, Wanted
from stories.entities import speakers
from stories.filters import Filters, scope_of
from stories.models import SearchSet
from stories.passages import ASKS, DATES
from stories.processors.openai_compatible.budget import spending_for
from stories.processors.openai_compatible.errors import TokensSpent
from stories.providers import EmbedderFailed, embed, embedder
from stories.question import Question, understand
from stories.ranking import Ranker, Ranking
from stories.signals import searched
from stories.strategy import fetch
from vibe.crypto.vault import Vault
from vibe.db.contexts import as_user
from vibe.errors import InputError

logger = logging.getLogger(__name__)
LONGEST_QUESTION = 100_000
MOST_STORIES = 100
ROLES_OF_ASKERS = frozenset({"user", "human", "me"})

NO_EMBEDDER = "The embedder gave no answer: found by words alone."
OTHER_EMBEDDER = "The stories' vectors are another model's until all are built anew: found by words alone."
NOTHING_TO_GO_BY = "The question holds nothing to search by, neither words nor meaning: the order tells little."


def search_stories(
    *, user_id: UUID, question: str, actor: Actor, limit: int = 10, filters: Filters | None = None
) -> Answer:
    """The person's own stories that answer a question best, best first; never fewer than there are, up to `limit`.

    Raises InputError for an empty or overlong question and for a limit out of 1 to 100, DataKeyMissing for a person
    whose data key is destroyed. What was found is given back after the row that records it has been committed.
    """
    check(question, limit)
    started = time.perf_counter()
    alone = not connection.in_atomic_block
    with as_user(user_id):
        if alone:
            in_one_snapshot()
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
    searched.send(None, strategy=found.strategy, seconds=time.perf_counter() - started, degraded=bool(degraded))
    return Answer(found.strategy, tuple(stories), degraded)


def check(question: str, limit: int) -> None:
    """Refuse what cannot be searched for."""
    if not question.strip():
        raise InputError("The question is empty. Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"The question is longer than {LONGEST_QUESTION:,} characters. Ask more briefly.")
    if not 1 <= limit <= MOST_STORIES:
        raise InputError(f"The limit must be from 1 to {MOST_STORIES}.")


def in_one_snapshot() -> None:
    """Let all statements of a search see one moment, whatever is built or moved between two of them."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def rank(
    user_id: UUID, question: str, vault: Vault, filters: Filters | None = None, limit: int = 10
) -> tuple[Found, Ranking, str]:
    """Candidates and their ranks, inside the person's scope, with nothing opened yet but names."""
    names = speakers(user_id, vault)
    understood = understand(question, names, asker_among(names, own_name(user_id)))
    search_set = SearchSet.objects.of(user_id).first()
    with spending_for(user_id):
        vector, degraded = question_vector(understood, vault, search_set)
    asks_mark, dates_mark = word_tokens(vault, [ASKS, DATES])
    asked = list(understood.words.values())
    wanted = Wanted(
        tokens=word_tokens(vault, understood.words),
        asked=asked,
        asks_mark=asks_mark,
        dates_mark=dates_mark,
        when=understood.when,
        vector=vector,
        speaker=speaker_token(vault, understood.speaker) if understood.speaker else None,
    )
    found = fetch(user_id, wanted, scope_of(user_id, filters, vault), search_set, limit)
    if vector is None and not asked:
        degraded = " ".join(filter(None, [degraded, NOTHING_TO_GO_BY]))
    return found, ranker_for(found, asked).rank(found.passages), degraded


def ranker_for(found: Found, asked: list[int]) -> Ranker:
    """The ranker for these candidates."""
    words, behind = np.array(asked, dtype=np.int64), found.backdrop
    if behind is None:
        return Ranker(words)
    return Ranker(words, behind.collection, behind.story_words, behind.story_collection, behind.floor)


def own_name(user_id: UUID) -> str:
    """The name of the person who asks; empty if none is known."""
    return open_name(User.objects.only("pk", "name").get(pk=user_id))


def asker_among(names: Sequence[str], own: str) -> str | None:
    """Under which of the names the asker spoke: their own or part of it ("Ada" of "Ada Tavares"), or "user".

    None if no name fits, or several.
    """
    parts = set(own.casefold().split())
    fitting = [name for name in names if (words := name.casefold().split()) and parts.issuperset(words)]
    fitting = fitting or [name for name in names if name.casefold() in ROLES_OF_ASKERS]
    return fitting[0] if len(fitting) == 1 else None


def question_vector(question: Question, vault: Vault, search_set: SearchSet | None) -> tuple[str | None, str]:
    """The question, embedded and cloaked; nothing, and why, where its vector cannot be had or not be compared."""
    if search_set is None or not search_set.passages:
        return None, ""
    if search_set.embedder != embedder().name:
        return None, OTHER_EMBEDDER
    try:
        [vector] = cloaked(vault, embed([question.spoken]))
        return vector_text(vector), ""
    except (EmbedderFailed, TokensSpent) as problem:
        logger.warning("Searching by words alone. %s", problem)
        return None, NO_EMBEDDER
