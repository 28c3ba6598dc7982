"""Pruning of whole months past their retention. Their contents stay provable (docs/audit.md)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.actors import Actor
from audit.errors import BatchBroken, Fault, MonthKept
from audit.models import AuditPruning
from audit.proof.keys import trail_keys
from audit.proof.pruned import Missing, Pruned
from audit.proof.unsealed import UNSEALED
from audit.proof.verification import SEALED, SealedRow, read_sealed
from audit.retention.partitions import PATIENCE, later, months_kept, next_month, partition_name, this_month
from audit.services import record
from vibe.core.db.scopes import as_system


@dataclass(frozen=True, slots=True)
class Month:
    """A month that has a partition, and the first day on which it may be dropped."""

    first: date
    due: date

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


def months() -> list[Month]:
    """Return the months that have a partition, the oldest first."""
    with connection.cursor() as cursor:
        return [Month(first, later(first, settings.AUDIT_RETENTION_MONTHS + 1)) for first in months_kept(cursor)]


def prune(month: Month, *, actor: Actor) -> int:
    """Drop one month, and return how many rows it had.

    Raises MonthKept, with the date, while the month is within its retention, or while it has unsealed rows.
    """
    if this_month() < month.due:
        raise MonthKept(
            f"{month} is kept until {month.due} (AUDIT_RETENTION_MONTHS={settings.AUDIT_RETENTION_MONTHS}). "
            "Prune it then."
        )
    name = partition_name(month.first)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            cursor.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
        with as_system():
            refuse_unsealed(month)
            stated = state_of(month)
            record(
                actor=actor,
                action="audit.prune",
                resource=f"audit_logs/{month}",
                details={"rows": stated.count, "digest": stated.digest.hex()},
            )
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")
    return stated.count


def refuse_unsealed(month: Month) -> None:
    """Raise MonthKept if a row of the month has no seal."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM audit_logs r WHERE r.at >= %s AND r.at < %s AND {UNSEALED}",  # noqa: S608
            bounds(month),
        )
        waiting = cursor.fetchone()[0]
    if waiting:
        raise MonthKept(f"{month} has {waiting:,} rows that are not sealed. Run seal_audit, then verify_audit.")


def state_of(month: Month) -> Pruned:
    """Sign and store a statement on the rows to be dropped. Raises BatchBroken if one differs from its seal."""
    keys = trail_keys()
    missing = Missing()
    with closing(sealed_rows_of(month)) as rows:
        for entry in rows:
            if entry.found != entry.leaf:
                fault = Fault.ROW_MISSING if entry.found is None else Fault.ROW_ALTERED
                raise BatchBroken(0, fault, position=entry.position, row_id=UUID(bytes=entry.key))
            missing.add(entry.position, entry.leaf)
    stated = Pruned(month.first, missing.count, missing.digest(), keys.signing.id)
    AuditPruning.objects.create(
        month=stated.month,
        count=stated.count,
        digest=stated.digest,
        at=timezone.now(),
        key_id=stated.key_id,
        signature=stated.sign(keys.signing),
    )
    return stated


def sealed_rows_of(month: Month) -> Generator[SealedRow, None, None]:
    """Return the seals of a month in the order of position, each with the hash of its row."""
    return read_sealed(f"{SEALED} WHERE l.row_at >= %s AND l.row_at < %s ORDER BY l.position", bounds(month))


def bounds(month: Month) -> tuple[datetime, datetime]:
    """Return the month's start, inclusive, and end, exclusive."""
    start, end = (datetime.combine(day, time(), UTC) for day in (month.first, next_month(month.first)))
    return start, end
