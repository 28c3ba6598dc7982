"""/api/v1/stories"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from accounts.authentication.caller import caller_of
from stories.api.shapes import CorrectedStory, Stories
from stories.corrections.services import correcting
from stories.corrections.services.correcting import Prepared, prepare_correction, store_correction
from stories.reading import services as reading
from stories.reading.services import open_story
from stories.rebuilding import services as rebuilding
from stories.results import Story
from stories.search.filters import Filters
from vibe.core.http.cursors import Listing
from vibe.core.http.operations import keeps_to_companion, preflight, preflight_result, replayed_by
from vibe.core.http.responses import (
    VERSIONED,
    add_private_headers,
    empty_response,
    expected_version,
    no_content,
    respond,
    respond_unless_unchanged,
)
from vibe.core.http.schemas import Cursor, PageSize

router = Router(tags=["Stories"])


@router.get("", response=Stories)
@keeps_to_companion()
def list_stories(request: HttpRequest, limit: PageSize = 50, cursor: Cursor | None = None) -> HttpResponse:
    """List stories, the newest first."""
    caller = caller_of(request)
    listing = Listing(caller.user_id, "stories", caller.companion or "")
    found = reading.list_stories(
        user_id=caller.user_id,
        actor=caller.actor,
        limit=limit,
        after=listing.position(cursor),
        filters=Filters(companion=caller.companion),
    )
    more = listing.cursor(found[-1].position) if len(found) == limit else None
    return respond(Stories(items=[Story.of(each) for each in found], next=more))


@router.get("/{uuid:story_id}", response=Story, openapi_extra=VERSIONED)
@keeps_to_companion()
def get_story(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """Return a story."""
    story = open_story(**of(request, story_id), companion=caller_of(request).companion)
    return respond_unless_unchanged(request, Story.of(story), of=story)


def read_story(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """One story, for a retry."""
    story = open_story(**of(request, *ids))
    return respond(Story.of(story), of=story)


def embedded(request: HttpRequest, story_id: UUID, given: CorrectedStory) -> Prepared:
    """The correction with its vectors."""
    return prepare_correction(
        user_id=caller_of(request).user_id,
        story_id=story_id,
        changes=given.changes(),
        expected=expected_version(request),
    )


@router.patch("/{uuid:story_id}", response=Story, openapi_extra=VERSIONED)
@preflight(embedded)
@replayed_by(read_story)
def correct_story(request: HttpRequest, story_id: UUID, given: CorrectedStory) -> HttpResponse:  # noqa: ARG001
    """Correct a story in the person's own words. Corrections survive a rebuild."""
    whose = of(request, story_id)
    store_correction(prepared=preflight_result(request), actor=whose["actor"], expected=expected_version(request))
    story = open_story(**whose)
    return respond(Story.of(story), of=story)


@router.delete("/{uuid:story_id}", response={204: None}, openapi_extra=VERSIONED)
def delete_story(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """Delete a story. Its messages stay and are found by search; no other story is made of them."""
    correcting.delete_story(**of(request, story_id), expected=expected_version(request))
    return no_content()


@router.post("/{uuid:story_id}/rebuild", response={202: None}, openapi_extra=VERSIONED)
def rebuild_story(request: HttpRequest, story_id: UUID, forget_corrections: bool = False) -> HttpResponse:
    """Rebuild a story. Corrections stay, unless the request discards them."""
    rebuilding.request_rebuild(
        **of(request, story_id), forget_corrections=forget_corrections, expected=expected_version(request)
    )
    return add_private_headers(empty_response(202))


def of(request: HttpRequest, story_id: UUID) -> dict[str, Any]:
    """What every verb is told."""
    caller = caller_of(request)
    return {"user_id": caller.user_id, "actor": caller.actor, "story_id": story_id}
