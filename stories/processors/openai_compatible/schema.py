"""The story that a model is asked for, and the strict reading of what it gives.

The schema that is sent holds only what every service with structured output understands. It binds nobody: what comes
back is checked here. A wrong shape is refused; what is merely too long is cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, TypeVar, cast, get_args

from stories.processors.base import Draft, Event, Message, Precision, Transcript
from stories.processors.openai_compatible.client import read_json
from stories.processors.openai_compatible.errors import BadAnswer

LONGEST_TITLE = 120
LONGEST_TEXT = 4_000
LONGEST_NAME = 120
LONGEST_WHAT = 240
MOST = 64
"""People, places and events, each."""

PRECISIONS = get_args(Precision)
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
WORD = re.compile(r"\w{2,}")

T = TypeVar("T")


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_NAMES = {"type": "array", "items": {"type": "string"}}
EVENT = _object(
    {
        "who": {"type": "string"},
        "what": {"type": "string"},
        "when": {"type": ["string", "null"]},
        "precision": {"type": "string", "enum": list(PRECISIONS)},
        "message": {"type": "integer"},
    }
)
STORY = _object(
    {
        "title": {"type": "string"},
        "text": {"type": "string"},
        "people": _NAMES,
        "places": _NAMES,
        "events": {"type": "array", "items": EVENT},
    }
)


def read_story(answer: str, transcript: Transcript, numbered: Mapping[int, Message]) -> Draft:
    """The draft that an answer is. Raises BadAnswer, which names the field and holds nothing of the answer.

    A person or place of whose name no word stands in the conversation was made up, and is left out.
    """
    story = fields_of(read_json(answer), STORY, "the story")
    said = said_in(transcript)
    return Draft(
        title=shortened(written(story["title"], "title"), LONGEST_TITLE),
        text=shortened(written(story["text"], "text"), LONGEST_TEXT),
        people=names(story["people"], "people", said),
        places=names(story["places"], "places", said),
        events=tuple(each(story["events"], "events", lambda event: event_of(event, numbered))),
        occurred_from=transcript.began_at,
        occurred_to=transcript.ended_at,
    )


def fields_of(value: object, schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """An object with exactly the fields of a schema."""
    if not isinstance(value, dict):
        raise BadAnswer(f"In the model's answer, {where} is not an object.")
    wanted = schema["properties"].keys()
    if missing := wanted - value.keys():
        raise BadAnswer(f"In the model's answer, {where} lacks: {', '.join(sorted(missing))}.")
    if unknown := len(value.keys() - wanted):
        raise BadAnswer(f"In the model's answer, {where} has {unknown} fields that nobody asked for.")
    return value


def each(value: object, where: str, read: Callable[[object], T]) -> list[T]:
    """The first of a list, each read."""
    if not isinstance(value, list):
        raise BadAnswer(f"In the model's answer, {where} is not a list.")
    return [read(item) for item in value[:MOST]]


def written(value: object, where: str) -> str:
    """A text with something in it, without control characters and half characters."""
    text = clean(value) if isinstance(value, str) else ""
    if not text:
        raise BadAnswer(f"In the model's answer, {where} is no text.")
    return text


def clean(text: str) -> str:
    """Printable, on one line: what cannot be stored or shown becomes a space. Cs: halves of a UTF-16 pair."""
    return " ".join("".join(" " if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in text).split())


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters, cut between words where there are any."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head) + "…"


def names(value: object, where: str, said: str) -> tuple[str, ...]:
    """The names of a list, each once, without those that nobody said."""
    found = each(value, where, lambda name: shortened(written(name, where), LONGEST_NAME))
    return tuple({name.casefold(): name for name in reversed(found) if occurs(name, said)}.values())[::-1]


def said_in(transcript: Transcript) -> str:
    """Everything in which a name could stand, for comparing."""
    parts: Iterable[str] = (part for message in transcript.messages for part in (message.author, message.text))
    return " ".join((transcript.title, *parts)).casefold()


def occurs(name: str, said: str) -> bool:
    """Whether a name was said, or one of its words, other than small ones such as "of".

    A part of a word will do, as many scripts do not part them.
    """
    words = WORD.findall(name)
    telling = [word for word in words if not word[0].islower()] or words
    return name.casefold() in said or any(word.casefold() in said for word in telling)


def event_of(value: object, numbered: Mapping[int, Message]) -> Event:
    """One event, of a message that was sent."""
    event = fields_of(value, EVENT, "an event")
    number, precision = event["message"], event["precision"]
    if type(number) is not int or number not in numbered:
        raise BadAnswer("In the model's answer, an event is of a message that there is not.")
    if precision not in PRECISIONS:
        raise BadAnswer("In the model's answer, an event has a precision that there is not.")
    when = day(event["when"])
    if (when is None) != (precision == "none"):
        raise BadAnswer("In the model's answer, an event has a time without a precision, or the other way round.")
    return Event(
        who=shortened(written(event["who"], "who"), LONGEST_NAME),
        what=shortened(written(event["what"], "what"), LONGEST_WHAT),
        when=when and first_day(when, precision),
        precision=cast(Precision, precision),
        message_id=numbered[number].id,
    )


def day(value: object) -> date | None:
    """A day of the calendar, or none."""
    if value is None:
        return None
    if isinstance(value, str) and ISO_DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise BadAnswer("In the model's answer, the time of an event is no day of the form YYYY-MM-DD.")


def first_day(when: date, precision: str) -> date:
    """The first day of the time that a precision names, as stories.processors.base has it."""
    if precision == "week":
        return when - timedelta(days=when.weekday()) if when.toordinal() > when.weekday() else when
    if precision == "weekend" and when.weekday() == 6:  # its Sunday
        return when - timedelta(days=1)
    if precision in ("month", "season"):
        return when.replace(day=1)
    return when.replace(month=1, day=1) if precision == "year" else when
