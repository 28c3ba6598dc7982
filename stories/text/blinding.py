"""From clear values to what the database holds of them: blind tokens and cloaked vectors."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import randbits

from django.conf import settings
from pgvector import HalfVector

from memories.metadata import TO_JSON, Metadata
from stories.processors.embedding import Vectors
from stories.text.languages import ENGLISH
from stories.text.passages import PassageText
from stories.text.words import words
from vibe.core.crypto.vault import Vault
from vibe.core.folding import spelled_out

WORD = "word"
SPEAKER = "speaker"
MOST_METADATA = 16
"""Members of a memory's metadata that it is found by: the first ones."""
FEWEST = 16
"""Tokens of a passage with words."""


def word_tokens(vault: Vault, wanted: Iterable[str]) -> list[int]:
    """The blind tokens of words."""
    return vault.index.tokens(WORD, wanted)


def speaker_token(vault: Vault, name: str) -> int:
    """The blind token of whoever said something."""
    return vault.index.token(SPEAKER, name)


def metadata_tokens(vault: Vault, metadata: Metadata) -> list[int]:
    """The blind tokens of the first members of metadata, each of its name and value together, compared exactly.

    A whole number is the same with and without a decimal point. Names and values fold to nothing else in hexadecimal.
    """
    told = list(metadata.items())[:MOST_METADATA]
    whole = [(name, int(value) if isinstance(value, float) and value.is_integer() else value) for name, value in told]
    return vault.index.tokens("metadata", (TO_JSON(member).encode().hex() for member in whole))


def metadata_index(vault: Vault, metadata: Metadata) -> list[int] | None:
    """What a passage is found by of its memory's metadata; None without any.

    Dummy tokens fill it up to 4 or 16, so that a dump does not tell how many members there are.
    """
    tokens = metadata_tokens(vault, metadata)
    if not tokens:
        return None
    size = 4 if len(tokens) <= 4 else MOST_METADATA
    return sorted([*tokens, *(dummy_token() for _ in range(size - len(tokens)))])


def length_class(length: int) -> int:
    """Return a number of words rounded up to one of few: 1, 2, 3, 4, 6, 8, 12, 16, 24, …; 0 for none.

    A dump is not to show how long a text is to the word, and BM25 does not need it.
    """
    if length <= 0:
        return 0
    power = 1 << (length - 1).bit_length()
    return power * 3 // 4 if power > 2 and length <= power * 3 // 4 else power


def blind_words(vault: Vault, passages: list[PassageText]) -> list[list[int]]:
    """For each passage its tokens, in their own order.

    Every different word is blinded once. The order of the words themselves would tell their places in a dictionary, how
    often each stands there, and how many there are, which text they are of. So a word counts once, and their number is
    rounded up to one of few by dummy tokens, which nobody asks for and no length counts.
    """
    known = {word: vault.index.token(WORD, word) for passage in passages for word in set(passage.words)}
    tokens = [{known[word] for word in passage.words} for passage in passages]
    return [sorted([*each, *(dummy_token() for _ in range(dummies_beside(len(each))))]) for each in tokens]


def dummies_beside(number: int) -> int:
    """Return how many dummy tokens stand beside so many others: FEWEST are there, if any."""
    return max(length_class(number), FEWEST) - number if number else 0


def dummy_token() -> int:
    """Return a token that looks like any other. That a word has it is as likely as that two words share one."""
    return randbits(64) - 2**63


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
