"""Chosen sentences told as a story: who says what, with relative times made plain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from stories.processors.offline.dates.resolving import find_dates
from stories.processors.offline.names.people import display
from stories.processors.offline.summary import Telling
from stories.processors.offline.voice import in_third_person
from stories.processors.offline.words import shortened

LONGEST_TEXT = 2_400  # characters
LONGEST_SENTENCE = 280  # characters


def narrative(tellings: Sequence[Telling]) -> str:
    """One paragraph. What one person says in a row is one quotation; a lone sentence is told if that is safe."""
    told: list[str] = []
    for author, said in groupby(tellings, key=lambda telling: telling.sentence.author):
        lines = [dated(telling) for telling in said]
        told.append(lines_of(display(author), lines))
    return shortened(" ".join(told), LONGEST_TEXT)


def lines_of(name: str, lines: Sequence[str]) -> str:
    third = [in_third_person(line, name) for line in lines]
    if third[0] and (len(lines) == 1 or not any(third[1:])):
        rest = quotation(name, lines[1:])
        return f"{third[0].rstrip('!')}{'.' if third[0].endswith('!') else ''} {rest}".rstrip()
    return quotation(name, lines)


def quotation(name: str, lines: Sequence[str]) -> str:
    quoted = " ".join(lines).replace('"', "'")
    return f'{name}: "{quoted}"' if lines else ""


def dated(telling: Telling) -> str:
    """ "We moved last year." as "We moved last year [2022].", ended and cut to a bearable length."""
    text = telling.text
    for dating in reversed(find_dates(text, telling.sentence.message.sent_at)):
        if not dating.absolute:
            end = dating.end + 2 if text.startswith("'s", dating.end) else dating.end
            text = f"{text[:end]} [{dating.span}]{text[end:]}"
    text = shortened(text, LONGEST_SENTENCE)
    return text if text[-1:] in ".!?\u2026\u3002\uff01\uff1f\"'" else text.rstrip(" ,;:-") + "."
