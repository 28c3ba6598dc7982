"""Rows of the trail as the server sends them in COPY's binary format, turned into digests without being taken apart.

Both formats write a field as its length and its content, so nearly all of a row's canonical bytes (audit.row_digest)
are on the wire as they are: seals are made and proved at a few microseconds a row. What has to be turned: the time,
which PostgreSQL counts from the year 2000, and JSON, which has many spellings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from audit.row_digest import ROW_HEADER, encoded_details

# In the order of AuditRow, then the stamp. The address is sent as its bytes and the length of its mask.
COLUMNS: Final = (
    "r.id, r.at, r.actor_kind, r.actor, r.subject::text, r.action, r.resource, r.outcome, r.reason, "
    "substring(inet_send(r.ip) from 5) || substring(inet_send(r.ip) from 2 for 1), "
    "r.user_agent, r.request_id, r.details::text, r.mac, r.xact"
)

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\x00"
_FILE_HEADER: Final = len(_SIGNATURE) + 8
_TRAILER: Final = b"\xff\xff"
_ABSENT: Final = b"\xff\xff\xff\xff"
_ID, _TIME, _TEXTS = 20, 12, 10  # bytes, bytes, fields between the time and the details
_STAMP: Final = 4 + 32 + 4 + 8
_MAC_SIZE: Final = (32).to_bytes(4, "big")
_NO_DETAILS: Final = b"\x00\x00\x00\x02{}"
_SINCE_1970: Final = 946_684_800_000_000  # microseconds to the start of 2000
_START_OF_2000: Final = datetime(2000, 1, 1, tzinfo=UTC)


class WireRow(NamedTuple):
    """One stored row."""

    id: UUID
    at: bytes  # 8 bytes as PostgreSQL sends them
    content: bytes  # what encode_row gives; empty if the row holds what the recorder never writes
    stamp: bytes  # what stamp_of gives

    def leaf(self) -> bytes:
        """The leaf hash, 32 bytes (RFC 6962); empty for a row without content."""
        return sha256(b"\x00" + self.content + self.stamp).digest() if self.content else b""

    def mac(self) -> bytes:
        """The code that the row bears."""
        size = int.from_bytes(self.stamp[:4], "big", signed=True)
        return self.stamp[4 : 4 + max(size, 0)]

    def xact(self) -> int:
        """The transaction that the row says it is from."""
        return int.from_bytes(self.stamp[-8:], "big", signed=True)


def moment(at: bytes) -> datetime:
    """A timestamp as PostgreSQL sends it. Raises OverflowError for one that Python does not have."""
    return _START_OF_2000 + timedelta(microseconds=int.from_bytes(at, "big", signed=True))


def copy(query: str, parameters: Sequence[Any] = ()) -> Iterator[bytes]:
    """Yield the result of a query row by row, each as its fields with their lengths. Nothing is buffered."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", parameters) as stream:
        for part in stream:
            row = bytes(part)
            if row.startswith(_SIGNATURE):
                row = row[_FILE_HEADER:]
            if row and row != _TRAILER:
                yield row[2:]  # without the number of fields


def field(row: bytes, start: int) -> tuple[bytes | None, int]:
    """The field at `start`, None if it is NULL, and where the next one starts."""
    size = int.from_bytes(row[start : start + 4], "big", signed=True)
    return (None, start + 4) if size < 0 else (row[start + 4 : start + 4 + size], start + 4 + size)


def read_row(row: bytes, start: int = 0) -> WireRow | None:
    """Read COLUMNS from `start` to the end. None where an outer join found no row."""
    if row[start : start + 4] == _ABSENT:
        return None
    texts, stamp = start + _ID + _TIME, len(row) - _STAMP
    details = stamp - len(_NO_DETAILS)
    try:
        # NUL is in no text of PostgreSQL, so these bytes can only be a whole field; whatever else a forger made of the
        # row, the digest is over all of it.
        if row[details:stamp] == _NO_DETAILS and row[stamp : stamp + 4] == _MAC_SIZE:
            middle = row[texts:stamp]
        else:
            details = texts
            for _ in range(_TEXTS):
                _, details = field(row, details)
            text, stamp = field(row, details)
            middle = row[texts:details] + encoded_details((text or b"").decode())
        at = row[start + _ID + 4 : texts]
        since = int.from_bytes(at, "big", signed=True) + _SINCE_1970
        content = ROW_HEADER + row[start : start + _ID + 4] + since.to_bytes(8, "big", signed=True) + middle
    except (OverflowError, RecursionError, TypeError, ValueError):
        content = b""
    return WireRow(UUID(bytes=row[start + 4 : start + _ID]), row[start + _ID + 4 : texts], content, row[stamp:])
