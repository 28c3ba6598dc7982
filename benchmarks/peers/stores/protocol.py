"""What a store beside ours has to do, and how it is measured. Runs in that store's own environment: numpy and no more.

    python STORE.py FOLDER RESULT.json

FOLDER holds task.npz: `vectors` (N, D) float32 of length 1, `owners` (N,) numbers, `asked` (Q, D), `askers` (Q,).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

TOP, TRIES, BATCH, SINGLES, WARM = 10, 2, 1_000, 300, 5


class Store(Protocol):
    """A store, empty at first. A row's number is what it is found by."""

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        """Keep up to BATCH rows, as the store's documentation would have one do it."""

    def built(self) -> None:
        """All bulk rows are in: time to make indexes, if the store wants that said."""

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        """Keep one row, so that the next search finds it."""

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        """The numbers of the likest rows of one person, with their texts read."""


def text_of(number: int) -> str:
    """What row `number` says: some 100 bytes."""
    return f"Message {number}: it was a long day by the sea and I am glad that we went there together at last."


def run(store: Store) -> None:
    """Measure a store, as the command line says."""
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    task = np.load(folder / "task.npz")
    result.write_text(json.dumps(measure(store, task["vectors"], task["owners"], task["asked"], task["askers"])))


def measure(store: Store, vectors: Any, owners: Any, asked: Any, askers: Any) -> dict[str, Any]:
    """Rows a second in bulk and one by one; for each question the milliseconds of the better try, and the answer."""
    size = len(vectors)
    singles = range(size - SINGLES, size)
    start = time.perf_counter()
    for first in range(0, size - SINGLES, BATCH):
        numbers = list(range(first, min(first + BATCH, size - SINGLES)))
        store.bulk(numbers, owners[numbers].tolist(), vectors[numbers], [text_of(each) for each in numbers])
    store.built()
    bulk = (size - SINGLES) / (time.perf_counter() - start)
    start = time.perf_counter()
    for number in singles:
        store.add(number, int(owners[number]), vectors[number], text_of(number))
    single = SINGLES / (time.perf_counter() - start)
    return {"bulk_rows_per_second": bulk, "single_rows_per_second": single, **answers(store, asked, askers)}


def answers(store: Store, asked: Any, askers: Any) -> dict[str, Any]:
    """Ask everything, each question twice."""
    for at in range(min(WARM, len(asked))):
        store.search(int(askers[at]), asked[at], TOP)
    milliseconds, found = [], []
    for vector, owner in zip(asked, askers, strict=True):
        best, numbers = float("inf"), []
        for _ in range(TRIES):
            start = time.perf_counter()
            numbers = store.search(int(owner), vector, TOP)
            best = min(best, time.perf_counter() - start)
        milliseconds.append(best * 1_000)
        found.append(numbers)
    return {"milliseconds": milliseconds, "found": found}
