"""/api/v1/stories/search: asking one's own stories."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import SignedIn, caller_of
from stories.results import Answer, Found
from stories.search.asking import Asked, ask
from stories.search.filters import MOST_NAMES, Filters
from stories.search.services import LONGEST_QUESTION, MOST_STORIES, check, search_stories
from vibe.core.http.operations import in_snapshot, preflight, preflight_result
from vibe.core.http.responses import respond
from vibe.core.schemas import Moment, RequestSchema

router = Router(tags=["Stories"])
Question = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]


class Search(RequestSchema):
    """A question, and what the stories are narrowed to. One name of a kind is enough; all the rest must hold."""

    question: Question = Field(examples=["When did I move to Lisbon?"])
    limit: int = Field(10, ge=1, le=MOST_STORIES, strict=True, description="how many stories at most")
    people: Names = Field(default=[], examples=[["Ines"]])
    places: Names = Field(default=[], examples=[["Lisbon"]])
    events: Names = Field(default=[])
    since: Moment | None = Field(None, description="some of the story happened then or later")
    until: Moment | None = Field(None, description="some of the story happened then or earlier")
    conversation_id: UUID | None = None
    archived: bool | None = Field(None, strict=True, description="of archived conversations only, or of active ones")

    def filters(self) -> Filters:
        return Filters(**self.model_dump(exclude={"question", "limit"}))


def understood(request: HttpRequest, asked: Search) -> Asked | None:
    """The question with its vector, where that may take long."""
    check(asked.question, asked.limit)
    return ask(caller_of(request).user_id, asked.question)


@router.post("/search", response=Answer, auth=SignedIn("read"))
@preflight(understood)
@in_snapshot
def search(request: HttpRequest, asked: Search) -> HttpResponse:
    """Ask. The question travels in the body, so that it stands in no log of addresses."""
    caller = caller_of(request)
    found = search_stories(
        user_id=caller.user_id,
        question=asked.question,
        actor=caller.actor,
        limit=asked.limit,
        filters=asked.filters(),
        asked=preflight_result(request),
    )
    return respond(Answer(items=[Found.of(each) for each in found.stories], degraded=found.degraded or None))
