"""What stories look like from outside."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from stories.building.corrections import LONGEST, MOST_NAMES, Changes
from stories.entities.services import Listed
from stories.processors.base import Event as StoredEvent
from stories.processors.base import Precision
from stories.reading.services import OpenedStory
from vibe.core.http.schemas import RequestSchema, ResponseSchema

ID = "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"
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


class Event(ResponseSchema):
    """Who did what, and when."""

    who: str
    what: str
    when: date | None
    precision: str
    memory_id: UUID | None

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        return cls(
            who=event.who,
            what=event.what,
            when=event.when,
            precision=event.precision,
            memory_id=UUID(event.message_id) if event.message_id else None,
        )


class Story(ResponseSchema):
    """A conversation, told."""

    id: UUID = Field(examples=[ID])
    conversation_id: UUID = Field(examples=[ID])
    title: str = Field(examples=["Moving to Lisbon"])
    text: str = Field(examples=["Ada moved to Lisbon last Friday."])
    people: list[str] = Field(examples=[["Ada"]])
    places: list[str] = Field(examples=[["Lisbon"]])
    events: list[Event]
    occurred_from: datetime
    occurred_to: datetime
    memory_ids: list[UUID]
    corrected: list[str] = Field(description="which of these stand as the person corrected them")
    processor: str = Field(description="what told it", examples=["offline-1"])
    created_at: datetime
    built_at: datetime

    @classmethod
    def of(cls, story: OpenedStory) -> Self:
        return cls(
            id=story.id,
            conversation_id=story.conversation_id,
            title=story.title,
            text=story.text,
            people=list(story.people),
            places=list(story.places),
            events=[Event.of(each) for each in story.events],
            occurred_from=story.occurred_from,
            occurred_to=story.occurred_to,
            memory_ids=list(story.memory_ids),
            corrected=list(story.corrected),
            processor=story.processor,
            created_at=story.created_at,
            built_at=story.built_at,
        )


class Stories(ResponseSchema):
    """A page of stories, the newest first."""

    items: list[Story]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class Entity(ResponseSchema):
    """A person, place or event that stories tell of."""

    id: UUID
    name: str = Field(examples=["Lisbon"])
    stories: int = Field(description="how many tell of it", examples=[3])
    first: datetime = Field(description="when the first of them begins")
    last: datetime = Field(description="when the last of them ends")

    @classmethod
    def of(cls, listed: Listed) -> Self:
        return cls(id=listed.id, name=listed.name, stories=listed.stories, first=listed.first, last=listed.last)


class Entities(ResponseSchema):
    """Those of the most stories first."""

    items: list[Entity]


class EntitiesPage(Entities):
    """A page of them."""

    next: str | None = Field(description="the cursor of the next page; null on the last")
