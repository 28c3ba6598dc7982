"""Imports of files that are uploaded in parts: begun, taken part by part, started, done by a job.

What a part holds is sealed before it is on disk. The job imports in batches, as the command does: if it is killed, the
next run passes over what is in. Files go when the import is done, fails or is cancelled, and a day after an upload that
nobody finished.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models.functions import Now
from procrastinate.contrib.django import app

from accounts.keys.services.data_keys import open_vault
from accounts.models import User
from accounts.models.webhooks import IMPORT_READY
from accounts.people.services.people import profile_of
from accounts.webhooks.outbox import tell
from audit.actors import Actor
from audit.services import record
from memories.imports import uploads
from memories.imports.lines import BadLine
from memories.imports.readers.reading import DateOrder, Reading, UnreadableFile
from memories.imports.services.files import READ_BY, FileImport
from memories.models import Import
from vibe.core.db.job_classes.classes import IMPORTS
from vibe.core.db.jobs import start_jobs
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user
from vibe.core.db.statements import bulk
from vibe.core.errors import Conflict, InputError, NotFound, Refused

JOB: Final = "memories.import_upload"
STATE = Import.State
WITH_FILES: Final = (STATE.UPLOADING, STATE.WAITING, STATE.RUNNING)
ABANDONED: Final = timedelta(days=1)
PART_BYTES: Final = 4 * 1024 * 1024
MOST_PARTS: Final = 256
MOST_PROBLEMS: Final = 1_000  # that are kept; further ones are counted


class ImportUnderWay(Conflict):
    message = "An import of this person is under way. Wait until it is done, or cancel it while it is not running."
    code = "import-under-way"


@dataclass(frozen=True, slots=True)
class Options:
    """How an uploaded file is to be read. The person's name in it and where they live are told, so it is sealed."""

    strict: bool = False
    me: str = field(default="", repr=False)
    time_zone: str | None = field(default=None, repr=False)
    dates: DateOrder | None = None
    conversation: str | None = None

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        return cls(**json.loads(content))

    @property
    def zone(self) -> ZoneInfo | None:
        """Return the time zone. Raises InputError."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError("time_zone is no time zone. Give a name such as Europe/Lisbon.") from None


def begin_import(*, user_id: UUID, form: str, options: Options, dry_run: bool, actor: Actor) -> Import:
    """Begin an import, whose file comes next. Raises ImportUnderWay, InputError, and Refused for who is deactivated."""
    if form not in READ_BY:
        raise InputError("There is no such format.")
    options.zone  # noqa: B018  raises for a zone that is none
    with as_user(user_id):
        require_active(user_id)
        files = open_vault(to_process=True).files
        made = bulk.run(
            "INSERT INTO imports (id, user_id, form, dry_run, state, progress, size, counts, passed_over, problems, "
            "problem) VALUES (%b, %b, %b, %b, 'uploading', 0, 0, '{}', '{}', '[]', '') ON CONFLICT (user_id) "
            "WHERE state IN ('uploading', 'waiting', 'running') DO NOTHING RETURNING id",
            [uuid7(), user_id, form, dry_run],
        )
        if not made:
            there = Import.objects.of(user_id).filter(state__in=WITH_FILES).values_list("pk", flat=True).first()
            raise ImportUnderWay(existing=there)
        import_id: UUID = made[0][0]
        uploads.write_part(files, user_id, import_id, uploads.OPTIONS, options.encode())
        note("begin", user_id, import_id, actor=actor)
        return get_import(user_id, import_id)


def take_part(*, user_id: UUID, import_id: UUID, number: int, content: bytes, actor: Actor) -> None:
    """Seal a part of the file. Sent again, it replaces the one of that number. Raises ImportUnderWay, NotFound."""
    with as_user(user_id):
        require_state(user_id, import_id, STATE.UPLOADING)
        uploads.write_part(open_vault(to_process=True).files, user_id, import_id, number, content)
        note("part", user_id, import_id, actor=actor, details={"part": number, "bytes": len(content)})


def start_import(*, user_id: UUID, import_id: UUID, parts: int, actor: Actor) -> Import:
    """Have a job import the file of so many parts. Raises InputError where one is missing, ImportUnderWay, NotFound."""
    with as_user(user_id):
        require_state(user_id, import_id, STATE.UPLOADING)
        there, wanted = uploads.sizes_there(import_id).keys(), set(range(parts))
        if missing := sorted(wanted - there):
            raise InputError(f"Part {missing[0]} has not come, nor have {len(missing) - 1} others. Send them first.")
        if there - wanted:
            raise InputError("More parts have come than are named. Name all, or cancel the import and begin again.")
        Import.objects.of(user_id).filter(pk=import_id).update(state=STATE.WAITING)
        start_jobs(app.configure_task(JOB, queue=IMPORTS), {"user_id": str(user_id), "import_id": str(import_id)})
        note("start", user_id, import_id, actor=actor, details={"parts": parts})
        return get_import(user_id, import_id)


def cancel_import(*, user_id: UUID, import_id: UUID, actor: Actor) -> None:
    """Cancel an import that does not run yet, and remove its file. Raises ImportUnderWay, NotFound."""
    with as_user(user_id):
        require_state(user_id, import_id, STATE.UPLOADING, STATE.WAITING)
        Import.objects.of(user_id).filter(pk=import_id).update(state=STATE.CANCELLED, finished_at=Now())
        note("cancel", user_id, import_id, actor=actor)
        uploads.remove(import_id)


def import_status(*, user_id: UUID, import_id: UUID | None = None) -> Import:
    """Read one import of a person; without an id the newest. Raises NotFound."""
    with as_user(user_id):
        return get_import(user_id, import_id)


def run_import(*, user_id: UUID, import_id: UUID, actor: Actor) -> None:
    """Import a file that was uploaded. Do nothing if it is done, or cancelled.

    Raises the error that stopped it, beside those of the file itself; the caller then marks the import as failed.
    """
    with as_user(user_id):
        rows = Import.objects.of(user_id).filter(pk=import_id, state__in=(STATE.WAITING, STATE.RUNNING))
        if not rows.update(state=STATE.RUNNING, problems=[]):
            return
        require_active(user_id)
        row, files = rows.get(), open_vault(to_process=True).files
    options = Options.decode(b"".join(uploads.read_part(files, user_id, import_id, uploads.OPTIONS)))
    sizes = uploads.sizes_there(import_id)
    watch = Watch(user_id, import_id, sum(sizes.values()))
    work = FileImport(
        actor=actor,
        form=row.form,
        reading=Reading(profile_of(user_id), options.me, options.zone, options.dates, options.conversation),
        strict=options.strict,
        dry_run=row.dry_run,
        on_progress=watch.moved,
        on_refused=watch.refused,
    )
    problem = ""
    try:
        work.run(uploads.Upload(files, user_id, import_id, len(sizes)))  # type: ignore[arg-type]
    except (BadLine, UnreadableFile) as refusal:
        problem = refusal.code
        watch.problems = [str(refusal)]
    finish(row, work, watch, problem=problem, actor=actor)


@dataclass(slots=True)
class Watch:
    """What a running import shows of itself."""

    user_id: UUID
    import_id: UUID
    size: int
    done: int = 0
    percent: int = 0
    problems: list[str] = field(default_factory=list)

    def moved(self, read: int) -> None:
        """Save the percentage, below 100 until all is in, and the problems so far."""
        self.done += read
        percent = min(99, 100 * self.done // max(self.size, 1))
        if percent > self.percent:
            self.percent = percent
            with as_user(self.user_id):
                rows = Import.objects.of(self.user_id).filter(pk=self.import_id, state=STATE.RUNNING)
                rows.update(progress=percent, size=self.done, problems=self.problems)

    def refused(self, problem: BadLine) -> None:
        """Keep a problem, if there are not too many."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(str(problem))


def finish(row: Import, work: FileImport, watch: Watch, *, problem: str, actor: Actor) -> None:
    """Save what came of an import, and remove its file."""
    with as_user(row.user_id):
        Import.objects.of(row.user_id).filter(pk=row.pk, state=STATE.RUNNING).update(
            state=STATE.FAILED if problem else STATE.DONE,
            progress=watch.percent if problem else 100,
            size=watch.done,
            counts=asdict(work.counts),
            passed_over=dict(+work.reading.passed_over),
            problems=watch.problems,
            problem=problem,
            finished_at=Now(),
        )
        note("fail" if problem else "finish", row.user_id, row.pk, actor=actor)
        if not problem:
            tell(event=IMPORT_READY, user_id=row.user_id, resource=row.pk)
    uploads.remove(row.pk)


def fail_import(*, user_id: UUID, import_id: UUID, problem: str, actor: Actor) -> None:
    """Mark an import as failed, with the code of its error, and remove its file."""
    with as_user(user_id):
        rows = Import.objects.of(user_id).filter(pk=import_id, state__in=WITH_FILES)
        if rows.update(state=STATE.FAILED, problem=problem, finished_at=Now()):
            note("fail", user_id, import_id, actor=actor, details={"problem": problem})
    uploads.remove(import_id)


def remove_abandoned(*, actor: Actor) -> int:
    """End the imports that are not done after a day, and remove files that belong to no import. Return how many."""
    with as_system():
        unfinished = Import.objects.filter(state__in=WITH_FILES)
        old = list(unfinished.filter(requested_at__lt=Now() - ABANDONED).values_list("user_id", "pk"))
        there = uploads.imports_there()
        kept = set(unfinished.filter(pk__in=there).values_list("pk", flat=True))
    for user_id, import_id in old:
        fail_import(user_id=user_id, import_id=import_id, problem="abandoned", actor=actor)
    return sum(map(uploads.remove, there - kept)) + uploads.stored().remove_drafts_left()


def remove_files_of(user_id: UUID) -> int:
    """Remove the files of all of a person's imports, who is being erased. Return how many."""
    return sum(map(uploads.remove, Import.objects.of(user_id).values_list("pk", flat=True)))


def get_import(user_id: UUID, import_id: UUID | None) -> Import:
    """Read an import inside its person's scope. Raises NotFound."""
    imports = Import.objects.of(user_id).order_by("-requested_at", "-id")
    found = (imports.filter(pk=import_id) if import_id else imports).first()
    if not isinstance(found, Import):
        raise NotFound("There is no such import.")
    return found


def require_state(user_id: UUID, import_id: UUID, *states: Import.State) -> None:
    """Lock an import until the transaction ends. Raises NotFound, and ImportUnderWay in any other state."""
    found = Import.objects.of(user_id).filter(pk=import_id).select_for_update().values_list("state", flat=True).first()
    if found is None:
        raise NotFound("There is no such import.")
    if found not in states:
        raise ImportUnderWay(f"The import is {found}, which rules this out. Read how far it is.", existing=import_id)


def require_active(user_id: UUID) -> None:
    """Raise Refused for a deactivated person."""
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        raise Refused("The account is deactivated.")


def note(what: str, user_id: UUID, import_id: UUID, *, actor: Actor, **more: Any) -> None:
    """Record an action on an import in the audit log."""
    record(actor=actor, action=f"import.{what}", subject=user_id, resource=f"imports/{import_id}", **more)
