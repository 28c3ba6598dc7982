"""Hashing of audit rows in COPY's binary format, without parsing them into Python values.

Both formats write a field as its length and its content, so nearly all of a row's canonical bytes
(audit.proof.row_digest) are on the wire unchanged. Two fields are converted: the time, which PostgreSQL counts from
the year 2000, and JSON, which has many spellings.

Measured, over 50,000 rows in one run, taking turns: `verify_audit` takes 13 microseconds of processor time a row this
way, and 22 (1.6 times as much) where psycopg parses COPY's rows and `row_digest` encodes them. That is why there are
two encoders; tests/audit/test_wire.py checks that they agree.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from audit.proof.keys import MAC_SIZE
from audit.proof.row_digest import ROW_HEADER, encoded_details
from vibe.core.db.backend.base import Cursor

# Details first, so that they are found without skipping other fields; then the order of AuditRow; then the stamp. The
# address is sent as its bytes and the length of its mask.
COLUMNS: Final = (
    "r.details::text, r.id, r.at, r.actor_kind, r.actor, r.subject::text, r.action, r.resource, r.outcome, r.reason, "
    "substring(inet_send(r.ip) from 5) || substring(inet_send(r.ip) from 2 for 1), "
    "r.user_agent, r.request_id, r.mac, r.xact"
)

_FILE_HEADER: Final = 11 + 8  # bytes, in front of the first row
_ABSENT: Final = b"\xff\xff\xff\xff"
FIELDS: Final = 2  # bytes before the first field: their number
_ID, _TIME = 4 + 16, 4 + 8
_STAMP: Final = 4 + MAC_SIZE + 4 + 8
_MAC_HEADER: Final = MAC_SIZE.to_bytes(4, "big")
_NO_DETAILS: Final = b"\x00\x00\x00\x02{}"
_SINCE_1970: Final = 946_684_800_000_000  # microseconds to the start of 2000
_START_OF_2000: Final = datetime(2000, 1, 1, tzinfo=UTC)


class WireRow(NamedTuple):
    """One stored row."""

    key: bytes  # the id, 16 bytes
    at: bytes  # 8 bytes as PostgreSQL sends them
    content: bytes  # the result of encode_row; empty if the recorder never writes such a row
    stamp: bytes  # the result of stamp_of

    @property
    def id(self) -> UUID:
        """Return the row's id."""
        return UUID(bytes=self.key)

    def leaf(self) -> bytes:
        """Return the leaf hash, 32 bytes (RFC 6962); empty for a row without content."""
        return sha256(b"\x00" + self.content + self.stamp).digest() if self.content else b""

    def mac(self) -> bytes:
        """Return the stored MAC."""
        return self.stamp[4 : 4 + MAC_SIZE]

    def xact(self) -> int:
        """Return the stored transaction id."""
        return int.from_bytes(self.stamp[-8:], "big", signed=True)


def encode_time(at: bytes) -> datetime:
    """Convert a timestamp sent by PostgreSQL. Raises OverflowError for one that Python cannot represent."""
    return _START_OF_2000 + timedelta(microseconds=int.from_bytes(at, "big", signed=True))


def copy(query: str, parameters: Sequence[Any] = ()) -> Generator[bytes, None, None]:
    """Yield the rows of a query, unbuffered, each as the number of fields and every field with its length.

    Until it is exhausted or closed, every other statement on the connection waits: on an error, close it
    before the transaction ends.
    """
    connection.ensure_connection()  # not Django's cursor: with DEBUG on, its copy() takes no parameters
    with (
        connection.wrap_database_errors,
        Cursor(connection.connection) as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", parameters) as stream,
    ):
        parts = iter(stream)
        row = bytes(next(parts))[_FILE_HEADER:]
        for part in parts:  # one behind, because the last part is the trailer
            if row:
                yield row
            row = bytes(part)


def field(row: bytes, start: int) -> tuple[bytes | None, int]:
    """Return the field at `start`, None if it is NULL, and where the next one starts."""
    size = int.from_bytes(row[start : start + 4], "big", signed=True)
    return (None, start + 4) if size < 0 else (row[start + 4 : start + 4 + size], start + 4 + size)


def read_row(row: bytes, start: int) -> WireRow | None:
    """Read COLUMNS from `start` to the end. Return None if an outer join found no row.

    A row with a MAC of another size is returned without content: the recorder never wrote it.
    """
    if (found := pieces(row, start)) is None:
        return None
    begin, content = found
    texts = begin + _ID + _TIME
    return WireRow(row[begin + 4 : begin + _ID], row[texts - 8 : texts], b"".join(content), row[len(row) - _STAMP :])


def read_leaf(row: bytes, start: int) -> bytes | None:
    """Return `read_row(row, start).leaf()` without building the row, because proofs call this for every row."""
    if (found := pieces(row, start)) is None:
        return None
    _, content = found
    return sha256(b"".join((b"\x00", *content, row[len(row) - _STAMP :]))).digest() if content else b""


def pieces(row: bytes, start: int) -> tuple[int, tuple[bytes, ...]] | None:
    """Return where the id begins, and the result of encode_row in pieces: none if the recorder never writes such a row.

    Return None if an outer join found no row.
    """
    if row.startswith(_NO_DETAILS, start):
        details, begin = _NO_DETAILS, start + len(_NO_DETAILS)
    else:
        text, begin = field(row, start)
        if text is None and row[begin : begin + 4] == _ABSENT:
            return None
        try:
            details = encoded_details((text or b"").decode())
        except (RecursionError, TypeError, ValueError):
            details = b""
    texts, stamp = begin + _ID + _TIME, len(row) - _STAMP
    since = int.from_bytes(row[texts - 8 : texts], "big", signed=True) + _SINCE_1970
    if not details or since >= 1 << 63 or not row.startswith(_MAC_HEADER, stamp):
        return begin, ()
    return begin, (ROW_HEADER, row[begin : texts - 8], since.to_bytes(8, "big", signed=True), row[texts:stamp], details)
