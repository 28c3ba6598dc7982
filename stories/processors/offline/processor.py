"""The processor that needs nothing: no network, no model, no key.

Its title tells one conversation from another. Its text is chosen sentences, told as a story: who says what, with
relative times made plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from stories.processors.base import Draft, Message, Transcript
from stories.processors.offline.dates.resolving import find_dates
from stories.processors.offline.events import events_of
from stories.processors.offline.names.candidates import mentions
from stories.processors.offline.names.people import People, display, is_machine
from stories.processors.offline.names.places import Places
from stories.processors.offline.sentences import sentences_of
from stories.processors.offline.subjects import subjects_of
from stories.processors.offline.summary import (
    Signals,
    Telling,
    centrality_of,
    chosen,
    tellings,
)
from stories.processors.offline.titles import title_of
from stories.processors.offline.voice import in_third_person
from stories.processors.offline.words import Stems, shortened

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


class OfflineProcessor:
    """Makes a story by rule: the same transcript gives the same draft, everywhere and always.

    Time grows with the length of the transcript and not faster; the size of the draft is bounded.
    """

    name = "offline"
    version = "3"

    def preload(self) -> None:
        """Read the word lists and the gazetteer."""
        self.compose(Transcript("", (Message("1", "user", "I moved to Lisbon last Friday.", datetime.now(UTC)),)))

    def compose(self, transcript: Transcript) -> Draft:
        stems = Stems()
        sentences = sentences_of(transcript.in_order())
        found = [mention for sentence in sentences for mention in mentions(sentence)]
        people = People(transcript, sentences, found)
        told = events_of(sentences, people, stems)
        centrality = centrality_of([stems.of(sentence.text) for sentence in sentences])
        events = tuple(event for _, event in told)
        eventful: dict[int, bool] = {}
        for position, event in told:
            eventful[position] = eventful.get(position, False) or event.when is not None
        places = Places(sentences, people, found, transcript.known_places - transcript.known_people)
        names = frozenset(stems.of(" ".join((*people.named, *places.all))))
        candidates = tellings(sentences, stems, Signals(centrality, eventful, names))
        picked = chosen(candidates, len(transcript.messages))
        said = [sentence for sentence in sentences if not is_machine(sentence.author)]
        subjects = subjects_of(said or sentences, centrality, stems, people.words)
        return Draft(
            title=title_of(transcript, subjects, events, said or sentences, stems),
            text=narrative(picked),
            people=people.all,
            places=places.all,
            events=events,
            occurred_from=transcript.began_at,
            occurred_to=transcript.ended_at,
        )
