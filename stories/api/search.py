"""/api/v1/stories/search and /api/v1/memories/search: asking one's own stories and memories."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import Caller, SignedIn, caller_of
from accounts.companions import LONGEST_COMPANION
from memories.api.shapes import Memory
from memories.metadata import MetadataObject
from memories.roles import Role
from stories.filtering import services as filtering
from stories.results import PENDING, Answer, MemoriesFound
from stories.search.answers import PASSAGES_SHOWN
from stories.search.asking import Asked, ask
from stories.search.filters import MOST_NAMES, Filters
from stories.search.services import (
    LONGEST_QUESTION,
    MOST_PASSAGES,
    MOST_STORIES,
    Prefer,
    check,
    search_memories,
    search_stories,
)
from vibe.core.http.cursors import Listing
from vibe.core.http.operations import in_snapshot, keeps_to_companion, preflight, preflight_result
from vibe.core.http.responses import respond
from vibe.core.http.schemas import LARGEST_PAGE, Cursor
from vibe.core.schemas import LocalMoment, Moment, RequestSchema, ResponseSchema

router = Router(tags=["Stories"])
of_memories = Router(tags=["Memories"])
Question = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
MOST_CHOICES = 16
Companion = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_COMPANION)]


class Narrowing(RequestSchema):
    """What memories are narrowed to. One name of a kind is enough; all the rest must hold."""

    people: Names = Field(default=[], examples=[["Ines"]], description="whom the story tells of")
    places: Names = Field(default=[], examples=[["Lisbon"]])
    events: Names = Field(default=[])
    authors: Names = Field(default=[], description="who said it, by the name that stands with it")
    roles: list[Role] = Field(
        default=[], max_length=len(Role), description="who said it, by their part", examples=[["user"]]
    )
    since: Moment | None = Field(None, description="said then or later")
    until: Moment | None = Field(None, description="said then or earlier")
    conversation_id: UUID | None = None
    companion: Companion | None = Field(None, description="said to this companion")
    metadata: MetadataObject = Field(
        default={}, description="what its metadata has, each member with this value; among the first 16 of it"
    )
    archived: bool | None = Field(None, strict=True, description="of archived conversations only, or of active ones")

    def filters(self, caller: Caller) -> Filters:
        given = self.model_dump(include=set(Narrowing.model_fields))
        return Filters(**{**given, "companion": caller.companion_or(self.companion)})


class MemorySearch(Narrowing):
    """A question, and what the memories are narrowed to. One name of a kind is enough; all the rest must hold."""

    question: Question = Field(examples=["When did I move to Lisbon?"])
    asked_at: LocalMoment | None = Field(
        None,
        description='when the question is asked, in the time zone of the person: "last week" is reckoned from then. '
        "Without it, from now, in UTC",
    )
    limit: int = Field(10, ge=1, le=MOST_STORIES, strict=True, description="how many at most")
    prefer: Prefer = Field(
        "best", description="newest: of what fits about as well, the newest first", examples=["newest"]
    )
    min_score: float = Field(
        0.0, ge=0, le=1, strict=True, description="leave out what answers with a smaller probability", examples=[0.2]
    )


class MemoryFilter(Narrowing):
    """What memories are listed by. One name of a kind is enough; all the rest must hold."""

    metadata_any: list[MetadataObject] = Field(
        default=[],
        max_length=MOST_CHOICES,
        description="what its metadata has of several: all that one of them names",
        examples=[[{"mood": "glad"}, {"mood": "calm"}]],
    )
    limit: int = Field(50, ge=1, le=LARGEST_PAGE, strict=True, description="how many at most")
    cursor: Cursor | None = None


class FilteredMemories(ResponseSchema):
    """A page of memories, the newest first."""

    items: list[Memory]
    next: str | None = Field(description="the cursor of the next page; null on the last")
    pending: int = Field(description=PENDING)


class Search(MemorySearch):
    """A question, and what the passages are narrowed to by which stories are found."""

    passages: int = Field(
        PASSAGES_SHOWN, ge=1, le=MOST_PASSAGES, strict=True, description="how many passages of each story at most"
    )


def understood(request: HttpRequest, asked: MemorySearch) -> Asked | None:
    """The question with its vector, where that may take long."""
    check(asked.question, asked.limit)
    return ask(caller_of(request).user_id, asked.question, asked.asked_at)


@router.post("/search", response=Answer, auth=SignedIn("read"))
@preflight(understood)
@in_snapshot
@keeps_to_companion()
def search(request: HttpRequest, asked: Search) -> HttpResponse:
    """Search stories. The question is in the body, so that no log of URLs holds it."""
    caller = caller_of(request)
    found = search_stories(
        user_id=caller.user_id,
        question=asked.question,
        actor=caller.actor,
        limit=asked.limit,
        filters=asked.filters(caller),
        asked_at=asked.asked_at,
        prefer=asked.prefer,
        min_score=asked.min_score,
        passages=asked.passages,
        asked=preflight_result(request),
    )
    return respond(Answer.of(found))


@of_memories.post("/search", response=MemoriesFound, auth=SignedIn("read"))
@preflight(understood)
@in_snapshot
@keeps_to_companion()
def search_for_memories(request: HttpRequest, asked: MemorySearch) -> HttpResponse:
    """Search memories: the messages that bear on a question. What was just added is found."""
    caller = caller_of(request)
    found = search_memories(
        user_id=caller.user_id,
        question=asked.question,
        actor=caller.actor,
        limit=asked.limit,
        filters=asked.filters(caller),
        asked_at=asked.asked_at,
        prefer=asked.prefer,
        min_score=asked.min_score,
        asked=preflight_result(request),
    )
    return respond(MemoriesFound.of(found))


@of_memories.post("/filter", response=FilteredMemories, auth=SignedIn("read"))
@in_snapshot
@keeps_to_companion()
def filter_memories(request: HttpRequest, given: MemoryFilter) -> HttpResponse:
    """List memories by their metadata, the newest first. The filter is in the body, so that no log of URLs holds it."""
    caller = caller_of(request)
    filters = given.filters(caller)
    narrowed = f"{filters.companion} {given.model_dump_json(exclude={'limit', 'cursor'})}"
    listing = Listing(caller.user_id, "filtered memories", narrowed)
    page = filtering.filter_memories(
        user_id=caller.user_id,
        actor=caller.actor,
        filters=filters,
        metadata_any=given.metadata_any,
        limit=given.limit,
        after=listing.position(given.cursor),
    )
    items = [Memory.of(each) for each in page.memories]
    return respond(FilteredMemories(items=items, next=listing.cursor(page.next), pending=page.pending))
