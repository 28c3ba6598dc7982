"""The story that a model is asked for, and the reading of what it gives: liberal in form, strict in content.

The schema that is sent holds only what every service with structured output understands. It binds nobody: what comes
back is checked here, field by field. Only the text must be there; an event, a name or a time that does not hold is left
out and costs nothing else; what is too long is cut; what nobody asked for is ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stories.processors.base import Draft, Event, Message, StatedFact, Transcript
from stories.processors.openai_compatible.content import objects_in
from stories.processors.openai_compatible.errors import BadAnswer
from stories.processors.openai_compatible.times import NOTHING, time_of
from vibe.core.folding import normalized

LONGEST_TITLE = 120
LONGEST_TEXT = 4_000
LONGEST_NAME = 120
LONGEST_WHAT = 240
LONGEST_VALUE = 200
LEAST_QUOTED = 3
"""Characters: fewer stand in any text."""
MOST = 64
"""People, places, events and facts, each."""
SAID_IN_OTHER_WORDS = frozenset(
    ("age", "alcohol", "diet", "gender", "nationality", "occupation", "pronouns", "relationship", "religion", "smoking")
)
"""Facts whose value is often not a word of those who say it: "I quit smoking" is smoking: no."""
STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
"""Quotation marks that models put in place of each other."""

WORD = re.compile(r"\w{2,}")
SENTENCE = re.compile(r".{12,}?[.!?\u2026\u3002\uff01\uff1f\u061f\u0964](?=\s|$|[\u3040-\u9fff])")
NUMBER = re.compile(r"\D{0,12}(\d{1,6})(?:\.0+)?\D{0,3}", re.ASCII)
BETWEEN_TEXTS = re.compile(r"[,;\n\u3001\uff0c\u060c]")
UNPRINTABLE = ("Cc", "Cs")
"""Control characters, and halves of a UTF-16 pair."""
DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Overrides and isolates, which can make a text read as another one."""


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXTS = {"type": "array", "items": {"type": "string"}}
EVENT = _object(
    {
        "who": {"type": "string"},
        "what": {"type": "string"},
        "when": {"type": ["string", "null"]},
        "precision": {"type": "string"},
        "message": {"type": "integer"},
    }
)
STORY = _object(
    {
        "title": {"type": "string"},
        "text": {"type": "string"},
        "people": _TEXTS,
        "places": _TEXTS,
        "events": {"type": "array", "items": EVENT},
        "facts": _TEXTS,
    }
)


def read_story(answers: Sequence[str], transcript: Transcript, numbered: Mapping[int, Message]) -> Draft:
    """The draft in what a model wrote, the likeliest place first. Raises BadAnswer, which holds nothing of it.

    A person or place of whose name no word stands in the conversation was made up, and is left out.
    """
    found = [story for answer in answers for story in objects_in(answer)]
    found.sort(key=lambda story: "title" not in story)  # an object with both is the likelier one
    for story in found:
        if text := lined(story["text"]):
            said = said_in(transcript)
            stated, given = facts(story.get("facts"), numbered)
            return Draft(
                title=shortened(lined(story.get("title")) or first_sentence(text), LONGEST_TITLE),
                text=shortened(text, LONGEST_TEXT),
                people=names(story.get("people"), said),
                places=names(story.get("places"), said),
                events=events(story.get("events"), numbered),
                occurred_from=transcript.began_at,
                occurred_to=transcript.ended_at,
                facts=stated,
                unfounded=given - len(stated),
            )
    raise BadAnswer("In the model's answer there is no story: no JSON object with a text in it.")


def lined(value: object) -> str:
    """A text on one line, also of one that came in lines or paragraphs; nothing for anything else."""
    lines = value if isinstance(value, list) else [value]
    texts = [line for line in lines if isinstance(line, str)]
    return clean(" ".join(texts)) if len(texts) == len(lines) else ""


def clean(text: str) -> str:
    """What cannot be stored or shown becomes a space; whatever is a space becomes one."""
    return " ".join("".join(" " if is_unprintable(character) else character for character in text).split())


def is_unprintable(character: str) -> bool:
    """Whether a character cannot be stored, cannot be shown, or turns around what is shown."""
    if character in DIRECTIONS or unicodedata.category(character) in UNPRINTABLE:
        return True
    return ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"  # noncharacters, for ever unassigned


def first_sentence(text: str) -> str:
    """The title of a story that was given none."""
    found = SENTENCE.match(text)
    return found[0] if found else text


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters, cut between words where there are any."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head) + "…"


def named(value: object, longest: int = LONGEST_NAME) -> str:
    """A name, also of an object that has one; nothing for anything else, and for the word null."""
    value = value.get("name") if isinstance(value, Mapping) else value
    name = lined(value) if isinstance(value, str) else ""
    return "" if name.lower() in NOTHING else shortened(name, longest)


def items(value: object) -> list[object]:
    """The first of a list; also of one that came as a single thing, or not at all."""
    return value[:MOST] if isinstance(value, list) else [] if value is None else [value]


def names(value: object, said: str) -> tuple[str, ...]:
    """The names of a list, each once, without those that nobody said."""
    given = BETWEEN_TEXTS.split(value) if isinstance(value, str) else value
    found = [name for each in items(given) if (name := named(each))]
    return tuple({folded(name): name for name in reversed(found) if occurs(name, said)}.values())[::-1]


def said_in(transcript: Transcript) -> str:
    """Everything in which a name could stand, for comparing."""
    parts: Iterable[str] = (part for message in transcript.messages for part in (message.author, message.text))
    return folded(" ".join((transcript.title, *parts)))


def folded(text: str) -> str:
    """A text for comparing: composed or not, in capitals or not."""
    return normalized("NFKC", text).casefold()


def occurs(name: str, said: str) -> bool:
    """Whether a name was said, or one of its words, other than small ones such as "of".

    A part of a word will do, as many scripts do not part them.
    """
    words = WORD.findall(name)
    telling = [word for word in words if not word[0].islower()] or words
    return folded(name) in said or any(folded(word) in said for word in telling)


def events(value: object, numbered: Mapping[int, Message]) -> tuple[Event, ...]:
    """The events that hold, of messages that were sent."""
    return tuple(event for each in items(value) if (event := event_of(each, numbered)))


def event_of(value: object, numbered: Mapping[int, Message]) -> Event | None:
    """One event; None where it is nobody's, nothing, or of a message that was not sent."""
    if not isinstance(value, Mapping):
        return None
    who, what = named(value.get("who")), named(value.get("what"), LONGEST_WHAT)
    message = numbered.get(number_of(value.get("message")))
    if not who or not what or message is None:
        return None
    when, precision = time_of(value.get("when"), value.get("precision"))
    return Event(who, what, when, precision, message.id)


def facts(value: object, numbered: Mapping[int, Message]) -> tuple[tuple[StatedFact, ...], int]:
    """Return the facts that somebody said, of messages that were sent, and how many were given."""
    given = [each for each in items(value) if each]
    return tuple(fact for each in given if (fact := fact_of(each, numbered))), len(given)


def fact_of(value: object, numbered: Mapping[int, Message]) -> StatedFact | None:
    """Read a fact: "12 home: Porto | I live in Porto", "-home" if it is over, "trip 2026-05-12" of what has a day.

    Return None where the quotation does not stand in the message, or the value not in the quotation.
    """
    head, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    given, _, quotation = rest.partition("|")
    number, *about = head.lower().split()[:4] or [""]
    day, precision = time_of(about.pop(), "day") if len(about) > 1 and about[-1][:1].isdigit() else (None, "none")
    attribute, said = "_".join(about), named(given, LONGEST_VALUE)
    message = numbered.get(number_of(number))
    place = place_of(quotation, message.text) if message else None
    ended, attribute = attribute.startswith("-"), attribute.lstrip("-")
    if not message or not place or not attribute or not (said or ended):
        return None
    if said and attribute not in SAID_IN_OTHER_WORDS and not occurs(said, folded(message.text[slice(*place)])):
        return None
    return StatedFact(attribute, said, ended, day if precision == "day" else None, message.id, *place)


def place_of(quotation: str, text: str) -> tuple[int, int] | None:
    """Where the words of a quotation stand in a text, whatever their case, quotation marks and white space."""
    wanted = squeezed(quotation.strip(' "\u201c\u201d'))[0].strip()
    there, places = squeezed(text)
    at = there.find(wanted) if len(wanted) >= LEAST_QUOTED else -1
    return None if at < 0 else (places[at], places[at + len(wanted) - 1] + 1)


def squeezed(text: str) -> tuple[str, list[int]]:
    """A text in lower case, with straight quotation marks and single spaces; and where each of its characters was."""
    plain = text.translate(STRAIGHT)
    kept = [at for at, each in enumerate(plain) if not each.isspace() or not plain[at - 1 : at].isspace()]
    return "".join(" " if plain[at].isspace() else plain[at].lower()[:1] for at in kept), kept


def number_of(value: object) -> int:
    """A number, also of a text with one number in it; -1, which no message has, for anything else."""
    if type(value) is int:
        return value
    written = str(value) if isinstance(value, str | float) else ""
    found = None if written.startswith("-") else NUMBER.fullmatch(written)
    return int(found[1]) if found else -1
