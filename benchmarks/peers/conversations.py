"""What people say and ask, taken from real conversations: their sentences, embedded by the offline embedder.

A message is one to LONGEST consecutive sentences of a conversation. Neighbours overlap, as what the product embeds does
(a message together with the end of the one before it). A person takes the next stretches in order, so each stretch is
somebody's once, until all are taken and it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crowd import Said

LONGEST = 5
CACHE = Path(__file__).resolve().parents[2] / ".benchmarks" / "embedded"
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")


class Conversations:
    """A source for a crowd. Files as benchmarks.retrieval takes them."""

    def __init__(self, conversations: Sequence[Path], questions: Path) -> None:
        said = list(dict.fromkeys(text for length in range(1, LONGEST + 1) for path in conversations
                                  for text in stretches(path, length)))  # fmt: skip
        with questions.open(encoding="utf-8") as lines:
            asked = [each["question"] for line in lines if (each := json.loads(line))["category"] != "adversarial"]
        self.texts, self.vectors = embedded(said)
        self.questions, self.question_vectors = embedded(asked)
        self.taken = self.answered = 0

    def said(self, count: int) -> Said:
        from stories.text.words import words

        at = np.arange(self.taken, self.taken + count) % len(self.texts)
        self.taken += count
        texts = [self.texts[each] for each in at]
        return Said(self.vectors[at], [words(text) for text in texts], texts)

    def asked(self, said: Said, count: int) -> list[tuple[str, Any]]:
        at = [each % len(self.questions) for each in range(self.answered, self.answered + count)]
        self.answered += count
        return [(self.questions[each], self.question_vectors[each]) for each in at]


def stretches(path: Path, length: int) -> Iterator[str]:
    """Every `length` consecutive sentences within each conversation of the file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            texts = (message["text"] for message in json.loads(line)["messages"])
            sentences = [sentence for text in texts for sentence in _SENTENCE_ENDS.split(text.strip()) if sentence]
            for at in range(len(sentences) - length + 1):
                yield " ".join(sentences[at : at + length])


def embedded(texts: Sequence[str]) -> tuple[list[str], Any]:
    """Those of the texts that have a meaning, and their vectors (n, 512) of length 1; kept for the next run."""
    from stories.processors.embedding import OfflineEmbedder

    model = OfflineEmbedder()
    key = hashlib.sha256(json.dumps([model.name, texts]).encode()).hexdigest()
    kept = CACHE / f"{key[:32]}.npy"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(kept, model.embed(texts))
    vectors = np.load(kept)
    some = np.flatnonzero(vectors.any(axis=1))
    return [texts[at] for at in some], vectors[some]
