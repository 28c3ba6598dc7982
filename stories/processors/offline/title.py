"""A title that tells one conversation from another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stories.processors.base import Event, Transcript
from stories.processors.offline.dates.spans import day
from stories.processors.offline.names.lexicon import ROLE_AUTHORS
from stories.processors.offline.names.people import display
from stories.processors.offline.sentences import LINK
from stories.processors.offline.subjects import Subject
from stories.processors.offline.words import Stems, shortened

LONGEST_TITLE = 90  # characters
LIGHTEST_SECOND = 0.3  # of the weight of the first subject

# What software calls a conversation before anybody names it.
MEANINGLESS = re.compile(
    r"(?:(?:new|untitled|my|first|the|a|default|imported)\s+)*(?:session|conversation|chat|thread|dialog(?:ue)?|"
    r"talk|untitled|"
    r"messages?|story|memory|call|note|day|part)?(?:\s+with\s+.*)?[\s\d#:.,/_T-]*(?:am|pm|utc|z)?",
    re.IGNORECASE,
)


def title_of(
    transcript: Transcript, subjects: Sequence[Subject], events: Sequence[Event], first_line: str, stems: Stems
) -> str:
    """The given title if it means something, and the two weightiest subjects; else an event, a line, or the date."""
    given = " ".join(LINK.sub(" ", transcript.title).split())
    has_title = len(given) > 2 and not MEANINGLESS.fullmatch(given[:200])
    topics = apart(subjects, frozenset(stems.of(given)) if has_title else frozenset())
    if has_title:
        named = f"{given}: {topics[0].phrase}" if topics and len(given) < 40 else given
        return shortened(named, LONGEST_TITLE)
    if topics:
        return shortened(joined(topics), LONGEST_TITLE)
    if events:
        return shortened(f"{events[0].who} {events[0].what}", LONGEST_TITLE)
    return shortened(first_line, LONGEST_TITLE) or f"Conversation of {day(transcript.began_at.date())}"


def apart(subjects: Sequence[Subject], taken: frozenset[str]) -> list[Subject]:
    """At most two subjects with no word in common; the second only if it carries enough beside the first."""
    picked: list[Subject] = []
    for subject in subjects[:40]:
        if subject.stems & taken or (picked and subject.weight < picked[0].weight * LIGHTEST_SECOND):
            continue
        picked.append(subject)
        taken |= subject.stems
        if len(picked) == 2:
            break
    return picked


def joined(topics: Sequence[Subject]) -> str:
    """ "Ada's bakery; Ben's exam", or "Ada's bakery and exam" if both are hers."""
    if len({topic.author for topic in topics}) == 1:
        return owned(topics[0].author, " and ".join(topic.phrase for topic in topics))
    return "; ".join(owned(topic.author, topic.phrase) for topic in topics)


def owned(author: str, phrase: str) -> str:
    if not author or author.lower() in ROLE_AUTHORS:
        return phrase[:1].upper() + phrase[1:]
    return f"{display(author)}'s {phrase}"
