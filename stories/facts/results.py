"""What facts look like from outside, over HTTP and by agents' tools."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from memories.roles import Role
from stories.facts.timeline import Fact as StoredFact
from stories.facts.timeline import Source as StoredSource
from vibe.core.schemas import ResponseSchema

ID = "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"


class FactSource(ResponseSchema):
    """Where something of it was said; without a memory, it is what the person said of the fact itself."""

    said_at: datetime
    role: Role
    memory_id: UUID | None
    conversation_id: UUID | None
    start: int = Field(description="where it begins in the memory's text, in characters")
    end: int

    @classmethod
    def of(cls, source: StoredSource) -> Self:
        return cls(
            said_at=source.said_at,
            role=Role(source.role),
            memory_id=source.memory_id,
            conversation_id=source.conversation_id,
            start=source.start,
            end=source.end,
        )


class Fact(ResponseSchema):
    """What holds, or held."""

    id: UUID = Field(examples=[ID])
    subject: str = Field(description="empty for the person; else the speaker who said it of themselves")
    attribute: str = Field(examples=["home"])
    value: str = Field(examples=["Lisbon"])
    valid_from: datetime | None = Field(description="null if nobody said since when")
    valid_to: datetime | None = Field(description="null if it still holds")
    day: date | None = Field(description="of an appointment, a trip or a plan")
    learned_at: datetime
    corrected: bool = Field(description="whether it is as the person corrected it")
    superseded_by: UUID | None = Field(description="the fact that ended it")
    sources: list[FactSource]

    @classmethod
    def of(cls, fact: StoredFact) -> Self:
        return cls(
            id=fact.id,
            subject=fact.subject,
            attribute=fact.attribute,
            value=fact.value,
            valid_from=_utc(fact.valid_from),
            valid_to=_utc(fact.valid_to),
            day=fact.day,
            learned_at=fact.learned_at,
            corrected=fact.corrected,
            superseded_by=fact.superseded_by,
            sources=[FactSource.of(each) for each in fact.sources],
        )


class Facts(ResponseSchema):
    """Facts, the newest learned first."""

    items: list[Fact]


def _utc(at: datetime | None) -> datetime | None:
    """Return a time as answers give times; a statement has that of its speaker."""
    return at and at.astimezone(UTC)
