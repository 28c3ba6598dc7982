"""The second person: who may approve what a member of staff asks for, and who is too close to them to do so.

Who is too close is told by the audit log. Whoever makes an account, or changes its password, its rights or its one-time
code, may act as it; so may whoever makes that one. Two accounts are joined if some account may act as both: one of the
two, or a superuser who made both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import STANDING, User
from accounts.staff import services as one_time_codes
from accounts.staff.services import CHANGES_OF_ACCOUNTS, account_resource
from audit.actors import Actor
from audit.models import AuditLog, TrailQuerySet
from vibe.core.errors import Refused

APPROVE = "accounts.change_accessgrant"


def acting_account(actor: Actor) -> User:
    """Read the account of the acting member of staff. Raises Refused for any other actor."""
    found = User.objects.only(*STANDING).filter(pk=actor.id, is_staff=True).first() if actor.kind == "staff" else None
    if found is None:
        raise Refused("Only staff ask for this, and only staff decide on it.")
    return found


def may_approve(staff: User) -> bool:
    """Return whether a member of staff has the role of approvers."""
    return staff.is_active and staff.is_staff and staff.has_perm(APPROVE)


def require_second_factor() -> None:
    """Raise Refused while staff sign in by password alone: a stolen one would approve."""
    if not one_time_codes.required():
        raise Refused(
            "Nobody approves while staff sign in without one-time codes. Set ONE_TIME_CODES=on, and give each a code "
            "with manage.py add_one_time_code."
        )


def require_separation(approver: UUID, requester: UUID) -> None:
    """Raise Refused if the approver may be the requester, or the other way round."""
    if are_joined(approver, requester):
        raise Refused(
            f"In the last {settings.GRANT_SEPARATION_DAYS} days one of these two accounts made or changed the other, "
            "itself or through further accounts. Another approver decides, or you once those days are over."
        )


def are_joined(first: UUID, second: UUID) -> bool:
    """Return whether some account may act as both, by what was made and changed in the last GRANT_SEPARATION_DAYS."""
    since = timezone.now() - timedelta(days=settings.GRANT_SEPARATION_DAYS)
    return not _may_act_as(first, since).isdisjoint(_may_act_as(second, since))


def was_changed_by_another(staff_id: UUID, since: datetime) -> bool:
    """Return whether somebody else of the staff changed an account since then, and so may act as it."""
    return _changes(since).of(account_resource(staff_id)).exclude(actor=str(staff_id)).exists()


def _may_act_as(staff_id: UUID, since: datetime) -> set[str]:
    """Return the ids of an account, of those who made or changed it, of those who made or changed them, and so on."""
    found = new = {str(staff_id)}
    while new:
        resources = [account_resource(each) for each in new]
        makers = _changes(since).exclude(resource="").filter(resource__in=resources).values_list("actor", flat=True)
        new = set(makers) - found
        found = found | new
    return found


def _changes(since: datetime) -> TrailQuerySet:
    """Return the rows of staff who made or changed accounts of staff. Commands on the machine have no such actor."""
    kind, outcome = AuditLog.ActorKind.STAFF, AuditLog.Outcome.OK
    return AuditLog.objects.filter(action__in=CHANGES_OF_ACCOUNTS, actor_kind=kind, outcome=outcome, at__gte=since)
