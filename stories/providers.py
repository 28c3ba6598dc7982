"""The configured processor and embedder, made once per process."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from stories.processors.base import Processor
from stories.processors.embedding import Embedder


@cache
def processor() -> Processor:
    """What tells stories, by the setting STORY_PROCESSOR."""
    made: Processor = import_string(settings.STORY_PROCESSOR)()
    return made


@cache
def embedder() -> Embedder:
    """What makes vectors, by the setting STORY_EMBEDDER."""
    made: Embedder = import_string(settings.STORY_EMBEDDER)()
    return made


def processor_id() -> str:
    """Name and version, as stored with each story."""
    return f"{processor().name}/{processor().version}"
