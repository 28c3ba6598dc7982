"""/api/v1/people, /places and /events: whom and what the stories tell of."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from accounts.authentication.caller import caller_of
from stories.api.shapes import EntitiesPage
from stories.entities.services import KIND, list_entities
from stories.results import Entity
from vibe.core.http.cursors import Listing
from vibe.core.http.responses import respond
from vibe.core.http.schemas import Cursor, PageSize

router = Router(tags=["People, places, events"])


@router.get("/people", response=EntitiesPage)
def list_people(request: HttpRequest, limit: PageSize = 50, cursor: Cursor | None = None) -> HttpResponse:
    """List the people in stories, those in the most stories first."""
    return listed(request, KIND.PERSON, limit, cursor)


@router.get("/places", response=EntitiesPage)
def list_places(request: HttpRequest, limit: PageSize = 50, cursor: Cursor | None = None) -> HttpResponse:
    """List the places in stories, those in the most stories first."""
    return listed(request, KIND.PLACE, limit, cursor)


@router.get("/events", response=EntitiesPage)
def list_events(request: HttpRequest, limit: PageSize = 50, cursor: Cursor | None = None) -> HttpResponse:
    """List the events in stories, those in the most stories first."""
    return listed(request, KIND.EVENT, limit, cursor)


def listed(request: HttpRequest, kind: str, limit: int, cursor: str | None) -> HttpResponse:
    """A page of the names of one kind."""
    caller = caller_of(request)
    listing = Listing(caller.user_id, "entities", kind)
    found = list_entities(
        user_id=caller.user_id, kind=kind, actor=caller.actor, limit=limit, after=listing.rank(cursor)
    )
    more = listing.cursor(found[-1].rank) if len(found) == limit else None
    return respond(EntitiesPage(items=[Entity.of(each) for each in found], next=more))
