"""Which service is asked, and within which bounds: the settings OPENAI_*, checked at the start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit

from django.conf import settings

from stories.models import VECTOR_WIDTHS
from vibe.core.errors import ConfigurationError
from vibe.core.from_settings import from_settings

AnswerFormat = Literal["json_schema", "json_object", "text"]

LONGEST_MODEL = 80
"""Characters of a model's name: it is stored with each story."""
LEAST_CONTEXT = 2_000
MOST_DIMENSIONS = 4_096
"""Of a model's vectors: the projection to what is stored takes time and memory with the square of it."""
LEAST_STORED = 64
"""Numbers of a stored vector: fewer tell little apart."""
INSIDE = (".local", ".internal", ".localhost", ".lan")


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its bounds. The names of its settings are OPENAI_ and the field's name in capitals."""

    base_url: str
    api_key: str = field(repr=False)
    text_model: str
    embedding_model: str
    embedding_dimensions: int
    """Numbers a vector as the model makes it."""
    stored_dimensions: int
    """Numbers a vector as it is stored, at most."""
    send_dimensions: bool
    """Whether to ask for that many, which some models do not understand."""
    answer_format: AnswerFormat
    timeout: float
    """Seconds for one request, from connecting to the last byte."""
    deadline: float
    """Seconds for a story or its vectors, with everything that is waited for and asked again."""
    question_timeout: float
    """Seconds for the vector of a question, all in all: somebody waits for it."""
    batch: int
    """Texts in one request for vectors."""
    concurrency: int
    """Requests of one process at a time."""
    daily_tokens: int
    """Tokens a person and day (UTC); 0: no bound."""
    context_characters: int
    """Characters of a conversation that are sent."""

    def check(self, *, text: bool, vectors: bool) -> None:
        """Refuse to start without what is in use: for stories, for vectors.

        What is not in use may be set for other programs, and is let be.
        """
        if not text and not vectors:
            return
        if text and not self.text_model:
            raise ConfigurationError("OPENAI_TEXT_MODEL is not set, and STORY_PROCESSOR is openai. Name the model.")
        if vectors and not self.embedding_model:
            raise ConfigurationError("OPENAI_EMBEDDING_MODEL is not set, and STORY_EMBEDDER is openai. Name the model.")
        self.check_values()

    def check_values(self) -> None:
        """Refuse values that make no sense."""
        checked_url(self.base_url)
        for name in ("text_model", "embedding_model"):
            if len(getattr(self, name)) > LONGEST_MODEL:
                raise ConfigurationError(f"OPENAI_{name.upper()} is longer than {LONGEST_MODEL} characters.")
        for name in ("timeout", "deadline", "question_timeout", "batch", "concurrency", "embedding_dimensions"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"OPENAI_{name.upper()} must be more than 0.")
        if self.embedding_dimensions > MOST_DIMENSIONS:
            raise ConfigurationError(f"OPENAI_EMBEDDING_DIMENSIONS must be at most {MOST_DIMENSIONS:,}.")
        if not LEAST_STORED <= self.stored_dimensions <= max(VECTOR_WIDTHS):
            raise ConfigurationError(f"OPENAI_STORED_DIMENSIONS must be from {LEAST_STORED} to {max(VECTOR_WIDTHS):,}.")
        if self.daily_tokens < 0:
            raise ConfigurationError("OPENAI_DAILY_TOKENS must be 0 (no bound) or more.")
        if self.context_characters < LEAST_CONTEXT:
            raise ConfigurationError(f"OPENAI_CONTEXT_CHARACTERS must be at least {LEAST_CONTEXT}.")
        if self.answer_format not in get_args(AnswerFormat):
            raise ConfigurationError(f"OPENAI_ANSWER_FORMAT must be one of: {', '.join(get_args(AnswerFormat))}.")


@from_settings
def configured_service() -> Service:
    """Return the service of the settings."""
    return Service(**settings.OPENAI, api_key=settings.OPENAI_API_KEY)


def checked_url(url: str) -> None:
    """Refuse what is no address, and a clear line out of the house: what people said must not travel in the clear."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ConfigurationError("OPENAI_BASE_URL must be an address such as https://api.openai.com/v1.")
    if parts.scheme == "http" and not is_inside(host):
        raise ConfigurationError("OPENAI_BASE_URL must begin with https:// for a host outside your own network.")


def is_inside(host: str) -> bool:
    """Whether a host is this machine, a private address, or a name that means nothing outside."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(INSIDE)
