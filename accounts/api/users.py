"""/api/v1/users: people that a server makes and deactivates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import makes_people, server_of
from accounts.authentication.tokens import UID_LENGTH
from accounts.models import User
from accounts.people.services.account_status import set_active
from accounts.people.services.people import Profile, get_or_create_person, get_person
from audit.context import AuditContext
from vibe.core.http.context import context_of
from vibe.core.http.responses import WITHOUT_PERSON, respond
from vibe.core.schemas import RequestSchema, ResponseSchema

LONGEST_NAME = 200
router = Router(tags=["Users"], auth=makes_people)
Uid = Annotated[
    str,
    Field(
        max_length=UID_LENGTH,
        pattern=r"^[!-.0-~]+$",
        description="the person's Firebase UID, or an id of yours: visible ASCII characters without a slash",
        examples=["telegram:5512"],
    ),
]


class EnsuredPerson(RequestSchema):
    """What a person is made with, if they are not there. Everything may be left out."""

    name: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_NAME)] | None = Field(
        None, description="sealed; a memory by this author has the role `user`", examples=["Ada Tavares"]
    )


class Person(ResponseSchema):
    """A person as a server sees them: that they are there."""

    id: UUID
    uid: str = Field(description="what `Vibe-Person` names after `uid:`", examples=["telegram:5512"])
    is_active: bool
    created_at: datetime

    @classmethod
    def of(cls, row: User) -> Self:
        return cls(id=row.pk, uid=row.firebase_uid or "", is_active=row.is_active, created_at=row.created_at)


@router.put("/{uid}", response={200: Person, 201: Person}, openapi_extra=WITHOUT_PERSON)
def ensure_user(request: HttpRequest, uid: Uid, given: EnsuredPerson) -> HttpResponse:
    """Return the person with this UID; create them (201) if there is none."""
    _, is_new = get_or_create_person(profile=Profile(uid, name=given.name), actor=server_of(request).actor)
    shown = show(request, uid)
    return respond(shown, status=201, location=request.path) if is_new else respond(shown)


@router.get("/{uid}", response=Person, openapi_extra=WITHOUT_PERSON)
def get_user(request: HttpRequest, uid: Uid) -> HttpResponse:
    """Return the person with this UID."""
    return respond(show(request, uid))


@router.post("/{uid}/deactivate", response=Person, openapi_extra=WITHOUT_PERSON)
def deactivate_user(request: HttpRequest, uid: Uid) -> HttpResponse:
    """Deactivate a person: their next request is refused. Their data stays, and support can undo it."""
    set_active(user_id=get_person(uid).pk, active=False, actor=server_of(request).actor)
    return respond(show(request, uid))


def show(request: HttpRequest, uid: str) -> Person:
    """Return a person, whom the request's row in the audit log is about. Raises NotFound."""
    person = Person.of(get_person(uid))
    context_of(request, AuditContext).entry.subject = person.id
    return person
