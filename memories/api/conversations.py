"""/api/v1/conversations"""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from accounts.authentication.caller import caller_of
from memories import reading
from memories.api.shapes import (
    Conversation,
    Conversations,
    ConversationTexts,
    EnsuredConversation,
    NewConversation,
    OneCompanion,
    OwnId,
)
from memories.services import conversations as verbs
from vibe.core.http.cursors import Listing
from vibe.core.http.operations import keeps_to_companion, replayed_by
from vibe.core.http.responses import VERSIONED, expected_version, no_content, respond, respond_unless_unchanged
from vibe.core.http.schemas import Cursor, PageSize

Archived = Annotated[
    bool,
    Field(description="the archived ones, or the active ones; if left out the active ones, with `external_id` both"),
]
router = Router(tags=["Conversations"])


def read_conversation(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """One conversation, for a retry."""
    return changed(reading.conversation(caller_of(request).user_id, *ids))


@router.post("", response={201: Conversation})
@replayed_by(read_conversation, made=True)
@keeps_to_companion()
def create_conversation(request: HttpRequest, given: NewConversation) -> HttpResponse:
    """Create a conversation."""
    caller = caller_of(request)
    new = {**given.model_dump(), "companion": caller.companion_or(given.companion)}
    made = verbs.create_conversation(user_id=caller.user_id, actor=caller.actor, **new)
    return respond(Conversation.of(made), of=made.row, status=201, location=f"{request.path}/{made.row.pk}")


@router.put("/by-external-id/{path:external_id}", response={200: Conversation, 201: Conversation})
@replayed_by(read_conversation, made=True)
@keeps_to_companion()
def ensure_conversation(request: HttpRequest, external_id: OwnId, given: EnsuredConversation) -> HttpResponse:
    """Return the conversation with this external id; create it (201) if there is none."""
    caller = caller_of(request)
    new = {**given.model_dump(), "companion": caller.companion_or(given.companion)}
    found, is_new = verbs.ensure_conversation(
        user_id=caller.user_id, actor=caller.actor, external_id=external_id, **new
    )
    if not is_new:
        return changed(found)
    where = f"{request.path.partition('/by-external-id/')[0]}/{found.row.pk}"
    return respond(Conversation.of(found), of=found.row, status=201, location=where)


@router.get("", response=Conversations)
@keeps_to_companion()
def list_conversations(
    request: HttpRequest,
    *,
    archived: Archived | None = None,
    companion: OneCompanion | None = None,
    external_id: OwnId | None = None,
    limit: PageSize = 50,
    cursor: Cursor | None = None,
) -> HttpResponse:
    """List conversations, the most recently active first: active, archived, or those of given ids."""
    caller = caller_of(request)
    person, companion = caller.user_id, caller.companion_or(companion)
    archived = False if archived is None and external_id is None else archived
    listing = Listing(person, "conversations", json.dumps([archived, companion, external_id]))
    page = reading.conversations_page(
        person,
        archived=archived,
        companion=companion,
        external_id=external_id,
        after=listing.position(cursor),
        size=limit,
    )
    items = [Conversation.of(each) for each in page.rows]
    return respond(Conversations(items=items, next=listing.cursor(page.next)))


@router.get("/{uuid:conversation_id}", response=Conversation, openapi_extra=VERSIONED)
@keeps_to_companion(reading.require_companion)
def get_conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Return a conversation."""
    found = reading.conversation(caller_of(request).user_id, conversation_id)
    return respond_unless_unchanged(request, Conversation.of(found), of=found.row)


@router.patch("/{uuid:conversation_id}", response=Conversation, openapi_extra=VERSIONED)
@replayed_by(read_conversation)
@keeps_to_companion(reading.require_companion)
def change_conversation(request: HttpRequest, conversation_id: UUID, given: ConversationTexts) -> HttpResponse:
    """Change the title or description by a JSON Merge Patch: a null removes it."""
    return changed(
        verbs.change_conversation(
            **of(request, conversation_id),
            texts=given.model_dump(exclude_unset=True),
            expected=expected_version(request),
        )
    )


@router.post("/{uuid:conversation_id}/archive", response=Conversation, openapi_extra=VERSIONED)
@replayed_by(read_conversation)
@keeps_to_companion(reading.require_companion)
def archive_conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Archive a conversation: it leaves the active ones, and nothing of it is lost."""
    return changed(
        verbs.archive_conversation(**of(request, conversation_id), archived=True, expected=expected_version(request))
    )


@router.post("/{uuid:conversation_id}/unarchive", response=Conversation, openapi_extra=VERSIONED)
@replayed_by(read_conversation)
@keeps_to_companion(reading.require_companion)
def unarchive_conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Make an archived conversation active again."""
    return changed(
        verbs.archive_conversation(**of(request, conversation_id), archived=False, expected=expected_version(request))
    )


@router.delete("/{uuid:conversation_id}", response={204: None}, openapi_extra=VERSIONED)
@keeps_to_companion(reading.require_companion)
def delete_conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Delete a conversation with its memories and stories, for good."""
    verbs.delete_conversation(**of(request, conversation_id), expected=expected_version(request))
    return no_content()


def of(request: HttpRequest, conversation_id: UUID) -> dict[str, Any]:
    """What every verb is told."""
    caller = caller_of(request)
    return {"user_id": caller.user_id, "actor": caller.actor, "conversation_id": conversation_id}


def changed(conversation: verbs.OpenedConversation) -> HttpResponse:
    """A conversation after a change."""
    return respond(Conversation.of(conversation), of=conversation.row)
