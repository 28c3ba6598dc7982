"""Recording of rows in the audit log."""

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
from vibe.core.db.statements.batching import current_connection, set_role_sql
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
    """Write one row into the caller's transaction, to commit or roll back with the recorded action.

    `last` means that nothing follows in the transaction: the row is then sent with the commit in one round trip, and an
    error of the commit may come from the row. `details` holds ids, field names and counts, never content; the subject's
    rows that were sealed under a new revision are added. Raises AuditUnavailable when the row cannot be written, and
    whatever a receiver of `recording` raises; the caller must then roll back.
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
    """Return the person's rows that this transaction sealed under a new revision: see audit.proof.freshness."""
    taken = revisions.take_stored_revisions(subject) if subject else {}
    return {"revisions": taken} if taken else {}


def insert_row(row: AuditRow, *, last: bool = False) -> None:
    """Insert in one round trip, or with the commit. Outside every scope, switch to the system's role and back."""
    keys = trail_keys()
    values: tuple[Any, ...] = (*row, keys.mac(encode_row(row)))
    statement = f"{set_role_sql(SYSTEM)}; {INSERT}; {set_role_sql('none')}" if current_scope() is OUTSIDE else INSERT
    connection = current_connection()
    if last and connection.commits_next():
        connection.validate_no_broken_transaction()  # a broken one would be rolled back, and the row with it
        connection.closing = (statement, values)
        return
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(statement, values)


def fit_to_column(column: str, text: str) -> str:
    """Return the printable part of an untrusted text that fits into the column."""
    limit: int = AuditLog._meta.get_field(column).max_length  # type: ignore[union-attr, assignment]
    cut = text[:limit]
    return cut if cut.isprintable() else "".join(character for character in cut if character.isprintable())


def origin_details(actor: Actor) -> dict[str, str]:
    """Return the acting client, the peer and the raw headers, separate from the trusted address."""
    client = {"client": actor.client} if actor.client else {}
    address = actor.origin.address
    if not address:
        return client
    raw = {"forwarded_for": address.forwarded_for, "forwarded": address.forwarded}
    claimed = {name: value for name, value in raw.items() if value}
    return {**client, "peer": address.peer, **claimed} if claimed else client
