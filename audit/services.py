"""Writing the trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from audit.actors import Actor
from audit.models import AuditLog
from vibe.db.contexts import OUTSIDE, as_system, current_scope
from vibe.errors import AuditUnavailable

OK, REFUSED, FAILED = AuditLog.Outcome.OK, AuditLog.Outcome.REFUSED, AuditLog.Outcome.FAILED


def record(
    *,
    actor: Actor,
    action: str,
    subject: UUID | None = None,
    resource: str = "",
    outcome: str = OK,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write one row into the caller's transaction: it stands or falls with what it records.

    `details` holds ids, names of fields and counts, never content. Raises AuditUnavailable when the row cannot be
    written; the caller's transaction is then to be given up.
    """
    row = AuditLog(
        actor_kind=actor.kind,
        actor=actor.id,
        subject=subject,
        action=action,
        resource=resource,
        outcome=outcome,
        reason=reason,
        ip=actor.origin.address and actor.origin.address.ip,
        user_agent=actor.origin.user_agent,
        request_id=actor.origin.request_id,
        details={**origin_details(actor), **(details or {})},
    )
    try:
        if current_scope() is OUTSIDE:
            with as_system():
                row.save(force_insert=True)
        else:
            row.save(force_insert=True)
    except DatabaseError as problem:
        raise AuditUnavailable() from problem


def origin_details(actor: Actor) -> dict[str, str]:
    """The peer and the raw headers, kept apart from the address that was believed, where there were any."""
    address = actor.origin.address
    if not address:
        return {}
    raw = {"forwarded_for": address.forwarded_for, "forwarded": address.forwarded}
    claimed = {name: value for name, value in raw.items() if value}
    return {"peer": address.peer, **claimed} if claimed else {}
