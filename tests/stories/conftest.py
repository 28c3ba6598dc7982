"""What tests of stories share: two people with something to find, and doubles of the processor and the embedder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
import pytest

from memories.models import Conversation, Memory
from stories.models import Passage, SearchSet, Story
from stories.processors.embedding import Vectors
from stories.search.answers import Answer
from stories.text.words import words
from tests.building import build_all
from vibe.core.db.scopes import as_user

LISBON = [
    ("Ada", "I moved to Lisbon last Friday. The flat has a blue door."),
    ("Mia", "Congratulations! Who helped you carry the piano?"),
    ("Ada", "My brother Tomas did, and he dropped it on his foot."),
]
MARATHON = [
    ("Ada", "I ran the marathon in four hours and thirty-seven minutes."),
    ("Mia", "What did you eat before it?"),
    ("Ada", "Custard tarts, nine of them."),
]
BOAT = [
    ("Jonas", "We sold our father's boat to pay his debts."),
    ("Mia", "Where is the compass now?"),
    ("Jonas", "In my kitchen in Bergen. I ran a marathon once, in Bergen too."),
]


def story_of(user_id: UUID, external_id: str) -> UUID:
    """The id of the one story of a conversation."""
    with as_user(user_id):
        found = Story.objects.of(user_id).filter(conversation__external_id=external_id)
        return found.values_list("pk", flat=True).get()


def conversation_of(user_id: UUID, external_id: str) -> UUID:
    """The id of a conversation."""
    with as_user(user_id):
        return Conversation.objects.of(user_id).values_list("pk", flat=True).get(external_id=external_id)


def external_ids(user_id: UUID, answer: Answer) -> list[str]:
    """Which conversations an answer found, by the names that the tests gave them."""
    with as_user(user_id):
        named = dict(Conversation.objects.of(user_id).values_list("pk", "external_id"))
    return [named[story.conversation_id] for story in answer.stories]


def state_of(user_id: UUID) -> dict[str, object]:
    """Everything about a person's stories that a rebuilding must not change."""
    with as_user(user_id):
        search_set = SearchSet.objects.of(user_id).first()
        return {
            "stories": sorted(Story.objects.of(user_id).values_list("pk", "revision", "passage_count", "word_count")),
            "memories": sorted(Passage.objects.of(user_id).values_list("memory_id", "part", "in_graph")),
            "set": search_set and (search_set.passages, search_set.words, search_set.in_graph),
        }


def memory_saying(user_id: UUID, number: int, external_id: str = "lisbon") -> Memory:
    """The memory of a conversation's n-th message, counted from 0."""
    with as_user(user_id):
        of = Memory.objects.of(user_id).filter(conversation_id=conversation_of(user_id, external_id))
        return of.order_by("occurred_at", "id")[number]


@pytest.fixture
def ada_told(ada: UUID, tell: Callable[..., None]) -> UUID:
    """Ada, with two conversations told."""
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON)
    build_all(ada)
    return ada


@pytest.fixture
def jonas_told(jonas: UUID, tell: Callable[..., None]) -> UUID:
    """Jonas, with one conversation told."""
    tell(jonas, "boat", BOAT)
    build_all(jonas)
    return jonas


class HashedEmbedder:
    """Vectors from words alone, in no time: like texts share words."""

    name = "hashed"
    dimensions = 64

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in words(text):
                vectors[at] += np.random.default_rng(sum(map(ord, word))).standard_normal(self.dimensions)
            vectors[at] /= np.linalg.norm(vectors[at]) or 1.0
        return vectors


class NearEmbedder(HashedEmbedder):
    """The same, said to answer out of this process."""

    in_process = True


class BrokenEmbedder(HashedEmbedder):
    """Fails, or lies, as told: `answer` is raised if it is an exception, and given otherwise."""

    answer: object = ConnectionError("a text that somebody said")

    def embed(self, texts: Sequence[str]) -> Vectors:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.fixture
def use_embedder(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Put another embedder in place of the configured one, wherever it is asked for."""

    def use(embedder: object) -> None:
        for module in (
            "management.commands.reembed_stories",  # first: imported later it would keep the other for good
            *("processors.configured", "index.services", "index.entries", "building.services.reembedding"),
        ):
            monkeypatch.setattr(f"stories.{module}.embedder", lambda: embedder)

    return use
