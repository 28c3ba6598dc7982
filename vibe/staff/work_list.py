"""The work list of the home page: what waits for this member of staff, by what they may do about it.

All entries are read in one round trip. Each statement says which index bounds it; none reads a table that grows with
memories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize

from accounts.admin.owned import account_label
from accounts.grants.separation import APPROVE
from accounts.models import AccessGrant, ApiKey, Erasure, User
from audit.models import AuditLog
from memories.storage import MIB, limits
from stories.models import PendingMemory, Story
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.health import units
from vibe.core.db.job_classes import reporting
from vibe.core.db.job_classes.classes import CLASSES, IMPORTS, WAITED
from vibe.core.db.job_classes.reporting import FailedJobs, task_in_words
from vibe.core.db.statements.batching import Rows, Statement, execute_batch

SHOWN: Final = 5  # lines of an entry
LOOKED_AT: Final = 10_000  # rows that are counted
SOON: Final = timedelta(days=7)  # an erasure that begins within it is shown
NEAR: Final = 0.9  # of a storage limit
JOBS = "procrastinate.change_procrastinatejob"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of an entry, and where it is dealt with."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that waits: how many, where all of them are listed, and the first of them."""

    title: str
    icon: str
    count: str
    url: str = ""
    lines: tuple[Line, ...] = ()
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What an entry is read by. `needs` is the permission to do something about it."""

    needs: str
    ask: Callable[[HttpRequest], Statement | None]
    tell: Callable[[HttpRequest, Rows], Entry | None]


def work_list(request: HttpRequest) -> list[Entry]:
    """Return what waits for the viewer."""
    asked = [
        (question, statement)
        for question in QUESTIONS
        if request.user.has_perm(question.needs) and (statement := question.ask(request))
    ]
    found = execute_batch(*(statement for _, statement in asked))
    told = (question.tell(request, rows) for (question, _), rows in zip(asked, found, strict=True) if rows)
    return sorted(filter(None, told), key=lambda entry: not entry.is_urgent)


def _number(count: int) -> str:
    return f"{count:,}" if count < LOOKED_AT else f"{LOOKED_AT:,}+"


# Index: access_grants_waiting.
WAITING_GRANTS: Final = """
SELECT g.id, p.email, p.firebase_uid, g.user_id, s.email, g.ticket, g.requested_at, count(*) OVER ()
FROM access_grants g JOIN users p ON p.id = g.user_id LEFT JOIN users s ON s.id = g.requested_by
WHERE g.approved IS NULL AND g.ended_at IS NULL AND (%s OR g.requested_by <> %s)
ORDER BY g.requested_at LIMIT %s
"""


def ask_grants(request: HttpRequest) -> Statement:
    """Ask for the requests that somebody else than the sender decides."""
    return WAITING_GRANTS, [bool(settings.GRANTS_ALLOW_SELF_APPROVAL), request.user.pk, SHOWN]


def tell_grants(_request: HttpRequest, rows: Rows) -> Entry:
    """Return a line for each request that waits: who asks to read which person's content, and since when."""
    lines = tuple(
        Line(
            f"{by or 'An account that is gone'} asks to read {account_label(email, uid, pk)} ({ticket}), "
            f"since {localize(at)}",
            page_url(AccessGrant, grant),
        )
        for grant, email, uid, pk, by, ticket, at, _ in rows
    )
    url = list_url(AccessGrant, state="waiting")
    return Entry("Requests to read content wait for your decision", "approval", str(rows[0][-1]), url, lines, True)


# Index: access_grants_of_staff.
OWN_GRANTS: Final = """
SELECT g.id, p.email, p.firebase_uid, g.user_id, g.expires_at, g.requested_at, count(*) OVER ()
FROM access_grants g JOIN users p ON p.id = g.user_id
WHERE g.requested_by = %s AND g.ended_at IS NULL AND (g.approved IS NULL OR g.approved AND g.expires_at > now())
ORDER BY g.requested_at DESC LIMIT %s
"""


def ask_own_grants(request: HttpRequest) -> Statement:
    """Ask for the viewer's own requests and grants."""
    return OWN_GRANTS, [request.user.pk, SHOWN]


def tell_own_grants(_request: HttpRequest, rows: Rows) -> Entry:
    """Tell what the viewer may read and until when, and what waits for an approver."""
    lines = tuple(
        Line(
            f"{account_label(email, uid, pk)}: "
            + (f"you may read until {localize(until)}" if until else f"waits for an approver since {localize(at)}"),
            page_url(AccessGrant, grant),
        )
        for grant, email, uid, pk, until, at, _ in rows
    )
    return Entry("Your access to content", "lock_open", str(rows[0][-1]), "", lines)


# Index: erasures_to_do.
ERASURES: Final = """
SELECT e.id, p.email, p.firebase_uid, e.person, e.due_at, e.begun_at, e.due_at < now() - interval '1 hour',
       count(*) OVER ()
FROM erasures e LEFT JOIN users p ON p.id = e.person
WHERE e.finished_at IS NULL AND e.due_at < %s ORDER BY e.due_at LIMIT %s
"""


def ask_erasures(_request: HttpRequest) -> Statement:
    """Ask for the erasures that begin soon, or should have."""
    return ERASURES, [timezone.now() + SOON, SHOWN]


def tell_erasures(_request: HttpRequest, rows: Rows) -> Entry:
    """Tell whose data is erased when, and which erasures are overdue."""

    def words(name: str, due: datetime, begun: datetime | None, late: bool) -> str:
        if late:
            since = f"has run since {localize(begun)} and is not finished" if begun else f"was due {localize(due)}"
            return f"{name}: {since}. See that a worker is running."
        return (
            f"{name}: is being erased" if begun else f"{name}: begins {localize(due)}; it can be cancelled until then"
        )

    lines = tuple(
        Line(words(account_label(email, uid, pk), due, begun, late), page_url(Erasure, erasure))
        for erasure, email, uid, pk, due, begun, late, _ in rows
    )
    late = any(row[6] for row in rows)
    url = list_url(Erasure, finished_at__isempty=1)
    return Entry("Erasures due within a week", "delete_forever", str(rows[0][-1]), url, lines, late)


# Index: erasures_to_do.
WAITING_ERASURES: Final = """
SELECT e.id, p.email, p.firebase_uid, e.person, s.email, e.ticket, e.requested_at, count(*) OVER ()
FROM erasures e LEFT JOIN users p ON p.id = e.person LEFT JOIN users s ON s.id = e.requested_by
WHERE e.finished_at IS NULL AND e.due_at IS NULL AND e.requested_by <> %s ORDER BY e.requested_at LIMIT %s
"""


def ask_waiting_erasures(request: HttpRequest) -> Statement:
    """Ask for the erasures that somebody else than the viewer requested, and an approver decides."""
    return WAITING_ERASURES, [request.user.pk, SHOWN]


def tell_waiting_erasures(_request: HttpRequest, rows: Rows) -> Entry:
    """Return a line for each erasure that waits: its requester, its person, and since when it waits."""
    lines = tuple(
        Line(
            f"{by or 'An account that is gone'} asks to erase {account_label(email, uid, pk)} ({ticket}), "
            f"since {localize(at)}",
            page_url(Erasure, erasure),
        )
        for erasure, email, uid, pk, by, ticket, at, _ in rows
    )
    url = list_url(Erasure, finished_at__isempty=1)
    return Entry("Erasures wait for your decision", "approval", str(rows[0][-1]), url, lines, True)


# Index: api_keys_waiting.
WAITING_KEYS: Final = """
SELECT k.id, k.name, s.email, k.created_at, count(*) OVER ()
FROM api_keys k LEFT JOIN users s ON s.id = k.made_by
WHERE k.approved_at IS NULL AND k.revoked_at IS NULL AND (%s OR k.made_by <> %s) ORDER BY k.created_at LIMIT %s
"""


def ask_waiting_keys(request: HttpRequest) -> Statement:
    """Ask for the API keys that somebody else than their maker approves."""
    return WAITING_KEYS, [bool(settings.GRANTS_ALLOW_SELF_APPROVAL), request.user.pk, SHOWN]


def tell_waiting_keys(_request: HttpRequest, rows: Rows) -> Entry:
    """Return a line for each: who made which, and since when it waits."""
    lines = tuple(
        Line(f"{by or 'An account that is gone'} made the key {name}, on {localize(at)}", page_url(ApiKey, key))
        for key, name, by, at, _ in rows
    )
    url = list_url(ApiKey, approved_at__isempty=1, revoked_at__isempty=1)
    return Entry("API keys wait for your approval", "approval", str(rows[0][-1]), url, lines, True)


# No index: storage_counts has a few rows a person, and none for a memory.
STORAGE: Final = """
SELECT p.id, p.email, p.firebase_uid, greatest(memories / %s, bytes / %s), memories / %s > bytes / %s, count(*) OVER ()
FROM (SELECT user_id, sum(memories)::float AS memories, sum(bytes)::float AS bytes FROM storage_counts GROUP BY 1)
     AS stored JOIN users p ON p.id = stored.user_id
WHERE greatest(memories / %s, bytes / %s) >= %s ORDER BY 4 DESC LIMIT %s
"""


def ask_storage(_request: HttpRequest) -> Statement | None:
    """Ask for the people who have nearly all that a person may store."""
    most = [float(each.in_all or "inf") for each in limits()]
    return (STORAGE, [*most * 3, NEAR, SHOWN]) if any(each.in_all for each in limits()) else None


def tell_storage(_request: HttpRequest, rows: Rows) -> Entry:
    """Tell how near they are to which limit."""
    of_memories, of_bytes = limits()
    most = {
        True: f"the {of_memories.in_all or 0:,} memories",
        False: f"the {(of_bytes.in_all or 0) // MIB:,} MiB",
    }
    lines = tuple(
        Line(f"{account_label(email, uid, pk)}: {share:.0%} of {most[by_number]}", page_url(User, pk))
        for pk, email, uid, share, by_number, _ in rows
    )
    return Entry("People near a storage limit", "database", str(rows[0][-1]), "", lines)


def ask_classes(_request: HttpRequest) -> Statement:
    """Ask for the state of each class of work."""
    return reporting.statement()


def tell_classes(_request: HttpRequest, rows: Rows) -> Entry | None:
    """Tell which have stopped or are late, and why."""
    ill = [state for state in reporting.states(rows) if state.why]
    lines = tuple(Line(f"{CLASSES[state.name].work.capitalize()} ({state.name}): {state.why}") for state in ill)
    url = reverse("admin:queues")
    return Entry("Work has stopped or is late", "pause_circle", str(len(ill)), url, lines, True) if ill else None


def ask_failed_jobs(_request: HttpRequest) -> Statement:
    """Ask for the failed jobs by task and reason."""
    return reporting.FAILED, []


def tell_failed_jobs(request: HttpRequest, rows: Rows) -> Entry:
    """Tell what was not done, and why."""
    found = [FailedJobs(*row) for row in rows]
    lines = tuple(Line(f"{task_in_words(each.task)}: {each.count:,}. {each.why}") for each in found[:SHOWN])
    url = reverse("admin:queues") if request.user.has_perm(JOBS) else ""
    return Entry("Failed jobs", "error", f"{sum(each.count for each in found):,}", url, lines, True)


# Index: stories_due.
UNBUILT: Final = """
SELECT failure, count(*), min(due_at) FROM (
    SELECT failure, due_at FROM stories WHERE due_at IS NOT NULL AND failure <> '' ORDER BY due_at LIMIT %s
) AS failed GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
"""


def ask_unbuilt(_request: HttpRequest) -> Statement:
    """Ask for the stories whose last build failed, by reason."""
    return UNBUILT, [LOOKED_AT, SHOWN]


def tell_unbuilt(_request: HttpRequest, rows: Rows) -> Entry:
    """Tell the reasons, and when the next is tried again."""
    lines = tuple(Line(f"{count:,}: {why} The next is tried {localize(at)}.") for why, count, at in rows)
    url = list_url(Story, build="failed")
    return Entry("Stories that could not be built", "auto_stories", _number(sum(row[1] for row in rows)), url, lines)


# Index: pending_memories_oldest.
UNINDEXED: Final = """
SELECT bulk, count(*), min(created_at), extract(epoch FROM now() - min(created_at))::float
FROM (
    SELECT bulk, created_at FROM pending_memories
    WHERE user_id NOT IN (SELECT id FROM users WHERE restricted_at IS NOT NULL) ORDER BY created_at LIMIT %s
) AS oldest GROUP BY 1 ORDER BY 1
"""


def ask_unindexed(_request: HttpRequest) -> Statement:
    """Ask for the oldest memories that are not fully in the index."""
    return UNINDEXED, [LOOKED_AT]


def tell_unindexed(_request: HttpRequest, rows: Rows) -> Entry | None:
    """Tell how old the oldest is, once it is older than such a job should wait."""
    late = [row for row in rows if row[3] > CLASSES[IMPORTS if row[0] else WAITED].late_seconds]
    lines = tuple(
        Line(f"The oldest that was {'imported' if bulk else 'added'} waits for {units.time(age)}, since {localize(at)}")
        for bulk, _, at, age in late
    )
    count = _number(sum(row[1] for row in rows))
    title = "Messages that search does not find yet"
    return Entry(title, "pending", count, list_url(PendingMemory), lines, True) if late else None


# Index: audit_logs_refused.
REFUSED: Final = """
SELECT host(ip), count(*), sum(count(*)) OVER ()::bigint FROM (
    SELECT ip FROM audit_logs WHERE at >= %s AND outcome <> 'ok' AND outcome = 'refused' AND action = 'sign-in'
    ORDER BY at DESC LIMIT %s
) AS refused GROUP BY ip ORDER BY 2 DESC, 1 LIMIT %s
"""


def ask_refused(_request: HttpRequest) -> Statement:
    """Ask for the refused sign-ins of the last day, by address."""
    return REFUSED, [datetime.now(UTC) - timedelta(days=1), LOOKED_AT, SHOWN]


def tell_refused(_request: HttpRequest, rows: Rows) -> Entry:
    """Tell which addresses they came from."""
    lines = tuple(Line(f"{count:,} from {address or 'an address that is not known'}") for address, count, _ in rows)
    url = list_url(AuditLog, action__exact="sign-in", outcome__exact="refused")
    return Entry("Sign-ins refused in the last 24 hours", "gpp_bad", _number(rows[0][2]), url, lines)


QUESTIONS: Final[Sequence[Question]] = (
    Question(APPROVE, ask_grants, tell_grants),
    Question(APPROVE, ask_waiting_erasures, tell_waiting_erasures),
    Question(APPROVE, ask_waiting_keys, tell_waiting_keys),
    Question("accounts.add_accessgrant", ask_own_grants, tell_own_grants),
    Question("accounts.change_erasure", ask_erasures, tell_erasures),
    Question("accounts.change_user", ask_storage, tell_storage),
    Question(JOBS, ask_classes, tell_classes),
    Question("stories.view_story", ask_failed_jobs, tell_failed_jobs),
    Question("stories.change_story", ask_unbuilt, tell_unbuilt),
    Question(JOBS, ask_unindexed, tell_unindexed),
    Question("audit.view_auditlog", ask_refused, tell_refused),
)
