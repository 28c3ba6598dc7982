"""Writing the trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.actors import Actor
from audit.models import AuditLog
from audit.proof.keys import trail_keys
from audit.proof.row_digest import AuditRow, encode_row
from audit.signals import recording
from vibe.core.db.roles import SYSTEM
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import OUTSIDE, current_scope
from vibe.core.db.statements import revisions
from vibe.core.db.statements.batching import set_role_sql
from vibe.core.db.statements.connection import current_connection
from vibe.core.errors import AuditUnavailable

OK, REFUSED, FAILED = AuditLog.Outcome.OK, AuditLog.Outcome.REFUSED, AuditLog.Outcome.FAILED
COLUMNS = (*AuditRow._fields, "mac")
INSERT = f"INSERT INTO audit_logs ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608


def record(
    *,
    actor: Actor,
    action: str,
    subject: UUID | None = None,
    resource: str = "",
    outcome: str = OK,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    last: bool = False,
) -> None:
    """Write one row into the caller's transaction: it stands or falls with what it records.

    `last` says that nothing follows in the transaction: the row goes with its commit then, in one round trip, and an
    error of the commit may be that of the row. `details` holds ids, names of fields and counts, never content. Which
    rows of the subject were sealed under a further revision is added to it. Raises AuditUnavailable when the row cannot
    be written, and whatever a receiver of `recording` raises; the caller's transaction is then to be given up.
    """
    try:
        recording.send(sender=AuditLog)
        insert_row(
            AuditRow(
                id=uuid7(),
                at=timezone.now(),
                actor_kind=actor.kind,
                actor=actor.id,
                subject=subject and str(subject),
                action=action,
                resource=fit_to_column("resource", resource),
                outcome=str(outcome),
                reason=fit_to_column("reason", reason),
                ip=actor.origin.address.ip if actor.origin.address else None,
                user_agent=actor.origin.user_agent,
                request_id=actor.origin.request_id,
                details=json.dumps({**origin_details(actor), **(details or {}), **recorded_revisions(subject)}),
            ),
            last=last,
        )
    except DatabaseError as problem:
        raise AuditUnavailable() from problem


def recorded_revisions(subject: UUID | None) -> dict[str, Any]:
    """Which rows of a person this transaction sealed under a further revision: see audit.proof.freshness."""
    taken = revisions.take_stored_revisions(subject) if subject else {}
    return {"revisions": taken} if taken else {}


def insert_row(row: AuditRow, *, last: bool = False) -> None:
    """One round trip, or none of its own. Outside every scope the system's role is taken for it, and given back."""
    keys = trail_keys()
    values: tuple[Any, ...] = (*row, keys.mac(encode_row(row)))
    statement = f"{set_role_sql(SYSTEM)}; {INSERT}; {set_role_sql('none')}" if current_scope() is OUTSIDE else INSERT
    connection = current_connection()
    if last and connection.commits_next():
        connection.validate_no_broken_transaction()  # which would be given up at its end, and the row with it
        connection.closing = (statement, values)
        return
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(statement, values)


def fit_to_column(column: str, text: str) -> str:
    """What the column can hold of a text that may come from outside."""
    limit: int = AuditLog._meta.get_field(column).max_length  # type: ignore[union-attr, assignment]
    cut = text[:limit]
    return cut if cut.isprintable() else "".join(character for character in cut if character.isprintable())


def origin_details(actor: Actor) -> dict[str, str]:
    """What acted for them; the peer and the raw headers, kept apart from the address that was believed."""
    client = {"client": actor.client} if actor.client else {}
    address = actor.origin.address
    if not address:
        return client
    raw = {"forwarded_for": address.forwarded_for, "forwarded": address.forwarded}
    claimed = {name: value for name, value in raw.items() if value}
    return {**client, "peer": address.peer, **claimed} if claimed else client
