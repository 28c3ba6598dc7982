"""From clear values to what the database holds of them: blind tokens and cloaked vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.conf import settings
from pgvector import HalfVector

from stories.building.passages import PassageText
from stories.processors.embedding import Vectors
from stories.text.languages import ENGLISH
from stories.text.words import words
from vibe.core.crypto.vault import Vault
from vibe.core.folding import spelled_out

WORD = "word"
SPEAKER = "speaker"
MOST = 32_767  # of one word in one passage; the column is a smallint


def word_tokens(vault: Vault, wanted: Iterable[str]) -> list[int]:
    """The blind tokens of words."""
    return vault.index.tokens(WORD, wanted)


def speaker_token(vault: Vault, name: str) -> int:
    """The blind token of whoever said something."""
    return vault.index.token(SPEAKER, name)


def blind_words(vault: Vault, passages: list[PassageText]) -> list[dict[int, int]]:
    """For each passage its tokens and how often each stands there, in the order of the tokens.

    Every different word is blinded once. The order of the words themselves would tell their places in a dictionary.
    """
    known = {word: vault.index.token(WORD, word) for passage in passages for word in set(passage.words)}
    return [
        dict(sorted((known[word], min(count, MOST)) for word, count in Counter(passage.words).items()))
        for passage in passages
    ]


def blind_phrases(vault: Vault, kind: str, phrases: Iterable[str]) -> list[int]:
    """Tokens for names or events: each phrase as a whole, and each of its words, so that either finds it.

    A name is read as English, since too short a text to tell its language.
    """
    tokens: set[int] = set()
    for phrase in phrases:
        tokens.update(vault.index.tokens(kind, (phrase, spelled_out(phrase))))
        tokens.update(vault.index.tokens(f"{kind}-word", words(phrase, ENGLISH)))
    return sorted(tokens)


def cloaked(vault: Vault, vectors: Vectors) -> list[HalfVector | None]:
    """Vectors under the person's rotation. Shape (n, d) to n of them, with the precision of a half-precision float.

    A vector of zeros (a text without a word) has no direction and gives None.
    """
    rotated = vault.cloak(settings.EMBEDDING_DIMENSIONS).apply(vectors)
    return [HalfVector(row) if row.any() else None for row in rotated]


def array_text(numbers: Iterable[int]) -> str:
    """An array of integers as PostgreSQL reads it."""
    return f"{{{','.join(map(str, numbers))}}}"
