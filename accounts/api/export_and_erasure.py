"""/api/v1/me/export and DELETE /api/v1/me: taking one's data along, and being erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from pydantic import Field

from accounts.api.me import router as me
from accounts.authentication.caller import SignedIn, caller_of
from accounts.erasure.services import request_erasure
from accounts.export.services import export_link, export_status, open_export, request_export, unfinished_export
from accounts.models import Export as StoredExport
from vibe.core.http.operations import keeps_to_companion, replayed_by
from vibe.core.http.responses import respond
from vibe.core.schemas import ResponseSchema

router = me  # one address, one router: DELETE is of /me as GET is
LINES = {"responses": {200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}}
Link = Annotated[str, Field(min_length=1, max_length=500)]


class Export(ResponseSchema):
    """A copy of everything: how far it is, and until when it is there."""

    id: UUID
    state: Literal["waiting", "running", "ready", "failed", "removed"]
    progress: int = Field(description="percent")
    size: int = Field(description="bytes, once it is ready")
    problem: str = Field(description="the code of what it failed with")
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    link: str | None = Field(description="where it is until then, for the same person")

    @classmethod
    def of(cls, export: StoredExport, address: str) -> Self:
        ready = export.state == StoredExport.State.READY
        return cls(
            id=export.pk,
            state=export.state,  # type: ignore[arg-type]
            progress=export.progress,
            size=export.size,
            problem=export.problem,
            requested_at=export.requested_at,
            finished_at=export.finished_at,
            expires_at=export.expires_at,
            link=f"{address}/file?link={export_link(export)}" if ready else None,
        )


class Erasure(ResponseSchema):
    """When everything will be gone. Until then support can call it off."""

    due_at: datetime
    given_up_export: UUID | None = Field(
        description="an export that was asked for and not finished: it is given up, since nobody could download it"
    )


def read_export(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """The export that was asked for, for a retry."""
    [export_id] = ids
    return respond(status_of(request, export_id))


def status_of(request: HttpRequest, export_id: UUID | None = None) -> Export:
    """One export of what the caller may see, without an id the newest. Raises NotFound."""
    caller = caller_of(request)
    found = export_status(user_id=caller.user_id, export_id=export_id, companion=caller.companion)
    return Export.of(found, request.path)


@router.post("/export", response={202: Export}, auth=SignedIn("export"))
@keeps_to_companion()
@replayed_by(read_export, made=True)
def request_my_export(request: HttpRequest) -> HttpResponse:
    """Start an export of all your data as JSON Lines. If one is under way already, it is returned.

    With a credential of one companion it is of what was said to that companion.
    """
    caller = caller_of(request)
    made = request_export(user_id=caller.user_id, actor=caller.actor, companion=caller.companion)
    return respond(status_of(request, made), status=202)


@router.get("/export", response=Export, auth=SignedIn("export"))
@keeps_to_companion()
def get_my_export(request: HttpRequest) -> HttpResponse:
    """Return the state of the newest export, with its link once it is ready."""
    return respond(status_of(request))


@router.get("/export/file", response={200: None}, auth=SignedIn("export"), openapi_extra=LINES)
@keeps_to_companion()
def download_my_export(request: HttpRequest, link: Link) -> HttpResponseBase:
    """Download the newest export, decrypted. The download is recorded in the audit log."""
    caller = caller_of(request)
    file = open_export(token=link, actor=caller.actor, user_id=caller.user_id, companion=caller.companion)
    response = StreamingHttpResponse(file.chunks, content_type="application/x-ndjson")
    response.headers["Content-Length"] = str(file.size)
    response.headers["Content-Disposition"] = f'attachment; filename="{file.filename}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("", response={202: Erasure}, auth=SignedIn("erase"))
def erase_me(request: HttpRequest) -> HttpResponse:
    """Schedule your erasure: all your data is deleted when the grace period ends. You cannot sign in from now on."""
    caller = caller_of(request)
    waiting = unfinished_export(user_id=caller.user_id)
    erasure = request_erasure(user_id=caller.user_id, actor=caller.actor)
    due_at = cast(datetime, erasure.due_at)  # a person's own request waits for nobody
    return respond(Erasure(due_at=due_at, given_up_export=waiting), status=202)
