"""Stories and vectors made in child processes, within limits on CPU time, memory and waiting.

A text that the processor cannot cope with costs its own conversation, and says why. What waits for a service rather
than working itself stays in this process: its tokens are counted in the database, which a child has no connection to,
and its requests keep to deadlines of their own (OPENAI_DEADLINE).
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence

import numpy as np
from django.conf import settings

from stories.processors.base import Draft, Processor, Transcript
from stories.processors.configured import embed, embedder, processor
from stories.processors.embedding import Embedder, Vectors
from stories.processors.errors import ProcessorFailed
from stories.processors.fence.pool import Limits, Pool
from vibe.core.errors import ConfigurationError
from vibe.core.from_settings import from_settings

TEXTS_A_TASK = 128
"""Of a bulk, so that the limits hold for a part of it, whatever its size."""


def build_draft(transcript: Transcript, by: Processor | None = None) -> Draft:
    """Return the story that a processor, or the configured one, makes of a conversation.

    Raises a ProcessorFailed in words: TimedOut, OutOfMemory, Crashed or Stopped; or the processor's own VibeError.
    """
    by = by or processor()
    if not getattr(by, "in_process", True):
        return by.compose(transcript)
    who = f"processor {by.name}"
    draft = _pool.run(who, _path(by), "compose", transcript, processor_limits())
    if not isinstance(draft, Draft):
        raise ProcessorFailed(f"The {who} gave no draft of a story.")
    return draft


def embed_many(texts: Sequence[str], model: Embedder | None = None) -> Vectors:
    """Return the vectors of many texts, as `configured.embed` does for a few.

    Raises ProcessorFailed like `build_draft`, and what `embed` raises.
    """
    model = model or embedder()
    return embed(texts, _Fenced(model) if getattr(model, "in_process", False) else model)


def stop() -> None:
    """End all children of this process at once: its worker is shutting down. Whoever waits for one gets Stopped."""
    _pool.stop()


def resume() -> None:
    """Let children start again, in a process that goes on after its worker has ended."""
    _pool.resume()


def close() -> None:
    """End all children of this process; new ones start when they are needed."""
    _pool.close()


@from_settings
def processor_limits() -> Limits:
    """Return the limits of the settings. Raises ConfigurationError."""
    limits = Limits(settings.PROCESSOR_CPU_SECONDS, settings.PROCESSOR_MEMORY_MB, settings.PROCESSOR_WALL_SECONDS)
    for name in ("cpu_seconds", "memory_mb", "wall_seconds"):
        if not 0 < getattr(limits, name) < 2**31:
            raise ConfigurationError(f"PROCESSOR_{name.upper()} must be more than 0.")
    return limits


class _Fenced:
    """An embedder whose vectors are made in a child."""

    def __init__(self, model: Embedder) -> None:
        self.model = model
        self.name = model.name
        self.dimensions = model.dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        parts = [texts[at : at + TEXTS_A_TASK] for at in range(0, len(texts), TEXTS_A_TASK)]
        return np.concatenate([self._part(part) for part in parts or [texts]])

    def _part(self, texts: Sequence[str]) -> Vectors:
        answer = _pool.run(f"embedder {self.name}", _path(self.model), "embed", list(texts), processor_limits())
        try:
            shape, data = answer
            return np.frombuffer(data, dtype=np.float32).reshape(shape)
        except (TypeError, ValueError):
            pass
        raise ProcessorFailed(f"The embedder {self.name} gave something else than an array of numbers.")


def _path(of: object) -> str:
    """Return where a child finds the class: `module:name`."""
    return f"{type(of).__module__}:{type(of).__qualname__}"


def _preload() -> list[str]:
    """Return the paths of what is configured and works in a child."""
    made = (processor(), True), (embedder(), False)
    return [_path(each) for each, unless_said in made if getattr(each, "in_process", unless_said)]


def _make_pool() -> None:
    """Begin with no child: also in a process that was forked, whose parent has its own."""
    global _pool  # noqa: PLW0603
    _pool = Pool(_preload)


_pool: Pool
_make_pool()
os.register_at_fork(after_in_child=_make_pool)
atexit.register(close)
