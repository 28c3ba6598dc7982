"""Reading the audit log: in pages, or exported to a file. An export is recorded before its first row is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final
from uuid import UUID

from django.db.models import QuerySet

from audit.actors import Actor
from audit.models import AuditLog
from audit.proof.row_digest import AuditRow
from audit.services import record
from vibe.core.db.paging import Page, Position, next_position
from vibe.core.db.scopes import as_system
from vibe.core.errors import InputError

COLUMNS: Final = AuditRow._fields
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")  # first characters that make a spreadsheet run a cell
CHUNK: Final = 5_000

LARGEST_PAGE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter on the rows: those that match every part given."""

    subject: UUID | None = None
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None  # exclusive

    def rows(self) -> QuerySet[AuditLog]:
        """Return the matching rows, the oldest first."""
        rows = AuditLog.objects.all()
        if self.subject:
            rows = rows.about(self.subject)
        if self.actor:
            rows = rows.by(self.actor)
        if self.since:
            rows = rows.filter(at__gte=self.since)
        if self.until:
            rows = rows.filter(at__lt=self.until)
        return rows.order_by("at", "id")

    def described(self) -> dict[str, str]:
        """Return the filter as details of the row that records the export."""
        parts = {"actor": self.actor, "since": self.since, "until": self.until}
        return {name: str(value) for name, value in parts.items() if value}


def export(
    stream: IO[str], *, format: str, selection: Selection, actor: Actor, progress: Callable[[], Any] = lambda: None
) -> int:
    """Write rows as `csv` or as a `json` array of objects, and return their number. Uses constant memory."""
    record(
        actor=actor,
        action="audit.export",
        subject=selection.subject,
        resource="audit_logs",
        details={"format": format, **selection.described()},
    )
    with as_system():
        return WRITERS[format](stream, with_progress(selection.rows(), progress))


def with_progress(rows: QuerySet[AuditLog], progress: Callable[[], Any]) -> Iterator[dict[str, Any]]:
    """Yield each row as a mapping of its columns."""
    for row in rows.values(*COLUMNS).iterator(chunk_size=CHUNK):
        progress()
        yield row


def write_csv(stream: IO[str], rows: Iterator[dict[str, Any]]) -> int:
    """Write a header and the rows. A cell that a spreadsheet would run gets a leading apostrophe."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    count = 0
    for row in rows:
        writer.writerow([csv_cell(row[name]) for name in COLUMNS])
        count += 1
    return count


def csv_cell(value: Any) -> str:
    """Return a value as text that no spreadsheet runs."""
    text = json_value(value)
    text = json.dumps(text, sort_keys=True) if isinstance(text, dict) else str(text or "")
    return f"'{text}" if text.startswith(FORMULA) else text


def write_json(stream: IO[str], rows: Iterator[dict[str, Any]]) -> int:
    """Write an array, one object a line."""
    count = 0
    stream.write("[")
    for row in rows:
        line = json.dumps({name: json_value(value) for name, value in row.items()}, ensure_ascii=False)
        stream.write((",\n" if count else "\n") + line)
        count += 1
    stream.write("\n]\n")
    return count


def json_value(value: Any) -> Any:
    """Convert a value to its JSON form."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


WRITERS: Final[dict[str, Callable[[IO[str], Iterator[dict[str, Any]]], int]]] = {"csv": write_csv, "json": write_json}


def page(rows: QuerySet[AuditLog], *, after: Position | None = None, size: int = 50) -> Page[AuditLog]:
    """Return the page of `rows` that follows `after`. The caller's scope decides which rows are visible."""
    if not 1 <= size <= LARGEST_PAGE:
        raise InputError(f"A page has 1 to {LARGEST_PAGE} rows.")
    if after:
        rows = rows.filter(after.older("at"))
    found = list(rows.order_by("-at", "-id")[: size + 1])
    return Page(found[:size], next_position(found, size, "at"))
