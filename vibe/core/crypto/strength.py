"""Refuse secrets that people type, or copy from a page."""

from __future__ import annotations

import hashlib
import itertools
from typing import Final

from vibe.core.errors import ConfigurationError

MINIMUM_DISTINCT_BYTES: Final = 12
MINIMUM_CHARACTERS: Final = 32
MINIMUM_DISTINCT_CHARACTERS: Final = 10
PREFIX_OF_EXAMPLES: Final = "django-insecure-"
HASHED_WORDS: Final = frozenset(
    hashlib.sha256(word.encode()).digest()
    for word in ("", "a", "admin", "changeme", "default", "hello", "key", "password", "secret", "test", "vibe")
)


def is_well_known(secret: bytes) -> bool:
    """Return whether 32 bytes are a pattern (few values, a sequence, two equal halves), text, or a hashed word.

    Random keys pass: fewer than 12 different values come about once in 10**19 draws, printable bytes alone in 10**13.
    """
    steps = {(b - a) % 256 for a, b in itertools.pairwise(secret)}
    return (
        len(steps) == 1
        or len(set(secret)) < MINIMUM_DISTINCT_BYTES
        or secret[:16] == secret[16:]
        or all(0x20 <= byte < 0x7F for byte in secret)
        or secret in HASHED_WORDS
    )


def strong_text(setting: str, text: str) -> str:
    """Return a secret of any characters. Raises ConfigurationError, naming the setting and never the value."""
    patterned = len(set(text)) < MINIMUM_DISTINCT_CHARACTERS or text[: len(text) // 2] == text[(len(text) + 1) // 2 :]
    if len(text) < MINIMUM_CHARACTERS or patterned or text.startswith(PREFIX_OF_EXAMPLES):
        raise ConfigurationError(
            f"{setting} is too short, patterned or an example: it needs at least {MINIMUM_CHARACTERS} characters. "
            "Make one with: openssl rand -hex 32"
        )
    return text
