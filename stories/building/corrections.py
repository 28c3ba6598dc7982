"""Corrections of a story: each stays through every rebuild, as long as the memories it was made over are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from stories.models import Story
from stories.processors.base import Draft, Event, Precision
from stories.sealed_story import open_draft
from stories.text.passages import WINDOW, PassageText
from stories.text.words import forms
from vibe.core.crypto.vault import Vault
from vibe.core.errors import InputError

LONGEST = {"title": 300, "text": 100_000, "people": 200, "places": 200, "events": 500}
"""Characters of a title or text, of each name, and of each half of an event."""
MOST_NAMES = 300
SEARCHED = frozenset({"title", "text"})
"""What is searched by its words and meaning, once corrected; names are by their own index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to stand in a story instead; None leaves a field as it is, an empty list of names empties it.

    An event is who did what, with `when` and `precision` as in stories.processors.base.Event; its `message_id` is the
    id of a memory of the story, or empty.
    """

    title: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    people: Sequence[str] | None = field(default=None, repr=False)
    places: Sequence[str] | None = field(default=None, repr=False)
    events: Sequence[Event] | None = field(default=None, repr=False)

    def given(self) -> dict[str, Any]:
        """Return the fields to change, stripped, each name once. Raises InputError, which quotes no value."""
        found = {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}
        if not found:
            raise InputError(f"Nothing to correct. Give one of: {', '.join(LONGEST)}.")
        return {name: clean_field(name, value) for name, value in found.items()}


def clean_field(name: str, value: Any) -> Any:
    """Return a field as it will be stored. Raises InputError."""
    if name in SEARCHED:
        return clean_text(name, value)
    if isinstance(value, str) or len(value) > MOST_NAMES:
        raise InputError(f"`{name}` must be a list of at most {MOST_NAMES}.")
    each = clean_event if name == "events" else clean_text
    return tuple(dict.fromkeys(each(name, one) for one in value))


def clean_text(name: str, value: Any, *, empty: bool = False) -> str:
    """Return a text that is within bounds and can be sealed and embedded. Raises InputError."""
    text = value.strip() if isinstance(value, str) else ""
    if not text and not empty:
        raise InputError(f"`{name}` holds something empty, or what is no text.")
    if len(text) > LONGEST[name]:
        raise InputError(f"`{name}` holds more than {LONGEST[name]:,} characters. Shorten it.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"`{name}` must be valid Unicode, without lone surrogates.")
    return text


def clean_event(name: str, event: Event) -> Event:
    """Return an event within bounds whose date and precision go together. Raises InputError."""
    if event.precision not in get_args(Precision) or (event.when is None) != (event.precision == "none"):
        raise InputError("An event has a date and its precision, or neither: precision is then `none`.")
    return replace(event, who=clean_text(name, event.who, empty=True), what=clean_text(name, event.what))


def check_events(events: Iterable[Event], memory_ids: Collection[UUID]) -> None:
    """Refuse an event of a memory that the story is not made of. Raises InputError."""
    known = {"", *map(str, memory_ids)}
    if not all(event.message_id in known for event in events):
        raise InputError("An event names a memory that the story is not made of. Leave it out, or correct it.")


@dataclass(frozen=True, slots=True)
class KeptCorrection:
    """The corrections of a story, as they were read."""

    fields: tuple[str, ...]
    made_from: frozenset[UUID]
    """The memories that the story had then: the correction may hold something of each."""
    at: datetime
    draft: Draft = field(repr=False)

    def apply_to(self, draft: Draft) -> Draft:
        """Return a draft with the corrected fields in place of the processor's."""
        return replace(draft, **{name: getattr(self.draft, name) for name in self.fields})

    def passage(self) -> PassageText | None:
        """Return what a corrected title or text is found by, if one was corrected."""
        text = "\n".join(getattr(self.draft, name) for name in LONGEST if name in {*self.fields} & SEARCHED)
        said = forms(text)
        every = tuple(form for word in said for form in word)
        return PassageText(0, text[:WINDOW], every, len(said)) if text else None


def kept_correction(story: Story, vault: Vault, memory_ids: Collection[UUID]) -> KeptCorrection | None:
    """Return the corrections that stay when a story is rebuilt from these memories; None if none do.

    A correction may say again what any memory of the story said, and nobody can tell which. So it goes as soon as one
    of the memories that the story had then is deleted: nothing that is derived from a deleted memory survives.
    """
    made_from = frozenset(story.corrected_from)
    if not story.corrected or story.corrected_at is None or not made_from.issubset(memory_ids):
        return None
    return KeptCorrection(tuple(story.corrected), made_from, story.corrected_at, open_draft(story, vault))
