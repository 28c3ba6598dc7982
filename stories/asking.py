"""What a question needs before any story is looked at: whom it names, and its vector. In no transaction of its own.

A service behind the embedder may take seconds, and no snapshot and no lock is to wait for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from accounts.models import User
from accounts.services import open_name, open_vault
from stories.entities import speakers
from stories.models import SearchSet
from stories.processors.embedding import Vectors
from stories.processors.openai_compatible.budget import spending_for
from stories.processors.openai_compatible.errors import TokensSpent
from stories.providers import EmbedderFailed, embed, embedder_named
from stories.question import Question, is_first_person, understand
from vibe.db.contexts import as_user

logger = logging.getLogger(__name__)
ROLES_OF_ASKERS = frozenset({"user", "human", "me"})

NO_EMBEDDER = "The embedder gave no answer: found by words alone."
OTHER_EMBEDDER = (
    "The stories' vectors are of a model that is not asked any more, until they are made anew: found by words alone."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, understood and embedded by the model of the person's vectors."""

    question: Question
    embedder: str
    """The model of the person's vectors when the question was embedded; empty for a person without any."""
    vector: Vectors | None = field(repr=False)
    """(1, dimensions), as the model made it; None where there is nothing to compare, or `degraded` says why."""
    degraded: str
    seconds: float = 0.0
    """How long it took."""

    def fits(self, search_set: SearchSet | None) -> bool:
        """Whether its vector can be compared with those that are there now."""
        return self.vector is None or search_set is None or search_set.embedder == self.embedder


def ask(user_id: UUID, text: str) -> Asked:
    """Understand and embed. Reads the names under which people spoke to the person, and nothing else of theirs."""
    started = time.perf_counter()
    with as_user(user_id):
        names = speakers(user_id, open_vault())
        asker = asker_among(names, own_name(user_id)) if is_first_person(text) else None
        search_set = SearchSet.objects.of(user_id).first()
    question = understand(text, names, asker)
    if search_set is None or not search_set.passages:
        return Asked(question, "", None, "", time.perf_counter() - started)
    vector, degraded = vector_of(user_id, question, search_set.embedder)
    return Asked(question, search_set.embedder, vector, degraded, time.perf_counter() - started)


def vector_of(user_id: UUID, question: Question, embedder: str) -> tuple[Vectors | None, str]:
    """The question under a model, by its name; nothing, and why, where that model cannot be asked."""
    model = embedder_named(embedder)
    if model is None:
        return None, OTHER_EMBEDDER
    try:
        with spending_for(user_id):
            return embed([question.spoken], model), ""
    except (EmbedderFailed, TokensSpent) as problem:
        logger.warning("Searching by words alone. %s", problem)
        return None, NO_EMBEDDER


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
