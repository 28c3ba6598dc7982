"""What the API takes about stories, and its pages of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from stories.building.corrections import LONGEST, MOST_NAMES, Changes
from stories.processors.base import Event as StoredEvent
from stories.processors.base import Precision
from stories.results import Entities, Story
from vibe.core.schemas import RequestSchema, ResponseSchema

Title = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST["title"])]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST["text"])]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST["people"])]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
Half = Annotated[str, StringConstraints(strict=True, max_length=LONGEST["events"])]


class EventIn(RequestSchema):
    """Who did what, and when, as far as it is known."""

    who: Half = Field(examples=["Ada"])
    what: Annotated[Half, StringConstraints(min_length=1)] = Field(examples=["moved to Lisbon"])
    when: date | None = Field(None, description="its first day", examples=["2026-05-08"])
    precision: Precision = Field("none", description="what the date stands for; none without one", examples=["day"])
    memory_id: UUID | None = Field(None, description="the memory that tells of it")

    def event(self) -> StoredEvent:
        source = str(self.memory_id) if self.memory_id else ""
        return StoredEvent(self.who, self.what, self.when, self.precision, source)


class CorrectedStory(RequestSchema):
    """What is to stand in the story instead; what is left out stays as it was told."""

    title: Title | None = Field(None, examples=["Moving to Lisbon"])
    text: Text | None = Field(None, examples=["Ada moved to Lisbon on 8 May."])
    people: Names | None = Field(None, examples=[["Ada", "Ines"]])
    places: Names | None = Field(None, examples=[["Lisbon"]])
    events: Annotated[list[EventIn], Field(max_length=MOST_NAMES)] | None = None

    def changes(self) -> Changes:
        events = None if self.events is None else [each.event() for each in self.events]
        return Changes(title=self.title, text=self.text, people=self.people, places=self.places, events=events)


class Stories(ResponseSchema):
    """A page of stories, the newest first."""

    items: list[Story]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class EntitiesPage(Entities):
    """A page of them."""

    next: str | None = Field(description="the cursor of the next page; null on the last")
