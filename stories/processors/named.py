"""The processors and embedders that come with Vibe, by the short names that settings may use."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from vibe.core.errors import ConfigurationError

EMBEDDERS: Mapping[str, str] = {
    "offline": "stories.processors.embedding.OfflineEmbedder",
    "openai": "stories.processors.openai_compatible.embedder.OpenAIEmbedder",
}
CLASSES: Mapping[str, Mapping[str, str]] = {
    "STORY_PROCESSOR": {
        "offline": "stories.processors.offline.processor.OfflineProcessor",
        "openai": "stories.processors.openai_compatible.processor.OpenAIProcessor",
    },
    "STORY_EMBEDDER": EMBEDDERS,
    "STORY_EMBEDDERS_RETIRED": EMBEDDERS,
}


def processor_path() -> str:
    """Return the dotted path of STORY_PROCESSOR."""
    return class_path("STORY_PROCESSOR", settings.STORY_PROCESSOR)


def embedder_paths() -> list[str]:
    """Return the dotted paths of STORY_EMBEDDER and, behind it, of STORY_EMBEDDERS_RETIRED."""
    retired = (class_path("STORY_EMBEDDERS_RETIRED", each) for each in settings.STORY_EMBEDDERS_RETIRED)
    return [class_path("STORY_EMBEDDER", settings.STORY_EMBEDDER), *retired]


def class_path(setting: str, value: str) -> str:
    """The dotted path of a class, given as such or by its short name."""
    known = CLASSES[setting]
    if value not in known and "." not in value:
        raise ConfigurationError(f"{setting} must be {' or '.join(known)}, or the dotted path of a class.")
    return known.get(value, value)
