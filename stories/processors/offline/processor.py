"""The processor that needs nothing: no network, no model, no key."""

from __future__ import annotations

from datetime import UTC, datetime

from stories.processors.base import Draft, Message, Transcript
from stories.processors.offline.events import events_of
from stories.processors.offline.names.candidates import mentions
from stories.processors.offline.names.people import People
from stories.processors.offline.names.places import Places
from stories.processors.offline.narrative import narrative
from stories.processors.offline.sentences import sentences_of
from stories.processors.offline.subjects import subjects_of
from stories.processors.offline.summary import Signals, centrality_of, chosen, tellings
from stories.processors.offline.title import title_of
from stories.processors.offline.words import Stems


class OfflineProcessor:
    """Makes a story by rule: the same transcript gives the same draft, everywhere and always.

    Time grows with the length of the transcript and not faster; the size of the draft is bounded.
    """

    name = "offline"
    version = "2"

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
        places = Places(sentences, people, found)
        names = frozenset(stems.of(" ".join((*people.named, *places.all))))
        candidates = tellings(sentences, stems, Signals(centrality, eventful, names))
        picked = chosen(candidates, len(transcript.messages))
        subjects = subjects_of(sentences, centrality, stems, people.words)
        return Draft(
            title=title_of(transcript, subjects, events, picked[0].text if picked else "", stems),
            text=narrative(picked),
            people=people.all,
            places=places.all,
            events=events,
            occurred_from=transcript.began_at,
            occurred_to=transcript.ended_at,
        )
