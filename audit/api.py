"""/api/v1/me/access-log: who did what with the data of the person who calls, staff included."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from audit.models import AuditLog
from audit.reading.services import page
from vibe.core.http.cursors import Listing
from vibe.core.http.responses import respond
from vibe.core.http.schemas import Cursor, PageSize
from vibe.core.schemas import ResponseSchema

router = Router(tags=["Me"])


class Access(ResponseSchema):
    """One row of the trail. Of staff and jobs it tells who and why; where from, of the person's own requests only."""

    id: UUID
    at: datetime
    by: Literal["person", "staff", "system", "anonymous"] = Field(description="what kind of actor it was")
    actor: str = Field(description="the id of the person or member of staff, or the name of the job")
    client: str | None = Field(description="what acted for them, such as an API key")
    action: str = Field(examples=["api:list_memories"])
    resource: str = Field(examples=["conversations/0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"])
    outcome: Literal["ok", "refused", "failed"]
    reason: str = Field(description="why, as staff gave it, or the code of the problem")
    request_id: str
    ip: str | None
    user_agent: str | None

    @classmethod
    def of(cls, row: AuditLog, person: UUID) -> Self:
        own = row.actor_kind == AuditLog.ActorKind.PERSON and row.actor == str(person)
        return cls(
            id=row.pk,
            at=row.at,
            by=row.actor_kind,  # type: ignore[arg-type]
            actor=row.actor,
            client=row.details.get("client"),
            action=row.action,
            resource=row.resource,
            outcome=row.outcome,  # type: ignore[arg-type]
            reason=row.reason,
            request_id=row.request_id,
            ip=row.ip if own else None,
            user_agent=row.user_agent if own else None,
        )


class AccessLog(ResponseSchema):
    """A page of the trail, the newest first."""

    items: list[Access]
    next: str | None = Field(description="the cursor of the next page; null on the last")


@router.get("/access-log", response=AccessLog)
def list_access(request: HttpRequest, limit: PageSize = 50, cursor: Cursor | None = None) -> HttpResponse:
    """List who did what with your data, when and why."""
    person: UUID = request.auth.user_id  # type: ignore[attr-defined]
    listing = Listing(person, "access-log")
    found = page(AuditLog.objects.about(person), after=listing.position(cursor), size=limit)
    return respond(AccessLog(items=[Access.of(row, person) for row in found.rows], next=listing.cursor(found.next)))
