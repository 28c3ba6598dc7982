"""From a message to the clauses in which its speaker says something of themselves, with their places in the text.

Left out is what somebody else says or what may not be so: quotations, questions, wishes, conditions, reports, jokes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from stories.processors.offline.sentences import ABBREVIATION, CURLY, LINK

LONGEST: Final = 4_000
"""Characters of a message that are read: what is longer was pasted rather than said."""
# What stands in quotation marks, in code or in a link is not the speaker's own word. Each is bounded by its line.
NOT_SAID = re.compile(
    r"\"[^\"\n]*+\"?+|\u201e[^\"\u201c\u201d\n]*+[\"\u201c\u201d]?|[\u00ab\u2039][^\u00bb\u203a\n]*+|`[^`\n]*+`?+"
    r"|(?<![\w'])'[^'\n]{0,300}+'(?!\w)|(?:^|(?<=\n)) ?>[^\n]*+|\[[^\[\]\n]*+\]?+"
)
SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"')\]]{0,3}(?=\s|$)|\n|[\u3002\uff01\uff1f]")
TAG = re.compile(
    r",? (?:did I (?:tell you|mention)|you know|right|remember|ok|okay|isn't it|did you know|know what I mean)\?+$",
    re.IGNORECASE,
)
JOKE = re.compile(
    r"\b(?:just kidding|kidding|jk|joking|april fools?|yeah,? right|yea,? right|as if!|sarcasm|not really|"
    r"in my dreams|role ?play|hypothetically)\b|(?<!\S)/s(?!\S)",
    re.IGNORECASE,
)
# What follows one of these in its sentence may not be so, or is not the speaker's own word.
NOT_SO = re.compile(
    r"\b(?:if|unless|wish|wished|hope|hoping|imagine|suppose|supposing|pretend|would(?! you believe)|could|should|"
    r"might|may be|maybe|perhaps|probably|dreamt|dreamed|dreaming|as though|says?|said|saying|tells?|told|"
    r"thinks?|thought|believes?|"
    r"believed|claims?|claimed|heard|asks?|asked|wrote|writes|reads|reckons?|when|while|until|before|after|whether|"
    r"why|how|where|who|than|almost|nearly|hero|heroine|character|protagonist|narrator|going to say|used to think|"
    r"guess)\b",
    re.IGNORECASE,
)
SPEAKER = re.compile(
    r"[^\W\d_][\w.-]{0,20}(?: [^\W\d_][\w.-]{0,20})?: "
)  # "Lotte: I'm from Hamburg" is what Lotte wrote
NOTE = re.compile(r"(?:ps|p\.s\.|update|edit|news|note|btw|fyi|reminder|confession|fun fact|new)\b", re.IGNORECASE)
CLAUSE = re.compile(
    r"(?:^|[,;:!(\u2014\u2013] ?|\.{2,}+ ?| - |\b(?:and|but|so|because|cause|cuz|plus|also|though|although) )"
    r"(?:(?:and|but|so|well|oh|ah|ugh|btw|by the way|honestly|actually|haha|hah|lol|yes|yeah|yep|no|nope|hi|hey|hello|"
    r"morning|evening|ok|okay|now|also|anyway|fyi|plus|sorry|guess what|finally|luckily|sadly|unfortunately|wow|hm+|"
    r"listen|look|today|yesterday|ps|update|fun fact|turns out|because|cause|then|last (?:week|month|year|night)|"
    r"this (?:week|month|year|morning)|since (?:today|yesterday|last \w+)|these days|would you believe it)[,:!.]*+ )*+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its place in the message: `text[start:end]`, where `text` has nothing but what was said."""

    text: str = field(repr=False)
    start: int
    end: int
    is_question: bool

    def clauses(self) -> Iterator[int]:
        """Give the offsets at which something may be stated; none in a question or after a mark of doubt."""
        if self.is_question:
            return
        said = self.text[self.start : self.end]
        doubt = NOT_SO.search(said)
        most = doubt.start() if doubt else len(said)
        for opening in CLAUSE.finditer(said):
            if opening.end() >= most:
                return
            yield self.start + opening.end()


def sentences(message: str) -> list[Sentence]:
    """Return the sentences of a message; none of one that is a joke."""
    text = blanked(message[:LONGEST].translate(CURLY))
    if JOKE.search(text):
        return []
    found, start = [], 0
    for end in SENTENCE_END.finditer(text):
        if end[0] != "\n" and ABBREVIATION.search(text, max(start, end.start() - 8), end.end()):
            continue
        found.append((start, end.end()))
        start = end.end()
    found.append((start, len(text)))
    return [each for begins, ends in found for each in _sentence(text, begins, ends)]


def blanked(text: str) -> str:
    """Return a text with spaces in place of links and quotations, so that places in it stay."""
    for pattern in (LINK, NOT_SAID):
        text = pattern.sub(lambda found: " " * len(found[0]), text)
    return text


def _sentence(text: str, start: int, end: int) -> Iterator[Sentence]:
    """Give a sentence without the space before it, unless it is empty or another speaker's line."""
    start += len(text[start:end]) - len(text[start:end].lstrip(" \t\n-*\u2022"))
    if start >= end:
        return
    said = text[start:end].rstrip()
    if SPEAKER.match(said) and not NOTE.match(said):
        return
    tag = TAG.search(said)
    question = said.rstrip("\"') !").endswith(("?", "\uff1f")) and not tag
    yield Sentence(text, start, start + (tag.start() if tag else len(said)), question)
