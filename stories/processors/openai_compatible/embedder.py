"""Vectors from a service that speaks OpenAI's protocol. What people said leaves the machine: docs/providers.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import numpy as np
from django.conf import settings

from stories.processors.embedding import MAX_CHARACTERS, Vectors
from stories.processors.openai_compatible.budget import estimated, reserve
from stories.processors.openai_compatible.client import client_of
from stories.processors.openai_compatible.deadline import Deadline
from stories.processors.openai_compatible.errors import BadAnswer, ProviderFailed, WrongDimensions
from stories.processors.openai_compatible.service import Service, configured_service

KIND = "openai"
ATTEMPTS = 3
"""For an answer that is one."""
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
        self.service.check(text=False, vectors=True, columns=settings.EMBEDDING_DIMENSIONS)
        self.client = client_of(self.service)

    @classmethod
    def named(cls, name: str) -> OpenAIEmbedder | None:
        """The embedder that made vectors of this name, at the service that is configured now; None for no such name."""
        kind, _, rest = name.partition(":")
        model, _, dimensions = rest.rpartition(":")
        if kind != KIND or not model or not dimensions.isdecimal():
            return None
        return cls(replace(configured_service(), embedding_model=model, embedding_dimensions=int(dimensions)))

    @property
    def name(self) -> str:
        """Model and length: vectors of different ones cannot be compared."""
        return f"{KIND}:{self.service.embedding_model}:{self.dimensions}"

    @property
    def dimensions(self) -> int:
        return self.service.embedding_dimensions

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
        return np.concatenate([batch.vectors for batch in made])

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
                answer = self.client.ask("/embeddings", self.request(texts), deadline)
                taken.append(answer.tokens)
                vectors = read_vectors(answer.body, len(texts), self.dimensions)
                return Batch(vectors, None if None in taken else sum(filter(None, taken)))
            except WrongDimensions:
                raise
            except BadAnswer:
                if not left or not deadline.left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def request(self, texts: list[str]) -> dict[str, Any]:
        """The body of the request. Everything that leaves the machine for vectors is in here."""
        body = {"model": self.service.embedding_model, "input": texts, "encoding_format": "float"}
        return {**body, "dimensions": self.dimensions} if self.service.send_dimensions else body


def read_vectors(body: Mapping[str, Any], count: int, dimensions: int) -> Vectors:
    """The vectors of an answer by their index, of length 1. Raises WrongDimensions and BadAnswer."""
    data = body.get("data")
    if not isinstance(data, list) or len(data) != count:
        given = len(data) if isinstance(data, list) else "no"
        raise BadAnswer(f"The service gave {given} vectors for {count} texts.")
    vectors = np.zeros((count, dimensions))
    for item in data:
        if not isinstance(item, Mapping) or type(item.get("index")) is not int or not 0 <= item["index"] < count:
            raise BadAnswer("The service gave a vector without the index of its text.")
        vectors[item["index"]] = numbers(item.get("embedding"), dimensions)
    if len({item["index"] for item in data}) != count:
        raise BadAnswer("The service gave two vectors for one text.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise BadAnswer("The service gave a vector of zeros.")
    made: Vectors = (vectors / lengths).astype(np.float32)
    return made


def numbers(value: object, dimensions: int) -> list[float]:
    """One vector as it was sent."""
    if not isinstance(value, list):
        raise BadAnswer("The service gave a vector that is no list of numbers.")
    if len(value) != dimensions:
        raise WrongDimensions(
            f"The service gave a vector of {len(value)} dimensions, and {dimensions} were asked for. Correct "
            "OPENAI_EMBEDDING_DIMENSIONS, or turn OPENAI_SEND_DIMENSIONS on if the model can make shorter ones."
        )
    if not all(type(number) in (int, float) and abs(number) <= LARGEST for number in value):  # NaN is not <= either
        raise BadAnswer("The service gave a vector with something in it that is no finite number.")
    return value
