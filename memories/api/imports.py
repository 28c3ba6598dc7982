"""/api/v1/me/import: conversations from a file of this or another program, uploaded in parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from accounts.authentication.caller import caller_of
from memories.imports.services import uploaded as verbs
from memories.imports.services.uploaded import MOST_PARTS, PART_BYTES, Options
from memories.models import Import as StoredImport
from vibe.core.http.bodies import UnsupportedMediaType
from vibe.core.http.operations import replayed_by, takes_bytes
from vibe.core.http.responses import no_content, respond
from vibe.core.schemas import RequestSchema, ResponseSchema

router = Router(tags=["Me"])
BYTES: Final = "application/octet-stream"
PART: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}
PartNumber = Annotated[int, Field(ge=0, lt=MOST_PARTS, description="from 0")]


class NewImport(RequestSchema):
    """What the file is, and how it is to be read: docs/import.md says what of it each format needs."""

    format: Literal["jsonl", "chatgpt", "claude", "telegram", "whatsapp"] = Field(examples=["chatgpt"])
    dry_run: bool = Field(False, description="say what would come in, with nothing written")
    strict: bool = Field(False, description="stop at the first bad line, with nothing written")
    me: str = Field("", max_length=200, description="telegram, whatsapp: the person's own name in the chats")
    time_zone: str | None = Field(None, max_length=64, description="of times without one, such as Europe/Lisbon")
    dates: Literal["day-first", "month-first", "year-first"] | None = Field(None, description="whatsapp: their order")
    conversation: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="whatsapp: the external id of the conversation; by default its first time"
    )


class StartedImport(RequestSchema):
    """That the file is whole."""

    parts: int = Field(ge=1, le=MOST_PARTS, description="how many parts it has", examples=[1])


class ImportCounts(ResponseSchema):
    """What came of the file so far."""

    conversations: int = Field(0, description="with something new")
    memories: int = Field(0, description="that were added")
    unchanged: int = Field(0, description="messages that were there already")
    differing: int = Field(0, description="messages that are there with other content, and were kept as they are")
    skipped: int = Field(0, description="messages with nothing in them, or expired")
    refused: int = Field(0, description="lines or conversations that were left out")
    restored: int = Field(0, description="lines of an export that were brought back")
    passed_over: int = Field(0, description="lines of an export that bring nothing back")


class Import(ResponseSchema):
    """An import: how far it is, and what came of it."""

    id: UUID
    format: str
    dry_run: bool
    state: Literal["uploading", "waiting", "running", "done", "failed", "cancelled"]
    progress: int = Field(description="percent")
    part_bytes: int = Field(PART_BYTES, description="how large a part may be")
    counts: ImportCounts
    passed_over: dict[str, int] = Field(description="what is no message of a conversation, by kind")
    problems: list[str] = Field(description="what was left out, by line or conversation, and why: the first 1,000")
    problem: str = Field(description="the code of what it failed with")
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: StoredImport) -> Self:
        return cls(
            id=row.pk,
            format=row.form,
            dry_run=row.dry_run,
            state=row.state,  # type: ignore[arg-type]
            progress=row.progress,
            part_bytes=PART_BYTES,
            counts=ImportCounts(**row.counts),
            passed_over=row.passed_over,
            problems=row.problems,
            problem=row.problem,
            requested_at=row.requested_at,
            finished_at=row.finished_at,
        )


def read_import(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """One import, for a retry."""
    return respond(Import.of(verbs.import_status(user_id=caller_of(request).user_id, import_id=ids[0])))


@router.post("", response={201: Import})
@replayed_by(read_import, made=True)
def begin_my_import(request: HttpRequest, given: NewImport) -> HttpResponse:
    """Begin an import of a file. Send its parts next, then start it. A person has one at a time."""
    caller = caller_of(request)
    options = Options(given.strict, given.me, given.time_zone, given.dates, given.conversation)
    made = verbs.begin_import(
        user_id=caller.user_id, form=given.format, options=options, dry_run=given.dry_run, actor=caller.actor
    )
    return respond(Import.of(made), status=201, location=f"{request.path}/{made.pk}")


@router.get("", response=Import)
def get_my_import(request: HttpRequest) -> HttpResponse:
    """The newest import as it stands."""
    return respond(Import.of(verbs.import_status(user_id=caller_of(request).user_id)))


@router.get("/{import_id}", response=Import)
def get_import(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """One import as it stands: its progress, its counts and its problems by line."""
    return read_import(request, [import_id])


@router.put("/{import_id}/parts/{number}", response={204: None}, openapi_extra=PART)
@takes_bytes(PART_BYTES)
def put_import_part(request: HttpRequest, import_id: UUID, number: PartNumber) -> HttpResponse:
    """Upload a part of the file: 4 MiB of bytes at most. Sent again, it replaces the one of that number."""
    if request.content_type != BYTES or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType("A part is plain bytes: send it with Content-Type: application/octet-stream.")
    caller = caller_of(request)
    verbs.take_part(
        user_id=caller.user_id, import_id=import_id, number=number, content=request.body, actor=caller.actor
    )
    return no_content()


@router.post("/{import_id}/start", response={202: Import})
@replayed_by(read_import)
def start_import(request: HttpRequest, import_id: UUID, given: StartedImport) -> HttpResponse:
    """Start the import, once all parts are uploaded. A job does it."""
    caller = caller_of(request)
    started = verbs.start_import(user_id=caller.user_id, import_id=import_id, parts=given.parts, actor=caller.actor)
    return respond(Import.of(started), status=202)


@router.delete("/{import_id}", response={204: None})
def cancel_import(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Cancel an import that does not run yet, and remove what was uploaded."""
    caller = caller_of(request)
    verbs.cancel_import(user_id=caller.user_id, import_id=import_id, actor=caller.actor)
    return no_content()
