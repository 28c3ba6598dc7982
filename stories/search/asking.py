"""What a question needs before any story is looked at: who asks, whom it names, and its vector."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.keys.services.data_keys import data_keys, vault_of
from accounts.people.services.people import name_in, own_name
from stories.entities.services import names_of, speakers
from stories.index.entries import SET, SET_COLUMNS
from stories.index.pending import count_pending
from stories.models import SearchSet
from stories.processors.configured import EmbedderFailed, embed, embedder_named, may_wait
from stories.processors.embedding import Embedder, Vectors
from stories.processors.openai_compatible.budget import spending_for
from stories.processors.openai_compatible.errors import TokensSpent
from stories.search.question import Question, is_first_person, understand
from vibe.core.crypto.vault import Vault
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_batch
from vibe.core.folding import fold

logger = logging.getLogger(__name__)
ROLES_OF_ASKERS = frozenset({"user", "human", "me"})

NO_EMBEDDER = "The embedder gave no answer: found by words alone."
OTHER_EMBEDDER = (
    "The stories' vectors are of a model that is not asked any more, until they are made anew: found by words alone."
)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: their keys, the names under which people spoke to them, and what there is to search."""

    vault: Vault
    names: Sequence[str] = field(repr=False)
    own_name: str = field(repr=False)
    """Empty where none is known; and where the question does not speak of "I", for then it does not matter."""
    search_set: SearchSet | None
    pending: int = 0
    """Memories that are not fully in the index."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, understood; and embedded by the model of the person's vectors, unless it is `waiting` for that."""

    question: Question
    embedder: str = ""
    """The model of the person's vectors when the question was understood; empty for a person without any."""
    vector: Vectors | None = field(default=None, repr=False)
    """(1, dimensions), as the model made it; None where there is nothing to compare, or `degraded` says why."""
    degraded: str = ""
    waiting: bool = False
    """The model may take seconds to answer, and is not to be asked inside a transaction."""
    seconds: float = 0.0
    """How long it took before the search."""

    def fits(self, search_set: SearchSet | None) -> bool:
        """Whether its vector can be compared with those that are there now."""
        return self.vector is None or search_set is None or search_set.embedder == self.embedder


def read_asker(user_id: UUID, text: str) -> Asker:
    """Read what a question is understood by, in one round trip, inside the person's scope.

    Raises DataKeyMissing for a person whose data key is destroyed.
    """
    name = [own_name(user_id)] if is_first_person(text) else []
    keys, names, sets, [[pending]], *users = execute_batch(
        data_keys(user_id), speakers(user_id), (SET, [user_id]), count_pending(user_id), *name
    )
    vault = vault_of(user_id, keys, to_process=True)
    search_set = next(iter(bulk.as_models(SearchSet, SET_COLUMNS, sets)), None)
    return Asker(vault, names_of(vault, names), name_in(users[0]) if users else "", search_set, pending)


def ask(user_id: UUID, text: str, asked_at: datetime | None = None) -> Asked | None:
    """Return the question with its vector. Call it before the transaction in which you search.

    Times in the question are reckoned from `asked_at`, in its time zone; without it, from now, in UTC. Return None
    where every model is in this process: such a model may be asked inside the transaction.
    """
    if not may_wait():
        return None
    started = time.perf_counter()
    with as_user(user_id):
        asked = understood(read_asker(user_id, text), text, asked_at)
    asked = embedded(user_id, asked) if asked.waiting else asked
    return replace(asked, seconds=time.perf_counter() - started)


def understood(asker: Asker, text: str, asked_at: datetime | None = None) -> Asked:
    """The question, embedded at once if the model answers out of this process."""
    own = asker_among(asker.names, asker.own_name)
    question = understand(text, asker.names, own, asked_at=asked_at or timezone.now())
    if asker.search_set is None:
        return Asked(question)
    asked = Asked(question, asker.search_set.embedder, waiting=True)
    model = embedder_named(asked.embedder)
    return asked if model and not getattr(model, "in_process", False) else embedded(asker.vault.user_id, asked)


def embedded(user_id: UUID, asked: Asked) -> Asked:
    """The same question, not waiting any more: with its vector, or with the reason why there is none."""
    model = embedder_named(asked.embedder)
    vector, degraded = (None, OTHER_EMBEDDER) if model is None else vector_of(user_id, asked.question, model)
    return replace(asked, vector=vector, degraded=degraded, waiting=False)


def vector_of(user_id: UUID, question: Question, model: Embedder) -> tuple[Vectors | None, str]:
    """The question under a model; nothing, and why, where that gives no answer."""
    try:
        with spending_for(user_id):
            return embed([question.spoken], model), ""
    except (EmbedderFailed, TokensSpent) as problem:
        logger.warning("Searching by words alone. %s", problem)
        return None, NO_EMBEDDER


def asker_among(names: Sequence[str], own: str) -> str | None:
    """Under which of the names the asker spoke: their own or part of it ("Ada" of "Ada Tavares"), or "user".

    None if no name fits, or several.
    """
    parts = set(fold(own).split())
    fitting = [name for name in names if (words := fold(name).split()) and parts.issuperset(words)]
    fitting = fitting or [name for name in names if fold(name) in ROLES_OF_ASKERS]
    return fitting[0] if len(fitting) == 1 else None
