"""What conversations and memories look like from outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from accounts.companions import LONGEST_COMPANION
from memories.imports.lines import LONGEST_DESCRIPTION, LONGEST_ID, LONGEST_TEXT, LONGEST_TITLE
from memories.metadata import MetadataObject
from memories.payload import Payload, offset_of
from memories.roles import Role
from memories.services.adding import LARGEST_BATCH, KeptMemory, NewMemory
from memories.services.conversations import OpenedConversation
from vibe.core.schemas import LocalMoment, Moment, RequestSchema, ResponseSchema

ID = "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"
GIVEN = "7f0c2a9e-51d4-4b7a-8d63-2f9b1e06c5a8"
Title = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TITLE)]
Description = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_DESCRIPTION)]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_ID)]
Companion = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_COMPANION)]
Said = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TEXT)]
OWN_ID = "an id of yours that tells nothing, such as a UUID: it is stored in clear"
# Of addresses: bodies and agents' tools refuse NUL characters as they are read.
OwnId = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]+$", description=OWN_ID, examples=[GIVEN])
]
OneCompanion = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_COMPANION, description="of this companion alone", examples=["nova"]),
]
AT, LOCAL = "2026-05-12T09:30:00Z", "2026-05-12T11:30:00+02:00"


class ConversationTexts(RequestSchema):
    """What is given in a change stays as given; null takes it away; what is not named stays as it was."""

    title: Title | None = Field(None, examples=["Moving to Lisbon"])
    description: Description | None = Field(None, examples=["The flat, the boxes, the cat."])


class EnsuredConversation(ConversationTexts):
    """What a conversation is begun with, if it is not there. Everything may be left out."""

    started_at: Moment | None = Field(None, description="now, if left out", examples=[AT])
    companion: Companion | None = Field(
        None, description="the companion it is with, an id of yours; sealed, and not changed later", examples=["nova"]
    )


class NewConversation(EnsuredConversation):
    """A conversation to begin. Everything may be left out."""

    external_id: Name | None = Field(None, description=OWN_ID, examples=[GIVEN])


class Conversation(ResponseSchema):
    """A conversation with its texts opened."""

    id: UUID = Field(examples=[ID])
    external_id: str | None = Field(examples=[GIVEN])
    title: str | None = Field(examples=["Moving to Lisbon"])
    description: str | None = Field(examples=["The flat, the boxes, the cat."])
    companion: str | None = Field(examples=["nova"])
    is_archived: bool
    memory_count: int = Field(examples=[12])
    started_at: datetime = Field(examples=[AT])
    active_at: datetime = Field(description="when the last of it was said", examples=[AT])
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, opened: OpenedConversation) -> Self:
        row = opened.row
        return cls(
            id=row.pk,
            external_id=row.external_id,
            title=opened.title,
            description=opened.description,
            companion=opened.companion,
            is_archived=row.is_archived,
            memory_count=row.memory_count,
            started_at=row.started_at,
            active_at=row.active_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class Conversations(ResponseSchema):
    """A page of conversations, those of the last activity first."""

    items: list[Conversation]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class MemoryContent(RequestSchema):
    """One message: its text, or metadata where there is no text, such as of a picture."""

    author: Name = Field(examples=["Ada"])
    role: Role | None = Field(None, description="told by the author, if left out", examples=["user"])
    text: Said = Field("", examples=["I moved to Lisbon last Friday."])
    metadata: MetadataObject | None = Field(
        None, description="notes of yours, sealed: up to 50 members and 4,096 bytes", examples=[{"mood": "glad"}]
    )
    occurred_at: LocalMoment | None = Field(None, description="when it was said; now, if left out", examples=[LOCAL])
    expires_at: Moment | None = Field(None, description="when it is to be forgotten; never, if left out", examples=[AT])

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if not self.text and not self.metadata:
            raise ValueError("a text, or metadata where there is no text")
        return self

    def new(self) -> NewMemory:
        at = self.occurred_at
        return NewMemory(
            Payload(self.author, self.text, self.metadata or {}, offset_of(at) if at else None),
            occurred_at=at and at.astimezone(UTC),
            role=self.role,
            expires_at=self.expires_at,
        )


class AddedMemory(MemoryContent):
    """One message to remember: its text, or metadata where there is no text, such as of a picture."""

    message_id: Name | None = Field(
        None, description="an id of yours, once in a conversation, stored in clear", examples=["m1"]
    )

    def new(self) -> NewMemory:
        return replace(super().new(), message_id=self.message_id)


class NamedConversation(EnsuredConversation):
    """A conversation by its external id, and what it is begun with, if it is not there."""

    external_id: Name = Field(description=OWN_ID, examples=[GIVEN])


class RememberedMemory(AddedMemory):
    """One message to remember, and the conversation it is of."""

    conversation: NamedConversation


class AddedMemories(RequestSchema):
    """A batch: all of it is added, or none."""

    memories: list[AddedMemory] = Field(min_length=1, max_length=LARGEST_BATCH)


class PutMemory(MemoryContent):
    """One message to stand in place of the one of its message id, or to be added under it."""


class ForgottenMemory(ResponseSchema):
    """A memory that is gone."""

    id: UUID = Field(examples=[ID])


class ForgottenMemories(ResponseSchema):
    """Memories that were deleted."""

    items: list[ForgottenMemory]
    more: bool = Field(description="whether more may be left: then ask again")


class ChangedMemory(RequestSchema):
    """What is to be corrected; what is left out stays."""

    author: Name | None = Field(None, examples=["Ada"])
    role: Role | None = Field(None, examples=["user"])
    text: Said | None = Field(None, examples=["I moved to Lisbon on 8 May."])
    metadata: MetadataObject | None = Field(
        None, description="in place of all that is there; null takes it away", examples=[{"mood": "glad"}]
    )
    occurred_at: LocalMoment | None = Field(None, examples=[LOCAL])
    expires_at: Moment | None = Field(None, description="null takes it away", examples=[AT])

    def changes(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        return {**given, "metadata": given["metadata"] or {}} if "metadata" in given else given


class Memory(ResponseSchema):
    """A memory, opened."""

    id: UUID = Field(examples=[ID])
    conversation_id: UUID = Field(examples=[ID])
    message_ids: list[str] = Field(examples=[["m1"]])
    author: str = Field(examples=["Ada"])
    role: Role
    text: str = Field(description="empty where there is metadata alone", examples=["I moved to Lisbon last Friday."])
    metadata: MetadataObject = Field(examples=[{"mood": "glad"}])
    occurred_at: datetime = Field(description="in UTC", examples=[AT])
    utc_offset: int | None = Field(
        description="minutes east of UTC where it was said; null if not known", examples=[120]
    )
    expires_at: datetime | None = Field(examples=[None])
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, kept: KeptMemory) -> Self:
        row = kept.row
        return cls(
            id=row.pk,
            conversation_id=row.conversation_id,
            message_ids=row.message_ids,
            author=kept.payload.author,
            role=Role(row.role),
            text=kept.payload.text,
            metadata=kept.payload.metadata,
            occurred_at=row.occurred_at,
            utc_offset=kept.payload.utc_offset,
            expires_at=row.expires_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class Memories(ResponseSchema):
    """A page of a conversation, in the order it was said, or with `order=desc` the last first."""

    items: list[Memory]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class MemoriesAdded(ResponseSchema):
    """What was added, in the order given."""

    items: list[Memory | None] = Field(description="null, in the answer to a retry, for what is gone since")
