"""What conversations and memories look like from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from memories.imports.lines import LONGEST_DESCRIPTION, LONGEST_ID, LONGEST_TEXT, LONGEST_TITLE
from memories.payload import Payload
from memories.services.adding import LARGEST_BATCH, KeptMemory, NewMemory
from memories.services.conversations import OpenedConversation
from vibe.core.schemas import Moment, RequestSchema, ResponseSchema

ID = "0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"
Title = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TITLE)]
Description = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_DESCRIPTION)]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_ID)]
Said = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_TEXT)]
AT = "2026-05-12T09:30:00Z"


class ConversationTexts(RequestSchema):
    """What is given in a change stays as given; null takes it away; what is not named stays as it was."""

    title: Title | None = Field(None, examples=["Moving to Lisbon"])
    description: Description | None = Field(None, examples=["The flat, the boxes, the cat."])


class NewConversation(ConversationTexts):
    """A conversation to begin. Everything may be left out."""

    external_id: Name | None = Field(None, description="an id of yours, stored in clear", examples=["chat-2026-05-12"])
    started_at: Moment | None = Field(None, description="now, if left out", examples=[AT])


class Conversation(ResponseSchema):
    """A conversation with its texts opened."""

    id: UUID = Field(examples=[ID])
    external_id: str | None = Field(examples=["chat-2026-05-12"])
    title: str | None = Field(examples=["Moving to Lisbon"])
    description: str | None = Field(examples=["The flat, the boxes, the cat."])
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


class AddedMemory(RequestSchema):
    """One message to remember."""

    author: Name = Field(examples=["Ada"])
    text: Said = Field(examples=["I moved to Lisbon last Friday."])
    occurred_at: Moment | None = Field(None, description="when it was said; now, if left out", examples=[AT])
    message_id: Name | None = Field(
        None, description="an id of yours, once in a conversation, stored in clear", examples=["m1"]
    )

    def new(self) -> NewMemory:
        return NewMemory(Payload(self.author, self.text), self.occurred_at, self.message_id)


class AddedMemories(RequestSchema):
    """A batch: all of it is added, or none."""

    memories: list[AddedMemory] = Field(min_length=1, max_length=LARGEST_BATCH)


class ChangedMemory(RequestSchema):
    """What is to be corrected; what is left out stays."""

    author: Name | None = Field(None, examples=["Ada"])
    text: Said | None = Field(None, examples=["I moved to Lisbon on 8 May."])
    occurred_at: Moment | None = Field(None, examples=[AT])


class Memory(ResponseSchema):
    """A memory, opened."""

    id: UUID = Field(examples=[ID])
    conversation_id: UUID = Field(examples=[ID])
    message_ids: list[str] = Field(examples=[["m1"]])
    author: str = Field(examples=["Ada"])
    text: str = Field(examples=["I moved to Lisbon last Friday."])
    occurred_at: datetime = Field(examples=[AT])
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
            text=kept.payload.text,
            occurred_at=row.occurred_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class Memories(ResponseSchema):
    """A page of a conversation, in the order it was said."""

    items: list[Memory]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class MemoriesAdded(ResponseSchema):
    """What was added, in the order given."""

    items: list[Memory]
