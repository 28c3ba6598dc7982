"""Exports of all data of a person: requested, made by a job, downloaded by a link, removed on expiry.

The format is in docs/export.md. The file is sealed under the person's data key: without the key it is unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import IO, Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from accounts.companions import companion_token
from accounts.export import files as export_files
from accounts.export.archive import archive_lines
from accounts.keys.errors import ProcessingRestricted
from accounts.keys.services.data_keys import open_vault
from accounts.models import Export, User
from accounts.models.webhooks import EXPORT_READY
from accounts.webhooks.outbox import tell
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.file_seal import FileSeal
from vibe.core.db.job_classes.classes import WAITED
from vibe.core.db.jobs import start_jobs
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user
from vibe.core.db.statements import bulk
from vibe.core.errors import Conflict, NotFound, Refused

JOB: Final = "accounts.export"
SALT: Final = "accounts.export"
STATE = Export.State
UNFINISHED = (STATE.WAITING, STATE.RUNNING)
ABANDONED = timedelta(days=1)  # after which an unfinished export counts as abandoned
TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ExportUnderWay(Conflict):
    message = "Another export of this person is being made, of more or of less. Ask again when it is done."
    code = "export-under-way"


@dataclass(frozen=True, slots=True)
class Download:
    """An opened export. `chunks` yields its bytes once; `size` is their number."""

    export_id: UUID
    user_id: UUID
    size: int
    chunks: Iterator[bytes] = field(repr=False)
    filename: str = "vibe-export.jsonl"


def request_export(
    *, user_id: UUID, actor: Actor, companion: str | None = None, reason: str = "", ticket: str = ""
) -> UUID:
    """Request an export of all data of a person, or of what was said to one companion.

    Return its id, or that of the unfinished one if there is one. Raises ExportUnderWay if that is of more or of less,
    Refused for a deactivated person, DataKeyMissing when their keys were destroyed, ProcessingRestricted for who is not
    the person themself while their processing is restricted.
    """
    with as_user(user_id):
        require_active(user_id)
        _require_own_wish(user_id, actor)
        token = _token_of(companion)
        give_up_abandoned(user_id)
        made = bulk.run(
            "INSERT INTO exports (id, user_id, companion_token, state, progress, size, problem) "
            "VALUES (%b, %b, %b, 'waiting', 0, 0, '') "
            "ON CONFLICT (user_id) WHERE state IN ('waiting', 'running') DO NOTHING RETURNING id",
            [uuid7(), user_id, token],
        )
        if not made:
            there = Export.objects.of(user_id).filter(state__in=UNFINISHED).get()
            if there.companion_token != token:
                raise ExportUnderWay
            return UUID(str(there.pk))
        export_id: UUID = made[0][0]
        start_jobs(app.configure_task(JOB, queue=WAITED), {"user_id": str(user_id), "export_id": str(export_id)})
        details = {"ticket": ticket} if ticket else None
        resource = f"exports/{export_id}"
        record(actor=actor, action="export.request", subject=user_id, resource=resource, reason=reason, details=details)
    return export_id


def export_status(*, user_id: UUID, export_id: UUID | None = None, companion: str | None = None) -> Export:
    """Read one export of all of a person's data, or of one companion; without an id the newest. Raises NotFound."""
    with as_user(user_id):
        exports = Export.objects.of(user_id).filter(companion_token=_token_of(companion))
        exports = exports.order_by("-requested_at", "-id")
        found = (exports.filter(pk=export_id) if export_id else exports).first()
    if not isinstance(found, Export):
        raise NotFound("There is no such export.")
    return found


def export_link(export: Export) -> str:
    """Return the signed token that opens this one finished export until it expires.

    Anyone who holds it can open the file, so give it to the person only. Raises NotFound while there is no file.
    """
    if export.state != STATE.READY:
        raise NotFound("The export has no file: it is not finished yet, or its time is over.")
    return signing.dumps([export.pk.hex, export.user_id.hex], salt=SALT)


def open_export(*, token: str, actor: Actor, user_id: UUID | None = None, companion: str | None = None) -> Download:
    """Open the file of a link. `user_id` is the signed-in person, if any: links of other people are then refused.
    With a companion, so are links of exports that are not of that companion alone.

    The download is recorded here; in a request, stream the chunks after its transaction has committed. Raises the same
    NotFound for a link that is forged, of another person, expired, or of a deactivated person.
    """
    export_id, owner = read_token(token)
    if user_id not in (None, owner):
        raise link_not_found()
    with as_user(owner):
        ready = Export.objects.of(owner).filter(pk=export_id, state=STATE.READY, expires_at__gt=Now()).first()
        if ready is None or not is_active(owner):
            raise link_not_found()
        if companion is not None and ready.companion_token != _token_of(companion):
            raise link_not_found()
        _require_own_wish(owner, actor)
        chunks = stream_file(export_id, open_vault().files, file_context(owner, export_id))
        record(actor=actor, action="export.download", subject=owner, resource=f"exports/{export_id}")
    return Download(export_id, owner, ready.size, chunks)


def make_export(*, user_id: UUID, export_id: UUID, actor: Actor) -> bool:
    """Write the archive of a requested export. Return whether there was anything to do.

    Each page has its own transaction, so the archive may or may not contain concurrent changes. If killed, it starts
    over. Raises the error that stopped it; the caller then marks the export as failed.
    """
    with as_user(user_id):
        exports = Export.objects.of(user_id).filter(pk=export_id)
        if not exports.filter(state__in=UNFINISHED).update(state=STATE.RUNNING):
            return False
        companion = exports.values_list("companion_token", flat=True).get()
        files = open_vault().files
    size = 0

    def content() -> Iterator[bytes]:
        nonlocal size
        for line, percent in archive_lines(user_id, companion):
            if line:
                encoded = TO_JSON(line).encode() + b"\n"
                size += len(encoded)
                yield encoded
            else:
                note_progress(user_id, export_id, percent)

    sealed = files.seal(content(), file_context(user_id, export_id))
    export_files.stored().write(export_files.name_of(export_id), sealed)
    _finish(user_id, export_id, companion, size, actor)
    return True


def _finish(user_id: UUID, export_id: UUID, companion: int | None, size: int, actor: Actor) -> None:
    """Mark the export as ready, and remove the files of earlier ones of the same."""
    with as_user(user_id):
        exports = Export.objects.of(user_id)
        alike = exports.filter(state=STATE.READY, companion_token=companion)
        earlier = list(alike.exclude(pk=export_id).values_list("pk", flat=True))
        expires = Now() + timedelta(hours=settings.EXPORT_LINK_HOURS)
        finished = exports.filter(pk=export_id, state=STATE.RUNNING).update(
            state=STATE.READY, progress=100, size=size, finished_at=Now(), expires_at=expires
        )
        if not finished:  # given up meanwhile: its file is removed with those that belong to no export
            return
        exports.filter(pk__in=earlier).update(state=STATE.REMOVED)
        record(
            actor=actor,
            action="export.make",
            subject=user_id,
            resource=f"exports/{export_id}",
            details={"bytes": size},
        )
        tell(event=EXPORT_READY, user_id=user_id, resource=export_id)
    for each in earlier:
        export_files.remove(each)


def fail_export(*, user_id: UUID, export_id: UUID, problem: str, actor: Actor) -> None:
    """Mark an export as failed, with the code of its error. Do nothing if it is gone with its person."""
    with as_user(user_id):
        unfinished = Export.objects.of(user_id).filter(pk=export_id, state__in=UNFINISHED)
        if unfinished.update(state=STATE.FAILED, problem=problem, finished_at=Now()):
            record(
                actor=actor,
                action="export.fail",
                subject=user_id,
                resource=f"exports/{export_id}",
                outcome="failed",
                reason=problem,
            )


def unfinished_export(*, user_id: UUID) -> UUID | None:
    """Return the id of the export that a person waits for; None if there is none."""
    with as_user(user_id):
        found: UUID | None = (
            Export.objects.of(user_id).filter(state__in=UNFINISHED).values_list("pk", flat=True).first()
        )
    return found


def give_up_unfinished(*, user_id: UUID, problem: str, actor: Actor) -> None:
    """Mark the export that a person waits for as failed, if there is one."""
    if export_id := unfinished_export(user_id=user_id):
        fail_export(user_id=user_id, export_id=export_id, problem=problem, actor=actor)


def remove_expired(*, actor: Actor) -> int:
    """Remove expired files, and files that belong to no export. Return how many.

    Each file is removed before its row is updated: if killed in between, the next run finds the row again.
    """
    with as_system():
        over = list(Export.objects.filter(state=STATE.READY, expires_at__lte=Now()).values_list("pk", "user_id"))
        there = export_files.ids_there()
        kept = set(
            Export.objects.filter(pk__in=there, state__in=(*UNFINISHED, STATE.READY)).values_list("pk", flat=True)
        )
    removed = sum(map(export_files.remove, (there - kept) | {export_id for export_id, _ in over}))
    for export_id, user_id in over:
        with as_system():
            Export.objects.of(user_id).filter(pk=export_id, state=STATE.READY).update(state=STATE.REMOVED)
            record(actor=actor, action="export.remove", subject=user_id, resource=f"exports/{export_id}")
    return removed + export_files.stored().remove_drafts_left()


def note_progress(user_id: UUID, export_id: UUID, percent: int) -> None:
    """Save the percentage, below 100 until the file is complete."""
    with as_user(user_id):
        Export.objects.of(user_id).filter(pk=export_id, state=STATE.RUNNING).update(progress=min(percent, 99))


def give_up_abandoned(user_id: UUID) -> None:
    """Mark abandoned exports as failed: an export whose job is gone must not block a new request."""
    old = Export.objects.of(user_id).filter(state__in=UNFINISHED, requested_at__lt=Now() - ABANDONED)
    old.update(state=STATE.FAILED, problem="abandoned", finished_at=Now())


def _token_of(companion: str | None) -> int | None:
    """Return the blind token of a companion, None without one. Call it in the person's scope; it opens their keys."""
    vault = open_vault()
    return None if companion is None else companion_token(vault, companion)


def require_active(user_id: UUID) -> None:
    """Raise Refused for a deactivated person."""
    if not is_active(user_id):
        raise Refused("The account is deactivated.")


def _require_own_wish(user_id: UUID, actor: Actor) -> None:
    """Raise ProcessingRestricted for anybody but the person themself while their processing is restricted."""
    themself = actor.kind == "person" and not actor.client
    if not themself and User.objects.filter(pk=user_id, restricted_at__isnull=False).exists():
        raise ProcessingRestricted


def is_active(user_id: UUID) -> bool:
    """Return whether a person is active. Call it inside their own scope."""
    return User.objects.filter(pk=user_id, is_active=True).exists()


def read_token(token: str) -> tuple[UUID, UUID]:
    """Return the ids of a link's export and person. Raises NotFound for an invalid or expired signature."""
    try:
        export_id, owner = signing.loads(token, salt=SALT, max_age=timedelta(hours=settings.EXPORT_LINK_HOURS))
        return UUID(hex=export_id), UUID(hex=owner)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise link_not_found() from None


def stream_file(export_id: UUID, files: FileSeal, of: bytes) -> Iterator[bytes]:
    """Return the content of a sealed file, its first chunk already verified. Raises NotFound without a file."""
    try:
        source = export_files.stored().read(export_files.name_of(export_id))
    except FileNotFoundError:
        raise link_not_found() from None
    chunks = close_at_end(source, files.open(source, of))
    return chain([next(chunks)], chunks)


def close_at_end(source: IO[bytes], chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks. Close the file even if reading stops early."""
    with source:
        yield from chunks


def link_not_found() -> NotFound:
    """Return the same error for every link that does not open."""
    return NotFound("There is no such download. Ask for a new export.")


def file_context(user_id: UUID, export_id: UUID) -> bytes:
    """Return the context that the seal binds to the file: person and export."""
    return b"exports" + user_id.bytes + export_id.bytes
