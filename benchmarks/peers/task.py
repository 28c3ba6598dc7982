"""The common task: vectors, whose they are, what is asked; and how answers to it are judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks.crowd import Person
from benchmarks.peers.stores.protocol import TOP

BUCKETS = ((0, 50), (50, 100), (100, 300), (300, 1_000), (1_000, 10_000), (10_000, 10**9))
QUESTIONS = 40
"""In each bucket of sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Rows are numbered 0 to N - 1; `ids` are those of our memories that hold them."""

    vectors: Any
    """(N, D) float32, rounded to half precision as pgvector's halfvec keeps them."""
    owners: Any
    """(N,)"""
    ids: list[UUID]
    asked: Any
    """(Q, D)"""
    askers: Any
    """(Q,)"""
    truth: list[set[int]]
    """(Q,) the TOP likest rows of the asker, by exact sorting."""

    def write(self, folder: Path) -> None:
        """For the scripts of the stores."""
        np.savez(folder / "task.npz", vectors=self.vectors, owners=self.owners, asked=self.asked, askers=self.askers)


def make_task(crowd: list[Person], server: Any) -> Task:
    """From what the crowd's plain vectors are in the database."""
    number = {person.id: at for at, person in enumerate(crowd)}
    rows = server.execute("SELECT id, user_id, embedding FROM plain_passages ORDER BY user_id, id").fetchall()
    vectors = np.array([row[2].to_numpy() for row in rows], dtype=np.float32)
    owners = np.array([number[row[1]] for row in rows])
    asked, askers = [], []
    for low, high in BUCKETS:
        inside = [at for at, person in enumerate(crowd) if low <= person.size < high]
        for at in range(QUESTIONS if inside else 0):
            person = crowd[inside[at % len(inside)]]
            asked.append(person.questions[at // len(inside) % len(person.questions)][1])
            askers.append(inside[at % len(inside)])
    matrix = np.array(asked, dtype=np.float32)
    truth = [
        likest(vectors, np.flatnonzero(owners == asker), vector) for vector, asker in zip(matrix, askers, strict=True)
    ]
    return Task(vectors, owners, [row[0] for row in rows], matrix, np.array(askers), truth)


def likest(vectors: Any, own: Any, vector: Any) -> set[int]:
    """The TOP rows among `own` whose cosine with the vector is highest."""
    inside = vectors[own]
    cosines = inside @ vector / np.linalg.norm(inside, axis=1)
    return set(own[np.argsort(-cosines)[:TOP]].tolist())


def judged(task: Task, milliseconds: list[float], found: list[list[int]]) -> list[dict[str, Any]]:
    """By size of the asker's set: recall of the TOP likest, the share of answers shorter than they had to be, times."""
    sizes = np.bincount(task.owners)[task.askers]
    figures = []
    for low, high in BUCKETS:
        inside = np.flatnonzero((low <= sizes) & (sizes < high))
        if not len(inside):
            continue
        recalls = [len(task.truth[at] & set(found[at])) / len(task.truth[at]) for at in inside]
        short = [len(found[at]) < len(task.truth[at]) for at in inside]
        times = [milliseconds[at] for at in inside]
        figures.append(
            {
                "size": f"{low}-{high}" if high < 10**9 else f">{low}",
                "recall": float(np.mean(recalls)),
                "short": float(np.mean(short)),
                "p50_ms": float(np.percentile(times, 50)),
                "p95_ms": float(np.percentile(times, 95)),
            }
        )
    return figures
