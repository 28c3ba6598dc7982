"""The configured processor and embedder, made once per process, and what is asked of any embedder's answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import numpy as np
from django.utils.module_loading import import_string

from stories.processors.base import Processor
from stories.processors.embedding import Embedder, Vectors
from stories.processors.errors import ProcessingFailed, ProcessorFailed
from stories.processors.named import EMBEDDERS, embedder_paths, processor_path
from stories.processors.openai_compatible.errors import TokensSpent
from vibe.core.errors import VibeError


class EmbedderFailed(ProcessingFailed):
    message = "The embedder gave no usable vectors. Check STORY_EMBEDDER and the service behind it."
    code = "embedder-failed"

    def __init__(self, message: str | None = None, *, again_at: datetime | None = None, away: bool = False) -> None:
        super().__init__(message, again_at=again_at)
        self.away = away


@cache
def processor() -> Processor:
    """What tells stories, by the setting STORY_PROCESSOR."""
    made: Processor = import_string(processor_path())()
    return made


@cache
def embedder() -> Embedder:
    """What makes vectors, by the setting STORY_EMBEDDER."""
    made: Embedder = import_string(embedder_paths()[0])()
    return made


def embedder_named(name: str) -> Embedder | None:
    """What makes vectors of this name: the configured embedder, or one that was and may still be asked.

    Those are the offline one, other models of the service that is configured, and STORY_EMBEDDERS_RETIRED.
    """
    if embedder().name == name:
        return embedder()
    for path in (EMBEDDERS["offline"], *embedder_paths()):
        kind = import_string(path)
        made: Embedder | None = kind.named(name) if hasattr(kind, "named") else kind()
        if made is not None and made.name == name:
            return made
    return None


def may_wait() -> bool:
    """Whether there can be vectors of a model that answers from somewhere else."""
    models = (embedder(), *map(import_string, embedder_paths()[1:]))
    return not all(getattr(model, "in_process", False) for model in models)


def embed(texts: Sequence[str], model: Embedder | None = None) -> Vectors:
    """The vectors of the texts by a model, or by the configured one, float32 (texts, dimensions).

    Raises EmbedderFailed for any other answer than that; it is `away` where what the embedder raised is. What is no
    error of ours is named by its type alone: its text may hold what people said.
    """
    model = model or embedder()
    try:
        vectors = np.asarray(model.embed(texts), dtype=np.float32)
    except (TokensSpent, ProcessorFailed):
        raise  # in words already; for tokens the job waits for tomorrow, and a search goes by words
    except ProcessingFailed as problem:
        failed = EmbedderFailed(
            f"The embedder {model.name} failed: {problem}", again_at=problem.again_at, away=problem.away
        )
        raise failed from None
    except VibeError as problem:
        raise EmbedderFailed(f"The embedder {model.name} failed: {problem}") from None
    except Exception as problem:
        raise EmbedderFailed(f"The embedder {model.name} failed: {type(problem).__name__}.") from None
    if vectors.shape != (len(texts), model.dimensions):
        raise EmbedderFailed(
            f"The embedder {model.name} gave vectors of shape {vectors.shape} for {len(texts)} texts of "
            f"{model.dimensions} dimensions. Correct the dimensions of STORY_EMBEDDER, or the service behind it."
        )
    from stories.models import VECTOR_WIDTHS  # noqa: PLC0415  the web server imports this before the apps are there

    if model.dimensions > max(VECTOR_WIDTHS):
        raise EmbedderFailed(
            f"The embedder {model.name} makes {model.dimensions} dimensions; at most {max(VECTOR_WIDTHS)} are stored. "
            "Ask it for shorter vectors."
        )
    if not np.isfinite(vectors).all():
        raise EmbedderFailed(f"The embedder {model.name} gave numbers that are not finite.")
    return vectors


def processor_id() -> str:
    """Name and version, as stored with each story."""
    return f"{processor().name}/{processor().version}"
