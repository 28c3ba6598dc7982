"""The processors and embedders that come with Vibe, by the short names that settings may use. Plain Python."""

from __future__ import annotations

from collections.abc import Mapping

from vibe.core.errors import ConfigurationError

CLASSES: Mapping[str, Mapping[str, str]] = {
    "STORY_PROCESSOR": {
        "offline": "stories.processors.offline.processor.OfflineProcessor",
        "openai": "stories.processors.openai_compatible.processor.OpenAIProcessor",
    },
    "STORY_EMBEDDER": {
        "offline": "stories.processors.embedding.OfflineEmbedder",
        "openai": "stories.processors.openai_compatible.embedder.OpenAIEmbedder",
    },
}


def class_path(setting: str, value: str) -> str:
    """The dotted path of a class, given as such or by its short name."""
    known = CLASSES[setting]
    if value not in known and "." not in value:
        raise ConfigurationError(f"{setting} must be {' or '.join(known)}, or the dotted path of a class.")
    return known.get(value, value)
