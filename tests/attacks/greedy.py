"""A processor that does as a message tells it: what a fault in one, met by one conversation, could do to a worker."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from stories.processors.base import Draft, Transcript
from stories.processors.embedding import OfflineEmbedder, Vectors
from stories.processors.offline.processor import OfflineProcessor
from stories.processors.openai_compatible.errors import TokensSpent
from vibe.core.errors import Conflict

CANARY = "the heron at the weir"
BEGAN = datetime(2024, 5, 15, 12, tzinfo=ZoneInfo("Europe/Lisbon"))
HELD: list[bytearray] = []


def never_end() -> None:
    """2ⁿ steps, in one call of a C function that looks for no signal handler's result."""
    re.match(r"(a|aa)+$", "a" * 100 + "!")


def eat() -> None:
    for _ in range(1_000):
        HELD.append(bytearray(b"x" * (8 << 20)))


def grow() -> None:
    HELD.append(bytearray(b"x" * (40 << 20)))


def shout() -> None:
    os.write(2, f"{CANARY}\n".encode())
    print(CANARY, CANARY, file=sys.stderr, flush=True)
    raise ValueError(CANARY)


def refuse() -> None:
    problem = Conflict("This conversation cannot be told.")
    problem.page = 7  # type: ignore[attr-defined]
    raise problem


def oversleep() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(3_600)


DEEDS: dict[str, Callable[[], object]] = {
    "compute": never_end,
    "eat": eat,
    "grow": grow,
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "sleep": lambda: time.sleep(3_600),
    "oversleep": oversleep,
    "shout": shout,
    "refuse": refuse,
    "linger": lambda: threading.Thread(target=time.sleep, args=[3_600], daemon=True).start(),
    "interrupt": lambda: sys.exit(CANARY),
}


class Greedy(OfflineProcessor):
    """The offline processor, until a message says `please` and one of the deeds."""

    name = "greedy"

    def compose(self, transcript: Transcript) -> Draft:
        for message in transcript.messages:
            if found := re.search(r"please (\w+)", message.text):
                DEEDS[found[1]]()
        return super().compose(transcript)


class Careless(Greedy):
    """Gives something that is no story."""

    name = "careless"

    def compose(self, transcript: Transcript) -> Draft:
        return {"title": transcript.title}  # type: ignore[return-value]


class Failing(OfflineEmbedder):
    """Does what the first text names."""

    name = "failing"

    def preload(self) -> None:
        """Load no model."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        if texts[0] == "tokens":
            raise TokensSpent("They are spent.", again_at=BEGAN)
        if texts[0] == "memory":
            raise MemoryError
        if texts[0] == "shape":
            return np.zeros((1, 1), np.float32)
        if texts[0] == "words":
            return ["a", "b"]  # type: ignore[return-value]
        return np.full((len(texts), 512), len(texts), np.float64)
