"""What happened to a person, newest first: each kind is read by an index of theirs, a page at a time, and merged.

All kinds are read in one round trip. Titles and texts are sealed and not asked for: an entry says what the lists and
pages of its table say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db import models
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.http import urlencode
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import AccessGrant, Erasure, Export, User
from audit.models import AuditLog
from memories.models import Conversation, Import
from stories.models import Story
from vibe.core.admin.links import page_url, short_id
from vibe.core.db.job_classes.failures import code_in_words
from vibe.core.db.job_classes.reporting import task_in_words
from vibe.core.db.statements.batching import Statement, execute_batch

PAGE: Final = 50
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
LAST_ID: Final = UUID(int=2**128 - 1)
GONE: Final = "An account that is gone"
STOPPED: Final = {
    "erasure-requested": "It was given up, because the person is to be erased.",
    "abandoned": "It was given up, because it was not finished within a day.",
}
"""Reasons of exports and imports that are no errors."""
WITHIN: Final = "({at}, {id}) < (%s, %s) AND {at} >= %s ORDER BY {at} DESC, {id} DESC LIMIT %s"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: when, in words, and where it is shown."""

    at: datetime
    id: UUID
    icon: str
    text: str
    url: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries are asked for: those before a place, from a day on."""

    before: tuple[datetime, UUID] = (LATEST, LAST_ID)
    since: datetime = EARLIEST


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entries, for whoever may view `model`. `statement` begins with time and id, `tell` says a row."""

    title: str
    icon: str
    model: type[models.Model]
    statement: str
    tell: Callable[[Sequence[Any]], tuple[str, bool]]
    at: str = "requested_at"
    id: str = "id"

    def may_see(self, request: HttpRequest) -> bool:
        """Return whether the viewer may see the table."""
        return bool(request.user.has_perm(f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"))

    def ask(self, user_id: UUID, span: Span) -> Statement:
        """Return the statement that reads the entries of a person in a span."""
        within = WITHIN.format(at=self.at, id=self.id)
        values = [user_id, *span.before, span.since, PAGE + 1]
        return self.statement.format(within=within), values * self.statement.count("{within}")

    def entry(self, row: Sequence[Any]) -> Entry:
        """Return a row of the statement as an entry."""
        at, pk = row[:2]
        text, is_bad = self.tell(row)
        return Entry(
            at, pk if isinstance(pk, UUID) else UUID(int=pk), self.icon, text, page_url(self.model, pk), is_bad
        )


# Indexes: conversations_active, conversations_archived.
CONVERSATIONS: Final = """
(SELECT active_at, id, external_id, memory_count, started_at, is_archived FROM conversations
 WHERE user_id = %s AND NOT is_archived AND {within})
UNION ALL
(SELECT active_at, id, external_id, memory_count, started_at, is_archived FROM conversations
 WHERE user_id = %s AND is_archived AND {within})
"""


def tell_conversation(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell how long a conversation is, by the name that its app gave it."""
    _, pk, external_id, count, started, is_archived = row
    state = ". It is archived" if is_archived else ""
    return f"Conversation {external_id or short_id(pk)}: {_memories(count)}, begun {localize(started)}{state}.", False


def _memories(count: int) -> str:
    return f"{count:,} memories" if count != 1 else "1 memory"


# Index: stories_newest.
STORIES: Final = """
SELECT occurred_from, id, memory_count, is_open, built_at, due_at, failure, tries FROM stories
WHERE user_id = %s AND {within}
"""


def tell_story(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell whether a story was built, and why not."""
    *_, count, is_open, built, due, failure, tries = row
    what = f"Story of {_memories(count)}" + (", still open" if is_open else "")
    again = f" It is built again {localize(due)}." if due else ""
    if failure:
        return f"{what}: it could not be built, after {tries} tries. {failure}{again}", True
    return f"{what}: {f'built {localize(built)}' if built else 'not built yet'}.{again}", False


# No index leads to the jobs of one person: the newest unfinished ones are looked through.
JOBS: Final = """
SELECT at, id, task_name, status, attempts, code FROM (
    SELECT job.id, task_name, status, attempts, error.code, coalesce(error.at, scheduled_at,
        (SELECT max(event.at) FROM procrastinate_events event WHERE event.job_id = job.id), now()) AS at
    FROM (SELECT * FROM procrastinate_jobs ORDER BY id DESC LIMIT 10000) job
    LEFT JOIN job_errors error ON error.job_id = job.id WHERE args ->> 'user_id' = %s::text
) AS jobs WHERE {within}
"""
JOB_STATES: Final = {"todo": "It waits", "doing": "It is running", "succeeded": "It is done", "failed": "It failed"}


def tell_job(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell what a job is to do, and why it failed."""
    *_, task, status, attempts, code = row
    failed = status == "failed"
    why = f" {code_in_words(code or '')}" if code or failed else ""
    tried = f", tried {attempts} times" if attempts > 1 else ""
    return f"Job: {task_in_words(task)}. {JOB_STATES.get(status, status.capitalize())}{tried}.{why}", failed


# Index: exports_of_person.
EXPORTS: Final = """
SELECT requested_at, id, state, finished_at, expires_at, problem FROM exports WHERE user_id = %s AND {within}
"""


def tell_export(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell how far an export of all of the person's data is."""
    *_, state, finished, expires, problem = row
    told = {
        "ready": f"ready since {localize(finished)}, to download until {localize(expires)}.",
        "failed": f"it failed. {STOPPED.get(problem) or code_in_words(problem)}",
        "removed": "its file is removed.",
        "running": "it is being made.",
    }
    return f"Export of all data asked for: {told.get(state, 'it waits.')}", state == "failed"


# Index: imports_of_person.
IMPORTS: Final = """
SELECT requested_at, id, form, state, dry_run, finished_at, problem FROM imports WHERE user_id = %s AND {within}
"""


def tell_import(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell how far the import of a file is."""
    *_, form, state, dry_run, finished, problem = row
    told = {
        "done": f"done {localize(finished)}.",
        "failed": f"it failed. {STOPPED.get(problem) or code_in_words(problem)}",
        "cancelled": "cancelled.",
        "running": "it is being read.",
        "uploading": "it is being uploaded.",
    }
    what = f"Import of a file ({form}{', tried out only' if dry_run else ''})"
    return f"{what}: {told.get(state, 'it waits.')}", state == "failed"


# Index: the unique one of the person.
ERASURES: Final = "SELECT requested_at, id, due_at, begun_at, finished_at FROM erasures WHERE person = %s AND {within}"


def tell_erasure(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell when an erasure begins, or how far it is."""
    *_, due, begun, finished = row
    if finished:
        return f"Erasure asked for: finished {localize(finished)}.", True
    if begun:
        return f"Erasure asked for: under way since {localize(begun)}.", True
    return f"Erasure asked for: it begins {localize(due)}, and can be cancelled until then.", True


# Index: access_grants_of_person.
GRANTS: Final = """
SELECT requested_at, grants.id, staff.email, ticket, approved, decided_at, expires_at, ended_at, now()
FROM (SELECT * FROM access_grants WHERE user_id = %s AND {within}) AS grants
LEFT JOIN users staff ON staff.id = requested_by
"""


def tell_grant(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell who asked to read what the person said, and what came of it."""
    *_, by, ticket, approved, decided, expires, ended, now = row
    over = ended or (expires if expires and expires <= now else None)
    if approved:
        state = f"approved {localize(decided)}, " + (
            f"ended {localize(over)}" if over else f"until {localize(expires)}"
        )
    elif approved is None:
        state = f"withdrawn {localize(ended)}" if ended else "it waits for an approver"
    else:
        state = f"refused {localize(decided)}"
    return f"{by or GONE} asked to read their content ({ticket}): {state}.", False


# Index: audit_logs_subject_staff.
READS: Final = """
SELECT at, reads.id, staff.email, resource, details ->> 'ticket', details ->> 'rows', outcome
FROM (SELECT * FROM audit_logs
      WHERE subject = %s AND actor_kind = 'staff' AND action = 'content.read' AND {within}) AS reads
LEFT JOIN users staff ON staff.id = reads.actor::uuid
"""


def tell_read(row: Sequence[Any]) -> tuple[str, bool]:
    """Tell who read what the person said, under which ticket."""
    *_, by, resource, ticket, count, outcome = row
    if outcome != "ok":
        return f"{by or GONE} was refused their content.", True
    what = "one conversation" if resource.startswith("conversations/") else f"their {resource.rpartition('/')[2]}"
    rows = f", {count} row{'' if count == '1' else 's'}" if count else ""
    return f"{by or GONE} read {what}{rows} ({ticket or 'no ticket'}).", False


KINDS: Final = {
    "conversations": Kind("Conversations", "forum", Conversation, CONVERSATIONS, tell_conversation, "active_at"),
    "stories": Kind("Stories", "auto_stories", Story, STORIES, tell_story, "occurred_from"),
    "jobs": Kind(
        *("Jobs", "manufacturing", ProcrastinateJob, JOBS, tell_job, "at"), id="lpad(to_hex(id), 32, '0')::uuid"
    ),
    "exports": Kind("Exports", "download", Export, EXPORTS, tell_export),
    "imports": Kind("Imports", "upload", Import, IMPORTS, tell_import),
    "erasures": Kind("Erasures", "delete_forever", Erasure, ERASURES, tell_erasure),
    "grants": Kind("Grants", "lock_open", AccessGrant, GRANTS, tell_grant),
    "reads": Kind("Reads of their content", "visibility", AuditLog, READS, tell_read, "at"),
}


def timeline(request: HttpRequest, person: User) -> dict[str, Any]:
    """Return what the page of a person shows: a scheduled erasure on top, a page of entries, and links to others."""
    seen = {name: kind for name, kind in KINDS.items() if kind.may_see(request)}
    asked = {name: request.GET[name] for name in ("kind", "from", "to", "before") if request.GET.get(name)}
    try:
        if asked.get("kind", "all") not in ("all", *seen):
            raise ValueError
        span = _span(asked)
    except (ValueError, OverflowError):
        messages.warning(request, "A filter in the address cannot be read. It was left out.")
        asked, span = {}, Span()
    chosen = asked.get("kind", "all")
    kinds = [kind for name, kind in seen.items() if chosen in ("all", name)]
    on_top = [kind for kind in seen.values() if kind.model is Erasure]
    found = execute_batch(
        *(kind.ask(person.pk, Span()) for kind in on_top), *(kind.ask(person.pk, span) for kind in kinds)
    )
    rows = found[len(on_top) :]
    entries = [kind.entry(row) for kind, some in zip(kinds, rows, strict=True) for row in some]
    entries.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
    kept = {name: value for name, value in asked.items() if name != "before"}
    last = entries[PAGE - 1] if len(entries) > PAGE else None
    return {
        "scheduled": [kind.entry(row) for kind in on_top for row in found[0] if row[-1] is None],
        "entries": entries[:PAGE],
        "kinds": [("All", _query(kept, kind=""), chosen == "all")]
        + [(kind.title, _query(kept, kind=name), chosen == name) for name, kind in seen.items()],
        "kind": asked.get("kind", ""),
        "from": asked.get("from", ""),
        "to": asked.get("to", ""),
        "older": _query(kept, before=f"{last.at.isoformat()}~{last.id}") if last else "",
        "newest": _query(kept) if "before" in asked else "",
        "is_narrowed": bool(asked),
    }


def _query(kept: dict[str, str], **more: str) -> str:
    given = {name: value for name, value in (kept | more).items() if value}
    return f"?{urlencode(given)}"


def _span(asked: dict[str, str]) -> Span:
    """Return the span of a URL. Raises ValueError or OverflowError for what is no day or place."""
    before = (LATEST, LAST_ID)
    if "to" in asked:
        before = (_day(asked["to"]) + timedelta(days=1), UUID(int=0))
    if "before" in asked:
        at, _, pk = asked["before"].partition("~")
        place = datetime.fromisoformat(at)
        if place.tzinfo is None:
            raise ValueError
        before = min(before, (place, UUID(pk)))
    return Span(before, _day(asked["from"]) if "from" in asked else EARLIEST)


def _day(text: str) -> datetime:
    """Return when a day of UTC begins."""
    return datetime.combine(date.fromisoformat(text), time(), UTC)
