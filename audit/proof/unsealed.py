"""Which rows are committed and not sealed: none is missed, however late it commits and whatever the clocks say.

Each row bears the id of the transaction that wrote it. The sealer remembers a snapshot (pg_snapshot) taken before it
looked: what was visible in it is sealed. Later, rows can only have come from transactions that were running then or
have begun since. A row seen twice is left out by its leaf, so a snapshot that is lost or too old costs time, no more.

A restored database may count transactions from a lower number than its rows bear. Then a shift is added to the ids of
rows to come, and the sealer looks at every row once.
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
# With the right index the planner would still read a whole large table for some of the queries here.
BY_INDEX: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"


@dataclass(frozen=True, slots=True)
class SealRange:
    """Rows whose transactions fit a condition."""

    condition: str
    parameters: tuple[Any, ...] = ()


EVERYTHING = SealRange("true")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What pg_current_snapshot() gives: all below `end` that are not `running` have come to their end."""

    end: int
    running: tuple[int, ...]

    @classmethod
    def read(cls, text: str) -> Snapshot:
        """From PostgreSQL's form, xmin:xmax:xip,xip."""
        _, end, running = text.split(":")
        return cls(int(end), tuple(int(each) for each in running.split(",") if each))

    def news(self, shift: int) -> list[SealRange]:
        """Where rows can be that were not visible in it."""
        stretches = [SealRange("r.xact >= %s", (self.end + shift,))]
        if self.running:
            stretches.insert(0, SealRange("r.xact = ANY(%s)", ([each + shift for each in self.running],)))
        return stretches


def current_snapshot() -> str:
    """What is visible from now on, at least.

    PostgreSQL does not count one's own transaction among those running. Here it is one of them: it may write more.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text, pg_current_xact_id_if_assigned()::text")
        snapshot, own = cursor.fetchone()
    begin, end, running = snapshot.split(":")
    return f"{begin}:{end}:{','.join(filter(None, [running, own]))}"


def sealer_state() -> AuditSealer:
    """How far the sealer looked; kept by nobody before the first seal."""
    return AuditSealer.objects.first() or AuditSealer()


def ranges_to_seal(sealer: AuditSealer, *, sweep: bool) -> list[SealRange]:
    """Where to look for rows to seal."""
    if sweep or not sealer.snapshot:
        return [EVERYTHING]
    return Snapshot.read(sealer.snapshot).news(sealer.shift)


def unsealed_rows(stretch: SealRange, after: tuple[int, Any] | None, limit: int) -> list[WireRow]:
    """Up to `limit` rows of a stretch, by transaction and id, from behind `after` on."""
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
    """Every row without a leaf, wherever it is."""
    return found_rows(f"SELECT {COLUMNS} FROM audit_logs r WHERE {UNSEALED} ORDER BY r.xact, r.id")  # noqa: S608


def found_rows(query: str, parameters: Sequence[Any] = ()) -> Generator[WireRow, None, None]:
    """Rows of a query that selects COLUMNS."""
    with closing(copy(query, parameters)) as lines:
        for line in lines:
            if row := read_row(line, FIELDS):
                yield row


def detect_restore() -> None:
    """Shift the transaction ids to come when this server counts lower than the rows do. As the owner of the table."""
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
