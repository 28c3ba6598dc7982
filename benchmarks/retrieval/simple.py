"""Simple ways of searching, over the same messages in clear: BM25, an embedder, and both by halves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

Floats = Any


class SimpleSearch:
    """A person's messages, each with its author's name in front; of a long one the best window counts."""

    def __init__(self, user_id: UUID) -> None:
        from accounts.keys.services.data_keys import open_vault
        from memories.models import Memory
        from memories.payload import open_memories
        from stories.processors.configured import embedder
        from stories.text.passages import windows
        from stories.text.words import words
        from vibe.core.db.scopes import as_user

        with as_user(user_id):
            rows = list(Memory.objects.of(user_id).order_by("occurred_at", "id"))
            memories = open_memories(rows, open_vault())
        parts = [(row, f"{memory.payload.author}: {text}") for row, memory in zip(rows, memories, strict=True)
                 for text in windows(memory.payload.text.strip())]  # fmt: skip
        self.memories = [row.pk for row, _ in parts]
        self.said_at = np.array([row.occurred_at.timestamp() for row, _ in parts])
        self.by_person = np.array([row.role == "user" for row, _ in parts])
        self.vectors = embedder().embed([text for _, text in parts])
        self.lengths = np.zeros(len(parts), dtype=np.int64)
        self.counts: dict[str, dict[int, int]] = defaultdict(dict)
        for at, (_, text) in enumerate(parts):
            said = words(text)
            self.lengths[at] = len(said)
            for word, count in Counter(said).items():
                self.counts[word][at] = count

    def search(self, question: str, asked_at: datetime | None, limit: int) -> Mapping[str, list[UUID]]:
        """Return the best memories of those before a moment, best first, by each way of searching."""
        from stories.processors.configured import embedder
        from stories.text.words import asked_words

        there = self.said_at < asked_at.timestamp() if asked_at else np.full(len(self.memories), fill_value=True)
        said = np.flatnonzero(there)
        cosine = self.vectors[said] @ embedder().embed([question])[0]
        words = self._bm25(asked_words(question), said)
        ways = {
            "bm25": (said, words),
            "embedder": (said, cosine),
            "half_and_half": (said, _to_one(words) + _to_one(cosine)),
        }
        persons = np.flatnonzero(there & self.by_person)
        if self.by_person.any():
            ways["bm25_of_the_person"] = (persons, self._bm25(asked_words(question), persons))
        return {name: self._best(which, scores, limit) for name, (which, scores) in ways.items()}

    def _bm25(self, asked: list[str], which: Any) -> Floats:
        from stories.search.scoring import Collection, bm25

        number = Counter(asked)
        counts = np.array(
            [[self.counts[word].get(at, 0) for at in which.tolist()] for word in number], dtype=np.int64
        ).reshape(len(number), len(which))
        lengths = self.lengths[which]
        weights = np.array(list(number.values()), dtype=np.int64)
        return bm25(counts, lengths, Collection.of(counts, lengths), weights, k1=1.2, b=0.75).sum(axis=0)

    def _best(self, which: Any, scores: Floats, limit: int) -> list[UUID]:
        order = which[np.argsort(-scores, kind="stable")].tolist()
        return list(dict.fromkeys(self.memories[at] for at in order))[:limit]


def _to_one(scores: Floats) -> Floats:
    spread = scores - scores.min(initial=0.0)
    return spread / (float(spread.max(initial=0.0)) or 1.0)
