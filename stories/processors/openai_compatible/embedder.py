"""Vectors from a service that speaks OpenAI's protocol. What people said leaves the machine: docs/providers.md."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Event
from typing import Any

import numpy as np

from stories.processors.embedding import MAX_CHARACTERS, Vectors
from stories.processors.openai_compatible.budget import estimated, reserve
from stories.processors.openai_compatible.client import Deadline, client_of
from stories.processors.openai_compatible.envelope import Answer
from stories.processors.openai_compatible.errors import (
    BadAnswer,
    ProviderFailed,
    ProviderRefused,
    WrongDimensions,
)
from stories.processors.openai_compatible.service import Service, configured_service
from vibe.core.crypto.cloak import Cloak

KIND = "openai"
NAME = re.compile(rf"\A{KIND}:(.+):(\d+)(?:/(\d+))?", re.ASCII)
UNNAMED = 512
"""The length to which vectors are shortened that a name does not say: that of before it could be set."""
ATTEMPTS = 2
"""For an answer with vectors in it."""
OPTIONAL = frozenset(("dimensions", "encoding_format"))
"""Fields of a request that a service may refuse: it is then asked without them."""
INDEX = re.compile(r"\d{1,6}", re.ASCII)
NUMBER = re.compile(r"-?\d{1,20}(\.\d{0,40})?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
LARGEST = 1e6
"""Beyond it a number of a vector means nothing, and its square may be infinite."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The vectors of one request, and the tokens that all attempts at it took; None where the service does not say."""

    vectors: Vectors = field(repr=False)
    tokens: int | None


class OpenAIEmbedder:
    """Vectors of length 1; a text without a word is all zeros, so it resembles nothing, and is not sent."""

    def __init__(self, service: Service | None = None) -> None:
        self.service = service or configured_service()
        self.service.check(text=False, vectors=True)
        self.client = client_of(self.service)
        self.refused: frozenset[str] = frozenset()
        """Fields that the service does not know."""

    @classmethod
    def named(cls, name: str) -> OpenAIEmbedder | None:
        """The embedder that made vectors of this name, at the service that is configured now; None for no such name."""
        if not (made := NAME.fullmatch(name)):
            return None
        model, dimensions, stored = made[1], int(made[2]), int(made[3] or UNNAMED)
        return cls(
            replace(
                configured_service(),
                embedding_model=model,
                embedding_dimensions=dimensions,
                stored_dimensions=stored,
            )
        )

    @property
    def name(self) -> str:
        """Model and length as it makes them, and as they are stored: vectors of different ones cannot be compared."""
        made = self.service.embedding_dimensions
        stored = "" if self.dimensions == min(made, UNNAMED) else f"/{self.dimensions}"
        return f"{KIND}:{self.service.embedding_model}:{made}{stored}"

    @property
    def dimensions(self) -> int:
        """Numbers a vector as it is stored."""
        return min(self.service.embedding_dimensions, self.service.stored_dimensions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, float32 (texts, dimensions).

        A single text is a question that somebody waits for: OPENAI_QUESTION_TIMEOUT instead of OPENAI_DEADLINE.
        Raises a ProviderFailed with its reason; TokensSpent before anything is sent; ContextError outside
        `spending_for()`.
        """
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        read = [" ".join(text[:MAX_CHARACTERS].split()) for text in texts]
        worded = [at for at, text in enumerate(read) if text]
        if worded:
            seconds = self.service.question_timeout if len(texts) == 1 else self.service.deadline
            vectors[worded] = self.embedded([read[at] for at in worded], Deadline(seconds))
        return vectors

    def embedded(self, texts: list[str], deadline: Deadline) -> Vectors:
        """The vectors of texts with something in them, in the order given, and their tokens counted."""
        tokens = reserve(estimated(*texts), self.service.daily_tokens)
        size = self.service.batch
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        try:
            made = self.together(batches, deadline)
        except ProviderFailed as problem:
            tokens.settle(None if problem.took_tokens or len(batches) > 1 else 0)
            raise
        used = [batch.tokens for batch in made]
        tokens.settle(None if None in used else sum(filter(None, used)))
        return shortened(np.concatenate([batch.vectors for batch in made]), self.dimensions)

    def together(self, batches: list[list[str]], deadline: Deadline) -> list[Batch]:
        """All batches, some at a time. The first that fails ends it: those not yet begun are not sent."""
        if len(batches) == 1:
            return [self.batch(batches[0], deadline)]
        failed = Event()

        def sent(batch: list[str]) -> Batch:
            if failed.is_set():  # asked here, in the worker: a free worker is faster than the thread that waits
                raise CancelledError
            try:
                return self.batch(batch, deadline)
            except BaseException:
                failed.set()
                raise

        workers = ThreadPoolExecutor(min(self.service.concurrency, len(batches)), thread_name_prefix="embed")
        try:
            futures = [workers.submit(sent, batch) for batch in batches]
            return [future.result() for future in futures]  # what was not sent stands behind what failed
        finally:
            workers.shutdown(cancel_futures=True)

    def batch(self, texts: list[str], deadline: Deadline) -> Batch:
        """The vectors of one request, asked for anew when they are none."""
        taken: list[int | None] = []
        for left in reversed(range(ATTEMPTS)):
            try:
                answer = self.answered(texts, deadline)
                taken.append(answer.tokens)
                vectors = read_vectors(answer.body, len(texts), self.service.embedding_dimensions)
                return Batch(vectors, None if None in taken else sum(filter(None, taken)))
            except WrongDimensions:
                raise
            except BadAnswer:
                if not left or not deadline.left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def answered(self, texts: list[str], deadline: Deadline) -> Answer:
        """What the service answers, asked without the fields that it refuses by name."""
        while True:
            body = self.request(texts)
            try:
                return self.client.ask("/embeddings", body, deadline)
            except ProviderRefused as problem:
                refused = problem.fields & OPTIONAL & body.keys()
                if not refused:
                    raise
                self.refused |= refused

    def request(self, texts: list[str]) -> dict[str, Any]:
        """The body of the request. Everything that leaves the machine for vectors is in here."""
        body: dict[str, Any] = {"model": self.service.embedding_model, "input": texts, "encoding_format": "float"}
        if self.service.send_dimensions:
            body["dimensions"] = self.service.embedding_dimensions
        return {name: value for name, value in body.items() if name not in self.refused}


def read_vectors(body: Mapping[str, Any], count: int, dimensions: int) -> Vectors:
    """The vectors of an answer in the order of their texts, of length 1. Raises WrongDimensions and BadAnswer."""
    data = body.get("data")
    if not isinstance(data, list) or len(data) != count:
        given = len(data) if isinstance(data, list) else "no"
        raise BadAnswer(f"The service gave {given} vectors for {count} texts.")
    vectors = np.zeros((count, dimensions))
    for at, item in zip(order_of(data), data, strict=True):
        vectors[at] = numbers(item.get("embedding") if isinstance(item, Mapping) else item, dimensions)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise BadAnswer("The service gave a vector of zeros.")
    made: Vectors = (vectors / lengths).astype(np.float32)
    return made


def order_of(data: Sequence[object]) -> Sequence[int]:
    """Of which text each vector is: by its index, counted from 0 or 1, or by its place where all have the same or none.

    Raises BadAnswer for indices that contradict each other.
    """
    given = [item.get("index") if isinstance(item, Mapping) else None for item in data]
    places = range(len(data))
    if len(set(map(repr, given))) == 1:
        return places
    indices = [int(each) for each in given if type(each) is int or (isinstance(each, str) and INDEX.fullmatch(each))]
    for first in (0, 1):
        if len(indices) == len(data) and sorted(indices) == [first + place for place in places]:
            return [index - first for index in indices]
    raise BadAnswer("The service gave vectors with indices that are not those of the texts.")


def numbers(value: object, dimensions: int) -> Vectors:
    """One vector as it was sent: numbers, also as texts, alone in a further list, or base 64 of 32-bit floats."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    made = decoded(value) if isinstance(value, str) else floats(value)
    if len(made) != dimensions:
        raise WrongDimensions(
            f"The service gave a vector of {len(made)} dimensions, and {dimensions} were asked for. Set "
            "OPENAI_EMBEDDING_DIMENSIONS to what the model makes, or turn OPENAI_SEND_DIMENSIONS on if it can make "
            "shorter ones."
        )
    if not (np.abs(made) <= LARGEST).all():  # NaN is not <= either
        raise BadAnswer("The service gave a vector with a non-finite number in it.")
    return made


def decoded(text: str) -> Vectors:
    """Little-endian floats in base 64, which the protocol has as `encoding_format`."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b"-"
    if len(content) % 4:
        raise BadAnswer("The service gave a vector that is neither numbers nor base 64 of them.")
    return np.frombuffer(content, dtype="<f4").astype(np.float64)


def floats(value: object) -> Vectors:
    """The numbers of a list. NaN stands for what is none."""
    if not isinstance(value, list):
        raise BadAnswer("The service gave a vector that is no list of numbers.")
    return np.array([number if type(number) is float else as_float(number) for number in value], dtype=np.float64)


def as_float(value: object) -> float:
    """A whole number, or a number written as a text."""
    if type(value) is int:
        return float(value) if abs(value) <= LARGEST else np.inf
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else np.nan


def shortened(vectors: Vectors, dimensions: int) -> Vectors:
    """Vectors of length 1 in as many dimensions as are stored.

    Longer ones are projected to a random subspace, drawn once for all, in which cosines stay nearly what they are
    (W. Johnson and J. Lindenstrauss, "Extensions of Lipschitz mappings into a Hilbert space", 1984). Leaving out the
    last numbers suits only models that are made for it, and those can be asked for shorter vectors.
    """
    if vectors.shape[1] <= dimensions:
        return vectors
    projected = projection(vectors.shape[1]).apply(vectors)[:, :dimensions]
    made: Vectors = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    return made


@cache
def projection(dimensions: int) -> Cloak:
    """The same rotation for everybody and for ever: new vectors are compared with stored ones. It hides nothing."""
    return Cloak(bytes(32), dimensions)
