"""What stories and search results look like from outside, over HTTP and by agents' tools."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from memories.roles import Role
from stories.context.budget import Part
from stories.context.services import Context as BuiltContext
from stories.entities.services import Listed
from stories.processors.base import Event as StoredEvent
from stories.processors.base import Precision
from stories.reading.services import OpenedStory
from stories.search.answers import Answer as Findings
from stories.search.answers import FoundMemory as StoredMemory
from stories.search.answers import FoundPassage, FoundStory
from vibe.core.schemas import ResponseSchema

ID = "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"


class Event(ResponseSchema):
    """Who did what, and when."""

    who: str
    what: str
    when: date | None
    precision: Precision
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
    """An episode of a conversation, and what happened in it once that is built."""

    id: UUID = Field(examples=[ID])
    conversation_id: UUID = Field(examples=[ID])
    title: str | None = Field(description="null until the story is built", examples=["Moving to Lisbon"])
    text: str | None = Field(description="null until the story is built", examples=["Ada moved to Lisbon last Friday."])
    people: list[str] = Field(examples=[["Ada"]])
    places: list[str] = Field(examples=[["Lisbon"]])
    events: list[Event]
    occurred_from: datetime
    occurred_to: datetime
    memory_ids: list[UUID] = Field(description="the memories it was built from")
    corrected: list[str] = Field(description="which of these stand as the person corrected them")
    processor: str = Field(description="what built it; empty until then", examples=["offline/3"])
    created_at: datetime
    built_at: datetime | None

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


SCORE = "the probability that it answers the question, from 0 to 1; comparable between questions"


class Passage(ResponseSchema):
    """What of a story answers the question."""

    memory_id: UUID | None = Field(description="null for what the person wrote themself: the corrected title or text")
    message_ids: list[str]
    occurred_at: datetime
    author: str
    text: str
    score: float = Field(description=SCORE, examples=[0.62])

    @classmethod
    def of(cls, found: FoundPassage) -> Self:
        return cls(
            memory_id=found.memory,
            message_ids=list(found.message_ids),
            occurred_at=found.occurred_at,
            author=found.author,
            text=found.text,
            score=found.score,
        )


class Found(ResponseSchema):
    """A story that answers, with what of it does."""

    id: UUID
    conversation_id: UUID
    title: str | None = Field(description="null until the story is built")
    occurred_at: datetime
    score: float = Field(description=f"{SCORE}: that of its best passage", examples=[0.62])
    passages: list[Passage]

    @classmethod
    def of(cls, found: FoundStory) -> Self:
        return cls(
            id=found.id,
            conversation_id=found.conversation_id,
            title=found.title,
            occurred_at=found.occurred_at,
            score=found.score,
            passages=[Passage.of(each) for each in found.passages],
        )


PENDING = "memories that are not fully in the index yet: a job sees to them within a second or so"


class Answer(ResponseSchema):
    """The stories that answer best, best first."""

    items: list[Found]
    degraded: str | None = Field(description="why this is less than it could be, such as words alone")
    pending: int = Field(description=PENDING)

    @classmethod
    def of(cls, found: Findings) -> Self:
        return cls(
            items=[Found.of(each) for each in found.stories], degraded=found.degraded or None, pending=found.pending
        )


class Copy(ResponseSchema):
    """Another memory that says the same."""

    id: UUID
    occurred_at: datetime


class FoundMemory(ResponseSchema):
    """A memory that answers."""

    id: UUID
    conversation_id: UUID
    story_id: UUID | None = Field(description="the story of its episode; null if the person deleted that")
    message_ids: list[str]
    occurred_at: datetime
    author: str
    role: Role = Field(description="the author's part")
    text: str
    score: float = Field(description=SCORE, examples=[0.62])
    why: dict[str, float] = Field(description="what put it in its place, part by part")
    times: int = Field(
        description="how often the same was said by the same author, as far as search looked", examples=[1]
    )
    copies: list[Copy] = Field(
        description="the others that say the same, oldest first: they are no results of their own"
    )

    @classmethod
    def of(cls, found: StoredMemory) -> Self:
        return cls(
            id=found.id,
            conversation_id=found.conversation_id,
            story_id=found.story_id,
            message_ids=list(found.message_ids),
            occurred_at=found.occurred_at,
            author=found.author,
            role=Role(found.role),
            text=found.text,
            score=found.score,
            why=found.why,
            times=1 + len(found.copies),
            copies=[Copy(id=each.id, occurred_at=each.occurred_at) for each in found.copies],
        )


class MemoriesFound(ResponseSchema):
    """The memories that answer best, best first."""

    items: list[FoundMemory]
    degraded: str | None = Field(description="why this is less than it could be, such as words alone")
    pending: int = Field(description=PENDING)

    @classmethod
    def of(cls, found: Findings) -> Self:
        return cls(
            items=[FoundMemory.of(each) for each in found.memories],
            degraded=found.degraded or None,
            pending=found.pending,
        )


class ContextPiece(ResponseSchema):
    """Something that a context shows."""

    label: str = Field(description="what it is called in the text", examples=["p1"])
    part: Part
    id: UUID = Field(description="of a memory; of an episode, its story; of the first three parts, a fact")
    occurred_at: datetime | None
    author: str = Field(description="who said it; of an episode its title; of a fact empty")
    text: str = Field(description="as it is shown")
    is_whole: bool = Field(description="false where sentences were left out")


class ChatMessage(ResponseSchema):
    """A message as chat calls take it, those of OpenAI and of Anthropic."""

    role: Literal["user", "assistant"]
    content: str


class Context(ResponseSchema):
    """What is known that bears on a message."""

    messages: list[ChatMessage] | None = Field(
        description="what is known, as the first of them, and the last turns; null for `text`"
    )
    text: str | None = Field(description="all of it; null for `messages`")
    pieces: list[ContextPiece] = Field(description="what it is made of, in this order")
    tokens: int = Field(description="its length by estimate, never more than was asked for", examples=[1420])
    characters: int
    degraded: str | None = Field(description="why this is less than it could be, such as words alone")
    pending: int = Field(description=PENDING)

    @classmethod
    def of(cls, built: BuiltContext) -> Self:
        return cls(
            messages=None if built.messages is None else [ChatMessage(**each) for each in built.messages],
            text=built.text,
            pieces=[
                ContextPiece(
                    label=label,
                    part=each.part,
                    id=each.id,
                    occurred_at=each.occurred_at,
                    author=each.author,
                    text=each.shown,
                    is_whole=each.shown == each.text,
                )
                for label, each in built.pieces
            ],
            tokens=built.tokens,
            characters=built.characters,
            degraded=built.degraded or None,
            pending=built.pending,
        )
