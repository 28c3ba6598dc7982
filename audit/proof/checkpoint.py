"""Checkpoints: the sealer's signed statements on a batch of rows, and on everything sealed before it.

Rows are given consecutive positions in the order of sealing, from 1. A checkpoint covers `count` of them from `first`
on by the root of their Merkle tree, and contains the digest of the previous checkpoint, so the newest one, kept outside
the database, covers the whole audit log. Times are only the sealer's claim; order comes from numbers and digests alone,
so a clock set back breaks nothing.
"""

import json
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Self

from audit.errors import CheckpointMalformed
from audit.proof.merkle import HASH_SIZE
from audit.proof.row_digest import ROW_FORMAT
from audit.proof.signing import KEY_ID_SIZE, SIGNATURE_SIZE, SigningKey

FORMAT: Final = 1
GENESIS: Final = bytes(HASH_SIZE)  # the previous digest in the first checkpoint

_LABEL: Final = b"vibe.audit.checkpoint\x00"
_BODY: Final = struct.Struct(f">{len(_LABEL)}sBBQQQ{HASH_SIZE}s{HASH_SIZE}sq{KEY_ID_SIZE}s")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**63 - 1  # of a bigint column
_NUMBERS: Final = ("format", "row_format", "number", "first", "count")
_NAMES: Final = {*_NUMBERS, "root", "previous", "at", "key_id", "signature"}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The content that is signed. Raises CheckpointMalformed for values that no sealer produces."""

    number: int  # from 1, without gaps
    first: int  # position of the first row covered, from 1
    count: int  # rows covered, at least 1
    root: bytes  # 32 bytes, RFC 6962
    previous: bytes  # 32 bytes, digest of the previous checkpoint
    at: datetime  # with a time zone, counts in microseconds
    key_id: bytes  # 8 bytes
    row_format: int = ROW_FORMAT  # how the rows were encoded, so that later formats leave old batches provable

    def __post_init__(self) -> None:
        sizes_fit = (len(self.root), len(self.previous), len(self.key_id)) == (HASH_SIZE, HASH_SIZE, KEY_ID_SIZE)
        counts_fit = all(1 <= value <= _LARGEST for value in (self.number, self.first, self.count, self.last))
        if not sizes_fit or not counts_fit or not 1 <= self.row_format <= 255 or self.at.tzinfo is None:
            raise CheckpointMalformed()

    @classmethod
    def following(cls, previous: "Checkpoint | None", *, root: bytes, count: int, at: datetime, key_id: bytes) -> Self:
        """Return the unsigned checkpoint over the next `count` rows; `previous` is None for the very first."""
        return cls(
            number=previous.number + 1 if previous else 1,
            first=previous.last + 1 if previous else 1,
            count=count,
            root=root,
            previous=previous.digest() if previous else GENESIS,
            at=at,
            key_id=key_id,
        )

    @property
    def last(self) -> int:
        """Return the position of the last row covered; in the newest checkpoint also the number of rows ever sealed."""
        return self.first + self.count - 1

    def encode(self) -> bytes:
        """Return the bytes that are signed: a label, then fields of fixed width, integers big-endian.

        Label and zero byte, format (1 byte), row format (1), number (8), first (8), count (8), root (32),
        previous (32), microseconds since 1970 in UTC (8, signed), key id (8).
        """
        at = (self.at - _EPOCH) // timedelta(microseconds=1)
        return _BODY.pack(
            _LABEL,
            FORMAT,
            self.row_format,
            self.number,
            self.first,
            self.count,
            self.root,
            self.previous,
            at,
            self.key_id,
        )

    def digest(self) -> bytes:
        """Return the 32 bytes by which the next checkpoint refers to this one."""
        return sha256(self.encode()).digest()

    def sign(self, key: SigningKey) -> "SignedCheckpoint":
        """Sign with the key that `key_id` names. Raises ValueError for any other."""
        if key.id != self.key_id:
            raise ValueError("the checkpoint names another key")
        return SignedCheckpoint(self, key.sign(self.encode()))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and its signature (64 bytes). It is not necessarily verified."""

    checkpoint: Checkpoint
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_SIZE:
            raise CheckpointMalformed()

    def to_line(self) -> str:
        """Return one line of JSON without a line feed, for storage outside the database."""
        checkpoint = self.checkpoint
        return json.dumps(
            {
                "format": FORMAT,
                "row_format": checkpoint.row_format,
                "number": checkpoint.number,
                "first": checkpoint.first,
                "count": checkpoint.count,
                "root": checkpoint.root.hex(),
                "previous": checkpoint.previous.hex(),
                "at": checkpoint.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "key_id": checkpoint.key_id.hex(),
                "signature": self.signature.hex(),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what `to_line` wrote; order of keys and white space do not matter. Raises CheckpointMalformed."""
        try:
            fields = json.loads(line, object_pairs_hook=_without_repeats)
            if fields.keys() != _NAMES or _integer(fields["format"]) != FORMAT:
                raise ValueError
            checkpoint = Checkpoint(
                number=_integer(fields["number"]),
                first=_integer(fields["first"]),
                count=_integer(fields["count"]),
                root=_from_hex(fields["root"]),
                previous=_from_hex(fields["previous"]),
                at=_time(fields["at"]),
                key_id=_from_hex(fields["key_id"]),
                row_format=_integer(fields["row_format"]),
            )
            return cls(checkpoint, _from_hex(fields["signature"]))
        except (AttributeError, RecursionError, TypeError, ValueError):
            raise CheckpointMalformed() from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _integer(value: object) -> int:
    if type(value) is not int:  # not isinstance, which accepts true
        raise TypeError
    return value


def _from_hex(value: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]*", value):  # bytes.fromhex also accepts spaces and capitals: allow one spelling only
        raise ValueError
    return bytes.fromhex(value)


def _time(value: str) -> datetime:
    if not _TIME.fullmatch(value):
        raise ValueError
    return datetime.fromisoformat(value)
