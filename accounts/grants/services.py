"""Grants to read one person's content: requested by one member of staff, decided by another, ended early or by expiry.

Each verb is one transaction: check, change, record. All permission rules are in this module. The database enforces as
well that no one decides their own request, no request is decided twice, and no grant lasts longer than requested.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from accounts.grants.notices import notify_approvers
from accounts.grants.separation import (
    APPROVE,
    acting_account,
    may_approve,
    require_second_factor,
    require_separation,
    was_changed_by_another,
)
from accounts.keys.errors import ProcessingRestricted
from accounts.models import LONGEST, AccessGrant, User
from accounts.models.webhooks import GRANT_OPENED
from accounts.webhooks.outbox import tell
from audit.actors import Actor
from audit.services import record
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_support
from vibe.core.errors import InputError, NotFound, Refused, VibeError

ASK = "accounts.add_accessgrant"


class MayNotAsk(Refused):
    message = "You may not ask for access. It takes the role support."


class NotOpen(VibeError):
    message = "The request was decided or ended already. Nothing was changed."
    code = "not-open"
    status = 409


def longest() -> timedelta:
    """Return how long a grant may last."""
    return min(timedelta(hours=settings.GRANT_LONGEST_HOURS), LONGEST)


def may_ask(staff: User) -> bool:
    """Return whether a member of staff may request access to content, and read it once granted."""
    return staff.is_active and staff.is_staff and staff.has_perm(ASK)


def may_decide(staff: User, grant: AccessGrant) -> bool:
    """Return whether a member of staff may approve or refuse: not their own request, unless allowed."""
    own = staff.pk == grant.requested_by
    return may_approve(staff) and (not own or settings.GRANTS_ALLOW_SELF_APPROVAL)


def may_end(staff: User, grant: AccessGrant) -> bool:
    """Return whether a member of staff may end a grant: the requester, the decider and any approver may."""
    concerned = staff.pk in (grant.requested_by, grant.decided_by)
    return staff.is_active and staff.is_staff and (concerned or staff.has_perm(APPROVE))


def request_access(*, user_id: UUID, actor: Actor, reason: str, ticket: str, duration: timedelta) -> UUID:
    """Request access to one person's content. Return the id of the request, which waits for a decision.

    Raises InputError for a missing or invalid value, NotFound for an unknown person or a member of staff, Refused
    without the permission.
    """
    reason, ticket = reason.strip(), ticket.strip()
    if not reason or not ticket:
        raise InputError("Say why, and name the ticket.")
    if not timedelta(0) < duration <= longest():
        raise InputError(f"Ask for more than nothing and at most {longest()}.")
    with as_support():
        staff = acting_account(actor)
        if not may_ask(staff):
            raise MayNotAsk
        if not User.objects.filter(pk=user_id, is_staff=False).exists():
            raise NotFound("There is no such person.")
        _require_unrestricted(user_id)
        if has_waiting_or_open(user_id, staff.pk):
            raise InputError("You have asked for this person already, and it is waiting or open.")
        grant = AccessGrant(
            pk=uuid7(), user_id=user_id, requested_by=staff.pk, reason=reason, ticket=ticket, duration=duration
        )
        grant.save(force_insert=True)
        details = {"ticket": ticket, "minutes": int(duration.total_seconds() // 60)}
        _record(grant, actor, "grant.ask", reason=reason, details=details)
        notify_approvers(grant.pk)
    return grant.pk


def decide_request(*, grant_id: UUID, actor: Actor, approve: bool) -> AccessGrant:
    """Approve or refuse a request. An approved one starts now and lasts for the requested duration.

    Raises Refused without the permission, for an approval while one-time codes are off, and for an approver whose
    account and the requester's are joined (accounts.grants.separation); NotOpen when it was already decided or
    withdrawn.
    """
    with as_support():
        staff, grant = acting_account(actor), lock_grant(grant_id)
        if not may_decide(staff, grant):
            raise Refused("Nobody decides on their own request, and deciding takes the role approver.")
        if grant.decided_at or grant.ended_at:
            raise NotOpen()
        sole = staff.pk == grant.requested_by
        if approve:
            require_second_factor()
            if not sole:
                require_separation(staff.pk, grant.requested_by)
        AccessGrant.objects.of(grant.user_id).filter(pk=grant.pk).update(
            decided_by=staff.pk,
            decided_at=Now(),
            approved=approve,
            sole=sole,
            expires_at=Now() + grant.duration if approve else None,
        )
        details = {"requested_by": str(grant.requested_by), **({"sole": True} if sole else {})}
        _record(grant, actor, "grant.approve" if approve else "grant.refuse", details=details)
        if approve:
            tell(event=GRANT_OPENED, user_id=grant.user_id, resource=grant.pk)
        return get_grant(grant.pk)


def end_grant(*, grant_id: UUID, actor: Actor) -> AccessGrant:
    """Withdraw a request, or end an approved grant before it expires.

    Raises Refused without the permission, NotOpen when it was already refused or ended.
    """
    with as_support():
        staff, grant = acting_account(actor), lock_grant(grant_id)
        if not may_end(staff, grant):
            raise Refused("Only who asked, who decided, or an approver ends a grant.")
        if grant.ended_at or grant.approved is False:
            raise NotOpen()
        AccessGrant.objects.of(grant.user_id).filter(pk=grant.pk).update(ended_by=staff.pk, ended_at=Now())
        _record(grant, actor, "grant.end", details={"requested_by": str(grant.requested_by)})
        return get_grant(grant.pk)


def grant_in_force(user_id: UUID, staff: User) -> AccessGrant | None:
    """Return the grant under which this member of staff may read this person's content now, by the database's clock.

    If that clock was set back to before the decision, no grant is in force. Nor is one while the person's processing is
    restricted, or once somebody else has changed
    the requester's account since the request: whoever sets its password would read under it.
    """
    if not may_ask(staff):
        return None
    mine = AccessGrant.objects.of(user_id).filter(requested_by=staff.pk, user__restricted_at=None)
    now = mine.filter(approved=True, ended_at=None, decided_at__lte=Now(), expires_at__gt=Now())
    grant = now.order_by("-expires_at").first()
    return None if grant and was_changed_by_another(staff.pk, grant.requested_at) else grant


def require_grant(user_id: UUID, staff: User) -> AccessGrant:
    """Return the grant in force. Raises Refused without one."""
    grant = grant_in_force(user_id, staff)
    if grant is None:
        _require_unrestricted(user_id)
        raise Refused("You have no grant in force for this person. Ask for one on the person's page.")
    return grant


def _require_unrestricted(user_id: UUID) -> None:
    """Raise ProcessingRestricted for a person whose content nobody of the staff reads now."""
    if User.objects.filter(pk=user_id, restricted_at__isnull=False).exists():
        raise ProcessingRestricted(
            "Processing of this person's data is restricted: nobody of the staff reads it until that is lifted."
        )


def has_waiting_or_open(user_id: UUID, staff_id: UUID) -> bool:
    """Return whether this member of staff has a request for this person that is undecided or in force."""
    mine = AccessGrant.objects.of(user_id).filter(requested_by=staff_id, ended_at=None)
    return mine.filter(approved=None).exists() or mine.filter(approved=True, expires_at__gt=Now()).exists()


def lock_grant(grant_id: UUID) -> AccessGrant:
    """Lock a grant until the transaction ends, so that concurrent decisions are serialized. Raises NotFound."""
    whose = AccessGrant.objects.filter(pk=grant_id).values_list("user_id", flat=True).first()
    found = whose and AccessGrant.objects.of(whose).select_for_update().filter(pk=grant_id).first()
    if not isinstance(found, AccessGrant):
        raise NotFound("There is no such request.")
    return found


def get_grant(grant_id: UUID) -> AccessGrant:
    """Read a grant."""
    grant: AccessGrant = AccessGrant.objects.get(pk=grant_id)
    return grant


def _record(
    grant: AccessGrant, actor: Actor, action: str, *, reason: str = "", details: dict[str, object] | None = None
) -> None:
    """Record an action on a grant in the audit log."""
    record(
        actor=actor,
        action=action,
        subject=grant.user_id,
        resource=f"access_grants/{grant.pk}",
        reason=reason,
        details=details,
    )
