"""/api/v1/conversations/…/memories and /api/v1/memories"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.errors import ValidationError
from pydantic import Field

from accounts.authentication.caller import caller_of
from memories import reading
from memories.api.shapes import (
    ID,
    AddedMemories,
    AddedMemory,
    ChangedMemory,
    ForgottenMemories,
    ForgottenMemory,
    Memories,
    MemoriesAdded,
    Memory,
    OneCompanion,
    OwnId,
    PutMemory,
    RememberedMemory,
)
from memories.services.adding import KeptMemory, NewMemory, add_memories
from memories.services.changing import change_memory as change
from memories.services.changing import delete_memory as delete
from memories.services.changing import put_memory as put
from memories.services.conversations import ensure_conversation
from memories.services.forgetting import forget_range
from vibe.core.http.cursors import Listing
from vibe.core.http.operations import keeps_to_companion, replayed_by
from vibe.core.http.responses import VERSIONED, expected_version, no_content, respond, respond_unless_unchanged
from vibe.core.http.schemas import LARGEST_PAGE, Cursor, PageSize
from vibe.core.schemas import Moment

Order = Annotated[Literal["asc", "desc"], Field(description="`desc`: what was said last comes first")]
Last = Annotated[
    int, Field(ge=1, le=LARGEST_PAGE, description="so many of the end, in the order they were said; `limit` is ignored")
]
Around = Annotated[
    UUID, Field(description="a memory of the conversation: a page with as many before it as after it", examples=[ID])
]
Since = Annotated[Moment, Field(description="said then or later")]
Until = Annotated[Moment, Field(description="said then or earlier")]
of_conversation = Router(tags=["Memories"])
router = Router(tags=["Memories"])


def read_memory(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """One memory, for a retry."""
    found = reading.memory(caller_of(request).user_id, *ids)
    return respond(Memory.of(found), of=found.row)


def read_memories(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """Those of a batch, for a retry: null for each that is gone."""
    found = reading.memories(caller_of(request).user_id, ids)
    return respond(MemoriesAdded(items=[Memory.of(each) if each else None for each in found]))


@of_conversation.post("/{uuid:conversation_id}/memories", response={201: Memory})
@replayed_by(read_memory, made=True)
@keeps_to_companion(reading.require_companion)
def add_memory(request: HttpRequest, conversation_id: UUID, given: AddedMemory) -> HttpResponse:
    """Add one message."""
    [kept] = add(request, conversation_id, [given.new()])
    where = request.path.partition("/conversations/")[0]
    return respond(Memory.of(kept), of=kept.row, status=201, location=f"{where}/memories/{kept.row.pk}")


@router.post("", response={201: Memory})
@replayed_by(read_memory, made=True)
@keeps_to_companion()
def remember(request: HttpRequest, given: RememberedMemory) -> HttpResponse:
    """Add one message to the conversation with an external id, which is created if there is none."""
    caller = caller_of(request)
    new = {**given.conversation.model_dump(), "companion": caller.companion_or(given.conversation.companion)}
    conversation, _ = ensure_conversation(user_id=caller.user_id, actor=caller.actor, **new)
    [kept] = add(request, conversation.row.pk, [given.new()])
    return respond(Memory.of(kept), of=kept.row, status=201, location=f"{request.path}/{kept.row.pk}")


@of_conversation.post("/{uuid:conversation_id}/memories/batch", response={201: MemoriesAdded})
@replayed_by(read_memories, made=True)
@keeps_to_companion(reading.require_companion)
def add_memories_at_once(request: HttpRequest, conversation_id: UUID, given: AddedMemories) -> HttpResponse:
    """Add up to 1,000 messages: all of them, or none."""
    kept = add(request, conversation_id, [each.new() for each in given.memories])
    return respond(MemoriesAdded(items=[Memory.of(each) for each in kept]), status=201)


@of_conversation.get("/{uuid:conversation_id}/memories", response=Memories)
@keeps_to_companion(reading.require_companion)
def list_memories(
    request: HttpRequest,
    conversation_id: UUID,
    *,
    order: Order = "asc",
    last: Last | None = None,
    around: Around | None = None,
    limit: PageSize = 50,
    cursor: Cursor | None = None,
) -> HttpResponse:
    """List the messages of a conversation in order. `last` and `around` exclude `order` and `cursor`."""
    paged = order == "desc" or cursor is not None
    if (last is not None) + (around is not None) + paged > 1:
        fault = {"type": "together", "msg": "Give only one of `last`, `around`, and `order` with `cursor`"}
        raise ValidationError([{**fault, "loc": ("query", "last" if last else "around")}])
    person = caller_of(request).user_id
    if last:
        found = reading.last_memories(person, conversation_id, count=last)
        return respond(Memories(items=[Memory.of(each) for each in found], next=None))
    listing = Listing(person, "memories", str(conversation_id) if order == "asc" else f"{conversation_id} {order}")
    if around:
        page = reading.memories_around(person, conversation_id, around, size=limit)
    else:
        after, newest_first = listing.position(cursor), order == "desc"
        page = reading.memories_page(person, conversation_id, after=after, size=limit, newest_first=newest_first)
    return respond(Memories(items=[Memory.of(each) for each in page.rows], next=listing.cursor(page.next)))


@of_conversation.put(
    "/{uuid:conversation_id}/memories/by-message-id/{path:message_id}", response={200: Memory, 201: Memory}
)
@replayed_by(read_memory, made=True)
@keeps_to_companion(reading.require_companion)
def put_memory(request: HttpRequest, conversation_id: UUID, message_id: OwnId, given: PutMemory) -> HttpResponse:
    """Replace the message with this message id, such as a regenerated reply; add it (201) if there is none."""
    caller = caller_of(request)
    kept, is_new = put(
        user_id=caller.user_id,
        conversation_id=conversation_id,
        message_id=message_id,
        new=given.new(),
        actor=caller.actor,
    )
    if not is_new:
        return respond(Memory.of(kept), of=kept.row)
    where = request.path.partition("/conversations/")[0]
    return respond(Memory.of(kept), of=kept.row, status=201, location=f"{where}/memories/{kept.row.pk}")


def read_forgotten(request: HttpRequest, ids: list[UUID]) -> HttpResponse:  # noqa: ARG001
    """What was deleted, for a retry, which cannot tell what is left."""
    return respond(ForgottenMemories(items=[ForgottenMemory(id=each) for each in ids], more=True))


@router.delete("", response=ForgottenMemories)
@replayed_by(read_forgotten, made=True)
@keeps_to_companion(reading.require_companion)
def forget_memories(
    request: HttpRequest,
    *,
    since: Since | None = None,
    until: Until | None = None,
    conversation_id: UUID | None = None,
    companion: OneCompanion | None = None,
) -> HttpResponse:
    """Delete the memories of a period for good, the oldest 100 at a time: call again while `more` is true."""
    caller = caller_of(request)
    done = forget_range(
        user_id=caller.user_id,
        actor=caller.actor,
        since=since,
        until=until,
        conversation_id=conversation_id,
        companion=caller.companion_or(companion),
    )
    return respond(ForgottenMemories(items=[ForgottenMemory(id=each) for each in done.ids], more=done.more))


@router.get("/{uuid:memory_id}", response=Memory, openapi_extra=VERSIONED)
@keeps_to_companion(reading.require_companion)
def get_memory(request: HttpRequest, memory_id: UUID) -> HttpResponse:
    """Return a memory."""
    found = reading.memory(caller_of(request).user_id, memory_id)
    return respond_unless_unchanged(request, Memory.of(found), of=found.row)


@router.patch("/{uuid:memory_id}", response=Memory, openapi_extra=VERSIONED)
@replayed_by(read_memory)
@keeps_to_companion(reading.require_companion)
def change_memory(request: HttpRequest, memory_id: UUID, given: ChangedMemory) -> HttpResponse:
    """Correct the text, author, time or expiry of a memory. Its story is rebuilt."""
    kept = change(**of(request, memory_id), **given.changes(), expected=expected_version(request))
    return respond(Memory.of(kept), of=kept.row)


@router.delete("/{uuid:memory_id}", response={204: None}, openapi_extra=VERSIONED)
@keeps_to_companion(reading.require_companion)
def delete_memory(request: HttpRequest, memory_id: UUID) -> HttpResponse:
    """Delete a memory for good. Search no longer finds it; its story is rebuilt."""
    delete(**of(request, memory_id), expected=expected_version(request))
    return no_content()


def add(request: HttpRequest, conversation_id: UUID, memories: list[NewMemory]) -> list[KeptMemory]:
    """Add them as who calls."""
    caller = caller_of(request)
    return add_memories(user_id=caller.user_id, conversation_id=conversation_id, memories=memories, actor=caller.actor)


def of(request: HttpRequest, memory_id: UUID) -> dict[str, Any]:
    """What both verbs are told."""
    caller = caller_of(request)
    return {"user_id": caller.user_id, "actor": caller.actor, "memory_id": memory_id}
