"""/api/v1/me: the person who calls, and what they have set."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body, Router
from pydantic import Field, RootModel, WithJsonSchema

from accounts.authentication.caller import caller_of
from accounts.models import PREFERENCES_BYTES, User
from accounts.people.services.people import open_name
from accounts.people.services.preferences import change_preferences as change
from accounts.people.services.preferences import preferences
from vibe.core.errors import NotFound
from vibe.core.http.operations import keeps_to_companion, replayed_by
from vibe.core.http.responses import VERSIONED, expected_version, respond, respond_unless_unchanged
from vibe.core.schemas import ResponseSchema

router = Router(tags=["Me"])
SHOWN = ("pk", "email", "email_verified", "name", "created_at")
FREE: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": True,
    "x-bytes": 8 * PREFERENCES_BYTES,  # all of it escaped is 6 times as long
    "x-values": PREFERENCES_BYTES // 2,  # [0,0,…]
}
Patch = Annotated[
    dict[str, Any],
    WithJsonSchema(FREE),
    Body(examples=[{"theme": "dark", "reminders": {"weekly": True}, "nickname": None}]),
]


class Me(ResponseSchema):
    """Who calls, as far as it is known."""

    id: UUID
    email: str | None = Field(examples=["ada@example.com"])
    email_verified: bool
    name: str | None = Field(examples=["Ada Tavares"])
    created_at: datetime


class Preferences(RootModel[dict[str, Any]]):
    """Whatever the person, or the app for them, has set."""

    root: dict[str, Any] = Field(examples=[{"theme": "dark", "reminders": {"weekly": True}}])


@router.get("", response=Me)
@keeps_to_companion()
def get_me(request: HttpRequest) -> HttpResponse:
    """Return the person who is signed in."""
    row = User.objects.filter(pk=caller_of(request).user_id).only(*SHOWN).first()
    if row is None:
        raise NotFound
    return respond(
        Me(
            id=row.pk,
            email=row.email,
            email_verified=row.email_verified,
            name=open_name(row) or None,
            created_at=row.created_at,
        )
    )


@router.get("/preferences", response=Preferences, openapi_extra=VERSIONED)
def get_preferences(request: HttpRequest) -> HttpResponse:
    """Return all preferences."""
    row = preferences(caller_of(request).user_id)
    return respond_unless_unchanged(request, Preferences(row.data), of=row)


def read_preferences(request: HttpRequest, ids: list[UUID]) -> HttpResponse:  # noqa: ARG001
    """What is set, for a retry."""
    row = preferences(caller_of(request).user_id)
    return respond(Preferences(row.data), of=row)


@router.patch("/preferences", response=Preferences, openapi_extra=VERSIONED)
@replayed_by(read_preferences)
def change_preferences(request: HttpRequest, patch: Patch) -> HttpResponse:
    """Change preferences by a JSON Merge Patch (RFC 7396): a null removes a key. All changes are made, or none."""
    caller = caller_of(request)
    row = change(user_id=caller.user_id, patch=patch, actor=caller.actor, expected=expected_version(request))
    return respond(Preferences(row.data), of=row)
