"""Which accounts are too close to approve for each other, by the audit log.

Whoever makes an account, or changes its password, its rights or its one-time code, may act as it; so may whoever makes
that one. Two accounts are joined if some account may act as both: one of the two, or a superuser who made both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.staff.services import CHANGES_OF_ACCOUNTS, account_resource
from audit.models import AuditLog, TrailQuerySet


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
