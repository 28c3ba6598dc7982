"""/api/v1/people, /places and /events: whom and what the stories tell of."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from accounts.calling import caller_of
from stories.api.shapes import Entities, Entity
from stories.entities import KIND, list_entities
from vibe.apikit.answers import answer

router = Router(tags=["People, places, events"])
Most = Annotated[int, Field(ge=1, le=1_000, description="how many at most")]


@router.get("/people", response=Entities)
def list_people(request: HttpRequest, limit: Most = 100) -> HttpResponse:
    """The people that stories tell of, those of the most stories first."""
    return listed(request, KIND.PERSON, limit)


@router.get("/places", response=Entities)
def list_places(request: HttpRequest, limit: Most = 100) -> HttpResponse:
    """The places, those of the most stories first."""
    return listed(request, KIND.PLACE, limit)


@router.get("/events", response=Entities)
def list_events(request: HttpRequest, limit: Most = 100) -> HttpResponse:
    """The events, those of the most stories first."""
    return listed(request, KIND.EVENT, limit)


def listed(request: HttpRequest, kind: str, limit: int) -> HttpResponse:
    """The names of one kind."""
    caller = caller_of(request)
    found = list_entities(user_id=caller.user_id, kind=kind, actor=caller.actor, limit=limit)
    return answer(
        Entities(
            items=[
                Entity(id=each.id, name=each.name, stories=each.stories, first=each.first, last=each.last)
                for each in found
            ]
        )
    )
