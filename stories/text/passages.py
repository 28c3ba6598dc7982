"""What a memory is found by: for each part of it one text to embed and the words to count; and what the database holds
of them, blind tokens and cloaked vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import randbits

from pgvector import HalfVector

from memories.metadata import TO_JSON, Metadata
from stories.models import VECTOR_WIDTHS
from stories.processors.base import Message
from stories.processors.embedding import Vectors
from stories.processors.offline.dates.resolving import find_dates
from stories.text.languages import ENGLISH, tongue_of
from stories.text.words import date_words, forms, own_words, words
from vibe.core.crypto.vault import Vault
from vibe.core.folding import spelled_out

ASKS = "?"
"""Stands among the words of a part that ends in a question. No text gives this word."""
DATES = "@"
"""Stands among the words of a part that names a time ("last Friday"). No text gives this word."""
FOREIGN = "#"
"""Stands among the words of a part that is not in English, and once more with its tongue behind it."""

WINDOW = 2_000
"""Characters of a part, at most: the vector of more than that says little."""
MAX_CONTEXT = 200
"""Characters of the message before it that are embedded with the first part: its end, where a question stands."""

_ASKING = re.compile(r"[?\uff1f\u061f][^\w?\uff1f\u061f]*$")
_NOTE = re.compile(r"\[[^\[\]]*\]\s*$")
_SENTENCE_ENDS = re.compile(r"[.!?\u3002\uff01\uff1f\u061f\n]")

WORD = "word"
SPEAKER = "speaker"
MOST_METADATA = 16
"""Members of a memory's metadata that it is found by: the first ones."""
FEWEST = 16
"""Tokens of a passage with words."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """One part of a memory as search sees it, still in clear: blind and cloak it before it is stored."""

    part: int
    embedded: str = field(repr=False)
    words: tuple[str, ...] = field(repr=False)
    """All forms of its words, and the marks."""
    length: int
    """The number of its words, for BM25: neither their further forms count nor the marks."""


def passages(message: Message, before: Message | None = None) -> list[PassageText]:
    """Return the parts of a message, at least one.

    A reply is often meaningless without what it replies to ("Yes, twice!"), so it is embedded together with the end of
    the message before it, if somebody else said that. The words of a part are its own, the author's name, the day, and
    the times it names, resolved. A message without a text has one part without words: nothing finds it.
    """
    text = message.text.strip()
    if not text:
        return [PassageText(0, "", (), 0)]
    context = _end(before.text.strip()) if replies(message, before) and before else ""
    return [
        PassageText(part, f"{'' if part else context} {window}".strip(), *_counted(message, window))
        for part, window in enumerate(windows(text))
    ]


def replies(message: Message, before: Message | None) -> bool:
    """Return whether a message is embedded with the one before it: only across a change of speaker."""
    return before is not None and before.author != message.author


def windows(text: str) -> list[str]:
    """Return a text in pieces of at most WINDOW characters, cut after a sentence, else a word, where there is one."""
    found = []
    while len(text) > WINDOW:
        half = text[WINDOW // 2 : WINDOW]
        ends = [match.end() for match in _SENTENCE_ENDS.finditer(half)] or [half.rfind(" ") + 1 or WINDOW // 2]
        cut = WINDOW // 2 + ends[-1]
        found.append(text[:cut].strip())
        text = text[cut:].lstrip()
    return [piece for piece in (*found, text) if piece] or [text]


def _counted(message: Message, text: str) -> tuple[tuple[str, ...], int]:
    times = dict.fromkeys(str(dating.span) for dating in find_dates(text, message.sent_at))
    dated = [*date_words(message.sent_at), *own_words(" ".join(times))]
    said = [*forms(message.author, ENGLISH), *forms(text)]
    marks = [DATES] * bool(times) + [ASKS] * asks(text) + tongue_marks(tongue_of(text))
    return (*(form for word in said for form in word), *dated, *marks), len(said) + len(dated)


def tongue_marks(tongue: str) -> list[str]:
    """Return the marks of what is in a tongue; none in English, which most is."""
    return [] if tongue == ENGLISH else [FOREIGN, f"{FOREIGN}{tongue}"]


def asks(text: str) -> bool:
    """Return whether a text ends in a question; a note in brackets after it ("[image: a dog]") does not count."""
    return bool(_ASKING.search(_NOTE.sub("", text.rstrip()[-WINDOW:])))


def _end(text: str) -> str:
    """Return the last characters of a text, from the start of a word."""
    if len(text) <= MAX_CONTEXT:
        return text
    return text[-MAX_CONTEXT:].partition(" ")[2]


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

    A vector of zeros (a text without a word) has no direction and gives None. They get the least of VECTOR_WIDTHS that
    holds them.
    """
    width = next(each for each in VECTOR_WIDTHS if each >= vectors.shape[1])
    rotated = vault.cloak(width).apply(vectors)
    return [HalfVector(row) if row.any() else None for row in rotated]


def array_text(numbers: Iterable[int]) -> str:
    """An array of integers as PostgreSQL reads it."""
    return f"{{{','.join(map(str, numbers))}}}"
