"""What a store beside ours has to do, and how it is measured. Runs in that store's own environment: numpy and no more.

    python STORE.py FOLDER RESULT.json

FOLDER holds task.npz: `vectors` (N, D) float32 of length 1, `owners` (N,) numbers, `asked` (Q, D), `askers` (Q,); and
task.json: the N `texts` of the rows and the Q `questions` in words.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

TOP, TRIES, BATCH, SINGLES, WARM = 10, 3, 1_000, 300, 20


class Store(Protocol):
    """A store, empty at first. A row's number is what it is found by.

    One that can leave less out, for more time, has `thorough(on=…)`. One that also searches by words and vectors
    together has `with_words()`, which makes what that needs and is not timed, and `search_words(…)`.
    """

    def bulk(self, numbers: list[int], owners: list[int], vectors: Any, texts: list[str]) -> None:
        """Keep up to BATCH rows, as the store's documentation would have one do it."""

    def built(self) -> None:
        """All bulk rows are in: time to make indexes, if the store wants that said. Counts as part of the bulk."""

    def add(self, number: int, owner: int, vector: Any, text: str) -> None:
        """Keep one row, so that the next search finds it."""

    def settled(self) -> None:
        """All rows are in: what its keeper does before it is asked, such as statistics or compaction. Not timed."""

    def search(self, owner: int, vector: Any, limit: int) -> list[int]:
        """The numbers of the nearest rows of one person, with their texts read."""


def run(store: Store) -> None:
    """Measure a store, as the command line says."""
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    task, said = np.load(folder / "task.npz"), json.loads((folder / "task.json").read_text())
    asked, askers = task["asked"], task["askers"]
    measured = ingested(store, task["vectors"], task["owners"], said["texts"])
    store.settled()
    questions = list(zip(askers.tolist(), asked, said["questions"], strict=True))
    measured |= answers(lambda owner, vector, _: store.search(owner, vector, TOP), questions)
    if hasattr(store, "thorough"):
        store.thorough(on=True)
        measured["thorough"] = answers(lambda owner, vector, _: store.search(owner, vector, TOP), questions)
        store.thorough(on=False)
    if hasattr(store, "search_words"):
        store.with_words()
        measured["with_words"] = answers(
            lambda owner, vector, question: store.search_words(owner, vector, question, TOP), questions
        )
    result.write_text(json.dumps(measured))


def ingested(store: Store, vectors: Any, owners: Any, texts: list[str]) -> dict[str, Any]:
    """Rows a second, in bulk and one by one."""
    size = len(vectors)
    singles = range(size - SINGLES, size)
    start = time.perf_counter()
    for first in range(0, size - SINGLES, BATCH):
        numbers = list(range(first, min(first + BATCH, size - SINGLES)))
        store.bulk(numbers, owners[numbers].tolist(), vectors[numbers], [texts[each] for each in numbers])
    store.built()
    bulk = (size - SINGLES) / (time.perf_counter() - start)
    start = time.perf_counter()
    for number in singles:
        store.add(number, int(owners[number]), vectors[number], texts[number])
    single = SINGLES / (time.perf_counter() - start)
    return {"bulk_rows_per_second": bulk, "single_rows_per_second": single}


def answers(search: Callable[[int, Any, str], list[Any]], questions: list[tuple[int, Any, str]]) -> dict[str, Any]:
    """Of each question, after WARM of them: the milliseconds of the best of TRIES, and the answer."""
    for question in questions[:: max(len(questions) // WARM, 1)]:
        search(*question)
    milliseconds, found = [], []
    for question in questions:
        best, numbers = float("inf"), []
        for _ in range(TRIES):
            start = time.perf_counter()
            numbers = search(*question)
            best = min(best, time.perf_counter() - start)
        milliseconds.append(best * 1_000)
        found.append(numbers)
    return {"milliseconds": milliseconds, "found": found}
