"""Search for committed rows without a seal. It misses none, however late it commits and whatever the clocks show.

Each row has the id of the transaction that wrote it. The sealer stores a snapshot (pg_snapshot) taken before it read:
the rows visible in it are sealed. New rows can only come from transactions that were running then or have begun since.
A row seen twice is skipped because it has a leaf, so a snapshot that is lost or too old only costs time.

A restored database may count transactions from a lower number than its rows have. Then a shift is added to the ids of
future rows, and the sealer examines every row once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from audit.models import AuditLog, AuditSealer
from audit.proof.wire import COLUMNS, FIELDS, WireRow, copy, read_row
from vibe.core.db.scopes import as_system

UNSEALED: Final = "NOT EXISTS (SELECT FROM audit_leaves l WHERE l.row_id = r.id AND l.row_at = r.at)"
# Even with the right index, the planner would read a whole large table for some of the queries here.
BY_INDEX: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"


@dataclass(frozen=True, slots=True)
class SealRange:
    """A condition on the transactions of rows."""

    condition: str
    parameters: tuple[Any, ...] = ()


EVERYTHING = SealRange("true")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A result of pg_current_snapshot(): all transactions below `end` that are not `running` have ended."""

    end: int
    running: tuple[int, ...]

    @classmethod
    def read(cls, text: str) -> Snapshot:
        """Parse PostgreSQL's form, xmin:xmax:xip,xip."""
        _, end, running = text.split(":")
        return cls(int(end), tuple(int(each) for each in running.split(",") if each))

    def news(self, shift: int) -> list[SealRange]:
        """Return the ranges of rows that were not visible in the snapshot."""
        stretches = [SealRange("r.xact >= %s", (self.end + shift,))]
        if self.running:
            stretches.insert(0, SealRange("r.xact = ANY(%s)", ([each + shift for each in self.running],)))
        return stretches


def current_snapshot() -> str:
    """Return a snapshot of the transactions whose rows are visible from now on.

    PostgreSQL does not count the current transaction as running. It is added here, because it may write more rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text, pg_current_xact_id_if_assigned()::text")
        snapshot, own = cursor.fetchone()
    begin, end, running = snapshot.split(":")
    return f"{begin}:{end}:{','.join(filter(None, [running, own]))}"


def sealer_state() -> AuditSealer:
    """Return the progress of the sealer, an unsaved one before the first seal."""
    return AuditSealer.objects.first() or AuditSealer()


def ranges_to_seal(sealer: AuditSealer, *, sweep: bool) -> list[SealRange]:
    """Return the ranges to search for rows to seal."""
    if sweep or not sealer.snapshot:
        return [EVERYTHING]
    return Snapshot.read(sealer.snapshot).news(sealer.shift)


def unsealed_rows(stretch: SealRange, after: tuple[int, Any] | None, limit: int) -> list[WireRow]:
    """Return up to `limit` unsealed rows of a range that follow `after`, by transaction and id."""
    keyset, values = ("AND (r.xact, r.id) > (%s, %s)", after) if after else ("", ())
    with connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
    return list(
        found_rows(
            f"SELECT {COLUMNS} FROM audit_logs r WHERE {stretch.condition} {keyset} AND {UNSEALED} "  # noqa: S608
            "ORDER BY r.xact, r.id LIMIT %s",
            [*stretch.parameters, *values, limit],
        )
    )


def all_unsealed_rows() -> Generator[WireRow, None, None]:
    """Yield every row without a leaf."""
    return found_rows(f"SELECT {COLUMNS} FROM audit_logs r WHERE {UNSEALED} ORDER BY r.xact, r.id")  # noqa: S608


def found_rows(query: str, parameters: Sequence[Any] = ()) -> Generator[WireRow, None, None]:
    """Yield the rows of a query that selects COLUMNS."""
    with closing(copy(query, parameters)) as lines:
        for line in lines:
            if row := read_row(line, FIELDS):
                yield row


def detect_restore() -> None:
    """Shift future transaction ids, as the table owner, if this server counts lower than the rows do."""
    with transaction.atomic():
        with as_system():
            newest = AuditLog.objects.order_by("-xact").values_list("xact", flat=True).first() or 0
            sealer = sealer_state()
            if newest < Snapshot.read(current_snapshot()).end + sealer.shift:
                return
            sealer.shift, sealer.snapshot = newest + 1, ""
            sealer.save()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            cursor.execute(
                "ALTER TABLE audit_logs ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint + %s)",
                [sealer.shift],
            )
