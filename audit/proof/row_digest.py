"""Canonical bytes of an audit row, the same on every machine and at any time.

    "vibe.audit.row", a zero byte, the format (1 byte), then the thirteen fields in the order of `AuditRow`.

Each field is its length (4 bytes, big-endian) and its content, an absent one the length 0xFFFFFFFF, so that content
cannot shift between fields. Numbers, times and addresses are written by value, never as the database prints them.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Final, NamedTuple, NoReturn
from uuid import UUID

from audit.errors import RowNotEncodable

ROW_FORMAT: Final = 1

Text = str | UUID | None
ROW_HEADER: Final = b"vibe.audit.row\x00" + bytes([ROW_FORMAT])
_LEAF_HEADER: Final = b"\x00" + ROW_HEADER  # leaf prefix of RFC 6962
_ABSENT: Final = b"\xff\xff\xff\xff"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIZE_OF_ID: Final = (16).to_bytes(4, "big")
_SIZE_OF_TIME: Final = (8).to_bytes(4, "big")


class AuditRow(NamedTuple):
    """One row of the audit log; a tuple, so that a row of a cursor converts directly.

    `at` has a time zone and counts in microseconds. `details` is a mapping or the text of a JSON object; a verifier
    passes the text, so that JSON which only an attacker could have written fails here with the id of the row.
    """

    id: UUID
    at: datetime
    actor_kind: Text
    actor: Text
    subject: Text
    action: Text
    resource: Text
    outcome: Text
    reason: Text
    ip: str | IPv4Address | IPv6Address | None
    user_agent: Text
    request_id: Text
    details: Mapping[str, object] | str


def encode_row(row: AuditRow) -> bytes:
    """Return the row's canonical bytes. Raises RowNotEncodable, which names the row and not the value."""
    return ROW_HEADER + _encode(row)


def row_leaf(row: AuditRow, stamp: bytes = b"") -> bytes:
    """Return the row's leaf hash (32 bytes, RFC 6962). Raises RowNotEncodable.

    `stamp` is what is stored beside the content, see `stamp_of`. It is sealed with the content but not covered by the
    MAC, which it contains.
    """
    return sha256(_LEAF_HEADER + _encode(row) + stamp).digest()


def stamp_of(mac: bytes, xact: int) -> bytes:
    """Return a row's MAC (see audit.proof.keys) and transaction id (8 bytes), each with its length, for the leaf."""
    return _sized(mac) + _sized(xact.to_bytes(8, "big", signed=True))


def _encode(row: AuditRow) -> bytes:
    try:
        return b"".join(
            (
                _SIZE_OF_ID + row.id.bytes,
                _SIZE_OF_TIME + _microseconds(row.at),
                _word(row.actor_kind),
                _text(row.actor),
                _text(row.subject),
                _word(row.action),
                _text(row.resource),
                _word(row.outcome),
                _word(row.reason),
                _address(row.ip),
                _word(row.user_agent),
                _text(row.request_id),
                _json(row.details),
            )
        )
    except (AttributeError, OverflowError, RecursionError, TypeError, ValueError):
        # The cause stays out of the message and the chain: it may quote the value.
        raise RowNotEncodable(
            f"Audit row {row.id} holds a value that the recorder never writes, so it has no digest."
        ) from None


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _microseconds(at: datetime) -> bytes:
    """Return microseconds since 1970 in UTC as 8 signed bytes, computed with integers because floats would round."""
    since = at - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds).to_bytes(8, "big", signed=True)


def _text(value: Text) -> bytes:
    """Encode a text, or an id as text: a column may change between the two without changing the digest."""
    if value is None:
        return _ABSENT
    if isinstance(value, UUID):
        value = str(value)
    content = str.encode(value)  # unlike value.encode(), raises for anything but text
    return len(content).to_bytes(4, "big") + content


_word = lru_cache(maxsize=1024)(_text)  # for columns with few distinct values


@lru_cache(maxsize=4096)
def _address(value: str | IPv4Address | IPv6Address | None) -> bytes:
    """Encode the packed address (4 or 16 bytes) and the mask's length, which for a single host is 32 or 128."""
    if value is None:
        return _ABSENT
    interface = ip_interface(value)
    if "%" in str(interface):
        raise ValueError("an address with a zone")
    return _sized(interface.packed + bytes([interface.network.prefixlen]))


def _json(value: Mapping[str, object] | str) -> bytes:
    """Encode a JSON object with sorted keys and no white space.

    Numbers with a fraction are rejected: Python and the database round them differently, and details hold ids and field
    names, so such a number is a mistake or a forgery.
    """
    if value == "{}":
        return _EMPTY_OBJECT
    parsed = _parse(value if isinstance(value, str) else json.dumps(dict(value)))
    if not isinstance(parsed, dict):
        raise TypeError("not an object")
    return _sized(_write(parsed).encode())


def _refuse_number(_: str) -> NoReturn:
    raise ValueError("a number that is not an integer")


@lru_cache(maxsize=4096)
def encoded_details(text: str) -> bytes:
    """Encode the text of a JSON object as in a row. Raises ValueError, TypeError or RecursionError."""
    return _json(text)


_EMPTY_OBJECT: Final = _sized(b"{}")
_parse: Final = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number).decode
_write: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
