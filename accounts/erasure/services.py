"""Erasure of a person: request, approval, grace period, deletion, signed receipt, and repetition after an older backup.

The order matters. First the tombstone is written to disk. Then the data keys are destroyed, and nothing opens any more.
Only then are rows deleted. A killed `erase` resumes where it was: its counts are in the row of the erasure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from accounts.erasure import deleting as erasing
from accounts.erasure.receipts import Statement, sign_statement
from accounts.erasure.statistics import forget_samples
from accounts.erasure.tombstones import add_tombstone, erased_people
from accounts.export import files
from accounts.export.services import give_up_unfinished
from accounts.grants.separation import acting_account, may_approve, require_second_factor, require_separation
from accounts.grants.services import NotOpen
from accounts.keys.services.data_keys import destroy_data_keys
from accounts.models import Erasure, Export, User, UserKey
from accounts.models.webhooks import ERASURE_DONE
from accounts.people.services.account_status import set_active
from accounts.webhooks.outbox import delete_deliveries_about, tell
from audit.actors import Actor
from audit.services import record
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_support, as_system
from vibe.core.db.statements import bulk
from vibe.core.errors import InputError, NotFound, Refused, VibeError

PATIENCE: Final = 20  # seconds to wait for running jobs
LOOKED_UP: Final = 5_000  # people in one query
FILES: Final[list[Callable[[UUID], int]]] = []
"""What removes the files that another app keeps of a person. Apps add theirs in AppConfig.ready()."""


class StillRunning(VibeError):
    message = "A job of the person still runs. Everything else is gone; the rest is done with the next run of erasures."
    code = "still-running"
    status = 409


def request_erasure(
    *, user_id: UUID, actor: Actor, at_once: bool = False, reason: str = "", ticket: str = ""
) -> Erasure:
    """Schedule the erasure of a person for the end of the grace period. Deactivate them at once.

    A request by staff waits for approve_erasure instead, if ERASURES_NEED_APPROVAL: until then nothing happens to the
    person. A repeated request never postpones; `at_once` makes it due now. An export that waits is given up: nobody
    could download it. Raises NotFound for an unknown person and for staff, InputError for staff who do not say why.
    """
    by_staff = actor.kind == "staff"
    if by_staff and not (reason.strip() and ticket.strip()):
        raise InputError("Say why, and name the ticket.")
    who = UUID(actor.id) if by_staff else None
    waits = by_staff and settings.ERASURES_NEED_APPROVAL
    due = None if waits else timezone.now() + timedelta(days=0 if at_once else settings.ERASURE_GRACE_DAYS)
    with as_system():
        is_active = _is_active(user_id)
        bulk.run(
            "INSERT INTO erasures "
            "(id, person, was_active, due_at, removed, needs_approval, requested_by, reason, ticket) VALUES "
            "(%b, %b, %b, %b, '{}', %b, %b, %b, %b) ON CONFLICT (person) DO UPDATE SET "
            "due_at = least(erasures.due_at, excluded.due_at), "
            "needs_approval = erasures.needs_approval AND excluded.due_at IS NULL, "
            "was_active = CASE WHEN erasures.due_at IS NULL THEN excluded.was_active ELSE erasures.was_active END",
            [uuid7(), user_id, is_active, due, waits, who, reason.strip(), ticket.strip()],
        )
        erasure = get_erasure(user_id)
        if erasure.due_at:
            _shut_out(user_id, actor)
        details = {"due_at": erasure.due_at and erasure.due_at.isoformat(), **({"ticket": ticket} if by_staff else {})}
        _record(actor, "erasure.request", erasure, reason=reason, details=details)
    return erasure


def may_approve_erasure(staff: User, erasure: Erasure) -> bool:
    """Return whether a member of staff may approve or refuse an erasure: an approver, and never who requested it."""
    return may_approve(staff) and staff.pk != erasure.requested_by


def approve_erasure(*, user_id: UUID, actor: Actor) -> Erasure:
    """Schedule an erasure that another member of staff requested. The grace period begins now.

    Raises Refused for who may not approve a grant of the same requester (accounts.grants.separation) and for the
    requester; NotOpen when it was decided or withdrawn already.
    """
    with as_support():
        staff, erasure = _decided_by(user_id, actor)
        require_second_factor()
        if erasure.requested_by:
            require_separation(staff.pk, erasure.requested_by)
        with as_system():
            Erasure.objects.filter(pk=erasure.pk).update(
                approved_by=staff.pk,
                approved_at=Now(),
                was_active=_is_active(user_id),
                due_at=timezone.now() + timedelta(days=settings.ERASURE_GRACE_DAYS),
            )
            _shut_out(user_id, actor)
            erasure = get_erasure(user_id)
            details = {"requested_by": str(erasure.requested_by), "due_at": str(erasure.due_at)}
            _record(actor, "erasure.approve", erasure, details=details)
    return erasure


def refuse_erasure(*, user_id: UUID, actor: Actor) -> None:
    """Refuse an erasure that another member of staff requested. Raises Refused and NotOpen as approve_erasure does."""
    with as_support():
        _, erasure = _decided_by(user_id, actor)
        with as_system():
            Erasure.objects.filter(pk=erasure.pk).delete()
            _record(actor, "erasure.refuse", erasure, details={"requested_by": str(erasure.requested_by)})


def _decided_by(user_id: UUID, actor: Actor) -> tuple[User, Erasure]:
    """Return the deciding member of staff, and the erasure that waits, locked. Raises Refused, NotFound and NotOpen."""
    staff = acting_account(actor)
    with as_system():
        erasure = lock_erasure(user_id)
    if erasure is None or erasure.due_at:
        raise NotOpen()
    if not may_approve_erasure(staff, erasure):
        raise Refused("Nobody decides on their own request, and deciding takes the role approver.")
    return staff, erasure


def _is_active(user_id: UUID) -> bool:
    """Return whether a person is active. Raises NotFound for an unknown person and for staff."""
    is_active = User.objects.filter(pk=user_id, is_staff=False).values_list("is_active", flat=True).first()
    if is_active is None:
        raise NotFound("There is no such person.")
    return is_active


def _shut_out(user_id: UUID, actor: Actor) -> None:
    """Deactivate a person whose erasure is scheduled, and give up their unfinished export."""
    set_active(user_id=user_id, active=False, actor=actor)
    give_up_unfinished(user_id=user_id, problem="erasure-requested", actor=actor)


def cancel_erasure(*, user_id: UUID, actor: Actor) -> None:
    """Cancel an erasure that has not begun, and reactivate the person if they were active before.

    Raises Refused unless the actor is staff or a command, NotFound when there is none or it has begun.
    """
    if actor.kind not in ("staff", "system"):
        raise Refused("Only staff call an erasure off.")
    with as_system():
        erasure = lock_erasure(user_id)
        if erasure is None or erasure.begun_at:
            raise NotFound("The person has no scheduled erasure that can still be cancelled.")
        Erasure.objects.filter(pk=erasure.pk).delete()
        if erasure.due_at and erasure.was_active:
            set_active(user_id=user_id, active=True, actor=actor)
        _record(actor, "erasure.cancel", erasure)


def erase_due(*, actor: Actor) -> list[UUID]:
    """Erase everybody who is due. Return their ids. After a failure continue with the rest, then raise it."""
    with as_system():
        due = Erasure.objects.filter(finished_at=None, due_at__lte=Now()).order_by("due_at")
        people = list(due.values_list("person", flat=True))
    done, problem = [], None
    for user_id in people:
        try:
            for _ in _steps(user_id, actor):
                pass
            done.append(user_id)
        except VibeError as failed:
            problem = failed
    forget_samples()
    if problem:
        raise problem
    return done


def erase(*, user_id: UUID, actor: Actor, on_step: Callable[[str], object] = lambda _: None) -> Statement:
    """Erase a person who is due. Return the signed receipt, or the earlier one if they are already erased.

    Raises NotFound without a request, Refused before the due time, StillRunning when a job does not end.
    """
    for step in _steps(user_id, actor):
        on_step(step)
    forget_samples()
    return get_erasure(user_id).receipt or {}


def _steps(user_id: UUID, actor: Actor) -> Iterator[str]:
    """Erase in committed steps, and yield the name of each: the process may die between any two."""
    if _begin(user_id, actor):
        return
    yield "begun"
    add_tombstone(sign_statement({"kind": "begun", "person": str(user_id), "at": timezone.now().isoformat()}))
    yield "buried"
    if has_keys(user_id):
        destroy_data_keys(user_id=user_id, actor=actor)
    yield "keys"
    add(
        user_id,
        {
            "procrastinate_jobs": erasing.delete_jobs,
            "rate_limits": erasing.delete_rate_limits,
            "axes_accessattempt": erasing.delete_sign_in_attempts,
            "webhook_deliveries": delete_deliveries_about,
        },
    )
    yield "jobs"
    add(user_id, {"files": remove_files})
    yield "files"
    for model in filter(erasing.deletable_by_person, erasing.owned_tables()):
        while delete_some(model, user_id):
            yield model._meta.db_table
    wait_for_jobs(user_id)
    add_tombstone(_finish(user_id, actor))
    yield "finished"


def _begin(user_id: UUID, actor: Actor) -> bool:
    """Mark an erasure as begun. Return whether it is already finished."""
    with as_system():
        erasure = lock_erasure(user_id)
        if erasure is None:
            raise NotFound("Nobody asked for this person to be erased.")
        if erasure.finished_at:
            return True
        if erasure.due_at is None:
            raise Refused("The erasure waits for approval. An approver decides on its page in the admin.")
        if erasure.due_at > timezone.now():
            raise Refused(f"The person is to be erased on {erasure.due_at:%Y-%m-%d %H:%M} UTC, not before.")
        if erasure.begun_at is None:
            Erasure.objects.filter(pk=erasure.pk).update(begun_at=Now())
            _record(actor, "erasure.begin", erasure)
    return False


def has_keys(user_id: UUID) -> bool:
    """Return whether there is a data key or a name to destroy."""
    with as_system():
        named = User.objects.filter(pk=user_id, name__isnull=False).exists()
        return named or UserKey.objects.of(user_id).filter(destroyed_at=None).exists()


def delete_some(model: type[Any], user_id: UUID) -> bool:
    """Delete one batch of a table and its admin log entries, and add to the counts, in one transaction."""
    with as_system():
        gone = erasing.delete_batch(model, user_id) if is_unfinished(user_id) else []
        if gone:
            add_to_counts(
                user_id, {model._meta.db_table: len(gone), "django_admin_log": erasing.delete_admin_log_entries(gone)}
            )
    return bool(gone)


def add(user_id: UUID, work: dict[str, Callable[[UUID], int]]) -> None:
    """Run deletions and add to the counts, in one transaction."""
    with as_system():
        if is_unfinished(user_id):
            add_to_counts(user_id, {name: remove(user_id) for name, remove in work.items()})


def remove_files(user_id: UUID) -> int:
    """Remove a person's sealed files: of exports, and what other apps keep. Return how many."""
    ids = list(Export.objects.of(user_id).values_list("pk", flat=True))
    return sum(map(files.remove, ids)) + sum(remove(user_id) for remove in FILES)


def wait_for_jobs(user_id: UUID) -> None:
    """Delete the person's jobs until none is left. Raises StillRunning after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while True:
        add(user_id, {"procrastinate_jobs": erasing.delete_jobs})
        if not erasing.jobs_running(user_id):
            return
        if time.monotonic() > end:
            raise StillRunning()
        time.sleep(0.5)


def _finish(user_id: UUID, actor: Actor) -> Statement:
    """Delete the person's row, and by cascade the rest. Save the receipt and record it in the audit log."""
    with as_system():
        if not is_unfinished(user_id):
            return get_erasure(user_id).receipt or {}
        alone = User.objects.select_for_update().only("pk").filter(pk=user_id).first()  # prevents new rows of theirs
        if alone:
            add_to_counts(user_id, {**erasing.rows_left(user_id), "files": remove_files(user_id), "users": 1})
            add_to_counts(user_id, {"django_admin_log": erasing.delete_admin_log_entries([user_id])})
            add_to_counts(user_id, {"webhook_deliveries": delete_deliveries_about(user_id)})  # told since
            bulk.run("DELETE FROM users WHERE id = %b AND NOT is_staff", [user_id])
        erasure = get_erasure(user_id)
        receipt = sign_statement(
            {
                "kind": "erased",
                "person": str(user_id),
                "requested_at": erasure.requested_at.isoformat(),
                "at": timezone.now().isoformat(),
                "removed": erasure.removed,
            }
        )
        Erasure.objects.filter(pk=erasure.pk).update(finished_at=Now(), receipt=receipt)
        _record(actor, "erasure.finish", erasure, details={"receipt": receipt})
        tell(event=ERASURE_DONE, user_id=user_id, resource=erasure.pk)
    return receipt


def erase_again(*, actor: Actor) -> list[UUID]:
    """Erase again everybody whom an older backup restored. Return their ids.

    To be run after migrations and before the first request. Erasures that were half done in the backup are finished
    too. Raises TombstoneBroken.
    """
    for user_id in (back := unfinished_erasures()):
        with as_system():
            bulk.run(
                "INSERT INTO erasures (id, person, was_active, due_at, removed) VALUES (%b, %b, false, now(), '{}') "
                "ON CONFLICT (person) DO UPDATE SET due_at = now(), finished_at = NULL, receipt = NULL, removed = '{}'",
                [uuid7(), user_id],
            )
            set_active(user_id=user_id, active=False, actor=actor)
            _record(actor, "erasure.again", get_erasure(user_id))
    with as_system():
        begun = set(Erasure.objects.filter(begun_at__isnull=False, finished_at=None).values_list("person", flat=True))
    again = sorted(back | begun)
    for user_id in again:
        erase(user_id=user_id, actor=actor)
    return again


def unfinished_erasures() -> set[UUID]:
    """Return the erased people who are in the database. Serve no requests until there are none."""
    with as_system():
        erasures = dict(Erasure.objects.filter(begun_at__isnull=False).values_list("person", "finished_at"))
        under_way = {person for person, finished in erasures.items() if finished is None}
        gone = list(erased_people().union(erasures) - under_way)
        parts = (gone[at : at + LOOKED_UP] for at in range(0, len(gone), LOOKED_UP))
        return {each for part in parts for each in User.objects.filter(pk__in=part).values_list("pk", flat=True)}


def get_erasure(user_id: UUID) -> Erasure:
    """Read the erasure of a person. Raises NotFound."""
    with as_system():
        found = Erasure.objects.filter(person=user_id).first()
    if found is None:
        raise NotFound("Nobody asked for this person to be erased.")
    return found


def lock_erasure(user_id: UUID) -> Erasure | None:
    """Lock the erasure of a person until the transaction ends, so that concurrent runs count nothing twice."""
    return Erasure.objects.select_for_update().filter(person=user_id).first()


def is_unfinished(user_id: UUID) -> bool:
    """Lock an erasure and return whether it is unfinished: another process may have finished it."""
    erasure = lock_erasure(user_id)
    return erasure is not None and erasure.finished_at is None


def add_to_counts(user_id: UUID, removed: dict[str, int]) -> None:
    """Add to the counts of what was removed. The caller holds the lock on the erasure."""
    known: dict[str, int] = get_erasure(user_id).removed
    tables: Iterable[str] = {*known, *(table for table, number in removed.items() if number)}
    sums = {table: known.get(table, 0) + removed.get(table, 0) for table in sorted(tables)}
    Erasure.objects.filter(person=user_id).update(removed=sums)


def _record(
    actor: Actor, action: str, erasure: Erasure, *, reason: str = "", details: Mapping[str, object] | None = None
) -> None:
    """Record an action on an erasure in the audit log."""
    resource = f"users/{erasure.person}"
    record(actor=actor, action=action, subject=erasure.person, resource=resource, reason=reason, details=details)
