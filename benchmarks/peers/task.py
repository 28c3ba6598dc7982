"""The common task: vectors, whose they are, what is asked; and how answers to it are judged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks.crowd import Person
from benchmarks.peers.stores.protocol import TOP

BUCKETS = ((0, 50), (50, 100), (100, 300), (300, 1_000), (1_000, 10_000), (10_000, 10**9))
QUESTIONS = 100
"""In each bucket of sizes, shared out among its people."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Rows are numbered 0 to N - 1; `ids` are those of our memories that hold them."""

    vectors: Any
    """(N, D) float32, rounded to half precision as pgvector's halfvec keeps them."""
    owners: Any
    """(N,)"""
    ids: list[UUID]
    texts: list[str]
    asked: Any
    """(Q, D)"""
    askers: Any
    """(Q,)"""
    questions: list[str]
    """The Q questions in words."""
    truth: list[set[int]]
    """(Q,) the TOP nearest rows of the asker, by exact sorting."""

    def write(self, folder: Path) -> None:
        """For the scripts of the stores."""
        np.savez(folder / "task.npz", vectors=self.vectors, owners=self.owners, asked=self.asked, askers=self.askers)
        (folder / "task.json").write_text(json.dumps({"texts": self.texts, "questions": self.questions}))


def make_task(crowd: list[Person], server: Any) -> Task:
    """From what the crowd's plain vectors are in the database."""
    number = {person.id: at for at, person in enumerate(crowd)}
    rows = server.execute("SELECT id, user_id, embedding, text FROM plain_passages ORDER BY user_id, id").fetchall()
    vectors = np.array([row[2].to_numpy() for row in rows], dtype=np.float32)
    owners = np.array([number[row[1]] for row in rows])
    questions, asked, askers = [], [], []
    for low, high in BUCKETS:
        inside = [at for at, person in enumerate(crowd) if low <= person.size < high]
        for at in range(QUESTIONS if inside else 0):
            person = crowd[inside[at % len(inside)]]
            text, vector = person.questions[at // len(inside) % len(person.questions)]
            questions.append(text)
            asked.append(vector)
            askers.append(inside[at % len(inside)])
    matrix = np.array(asked, dtype=np.float32)
    truth = [
        nearest_rows(vectors, np.flatnonzero(owners == asker), vector)
        for vector, asker in zip(matrix, askers, strict=True)
    ]
    return Task(
        vectors, owners, [row[0] for row in rows], [row[3] for row in rows], matrix, np.array(askers), questions, truth
    )


def nearest_rows(vectors: Any, own: Any, vector: Any) -> set[int]:
    """The TOP rows among `own` whose cosine with the vector is highest."""
    inside = vectors[own]
    cosines = inside @ vector / np.linalg.norm(inside, axis=1)
    return set(own[np.argsort(-cosines)[:TOP]].tolist())


def judged(task: Task, milliseconds: list[float], found: list[list[int]]) -> list[dict[str, Any]]:
    """By size of the asker's set: recall of the TOP nearest, share of answers shorter than they had to be, times."""
    return [
        {
            **timed(task, milliseconds, inside),
            "recall": float(np.mean([len(task.truth[at] & set(found[at])) / len(task.truth[at]) for at in inside])),
            "short": float(np.mean([len(found[at]) < len(task.truth[at]) for at in inside])),
        }
        for inside in by_size(task)
    ]


def times_only(task: Task, milliseconds: list[float]) -> list[dict[str, Any]]:
    """The same of what finds other than the nearest rows: no recall in these terms."""
    return [timed(task, milliseconds, inside) for inside in by_size(task)]


def by_size(task: Task) -> list[Any]:
    """For each bucket with anybody in it: which questions are asked from it."""
    sizes = np.bincount(task.owners)[task.askers]
    inside = [np.flatnonzero((low <= sizes) & (sizes < high)) for low, high in BUCKETS]
    return [each for each in inside if len(each)]


def timed(task: Task, milliseconds: list[float], inside: Any) -> dict[str, Any]:
    """The bucket's name and its times."""
    size = np.bincount(task.owners)[task.askers[inside[0]]]
    low, high = next(bucket for bucket in BUCKETS if bucket[0] <= size < bucket[1])
    p50, p95 = np.percentile([milliseconds[at] for at in inside], (50, 95))
    return {"size": f"{low}-{high}" if high < 10**9 else f">{low}", "p50_ms": float(p50), "p95_ms": float(p95)}
