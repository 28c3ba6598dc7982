"""Cursors: where a page ended, sealed, so that it cannot be read, altered, or used by others or for another list."""

from __future__ import annotations

import base64
import os
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from vibe.core.crypto.seal import derive
from vibe.core.db.paging import Position, Rank
from vibe.core.errors import InputError

NONCE_BYTES: Final = 12
POSITION: Final = struct.Struct(">q16s")
RANK: Final = struct.Struct(">qq16s")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class CursorInvalid(InputError):
    message = "The cursor is not one of this list. Give back `next` of the page before, or leave it out to begin anew."
    code = "cursor-invalid"


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one person, with what narrows it: what a cursor is bound to."""

    user_id: UUID
    name: str
    narrowed: str = ""

    def cursor(self, end: Position | Rank | None) -> str | None:
        """Seal where a page ended; None where it was the last."""
        if end is None:
            return None
        if isinstance(end, Rank):
            return self._sealed(RANK, microseconds(end.at), end.count, end.id.bytes)
        return self._sealed(POSITION, microseconds(end.at), end.id.bytes)

    def position(self, cursor: str | None) -> Position | None:
        """Open a cursor of this list; None for the beginning. Raises CursorInvalid."""
        if cursor is None:
            return None
        at, row_id = self._opened(POSITION, cursor)
        return Position(at, UUID(bytes=row_id))

    def rank(self, cursor: str | None) -> Rank | None:
        """Open a cursor of a list by rank; None for the beginning. Raises CursorInvalid."""
        if cursor is None:
            return None
        at, count, row_id = self._opened(RANK, cursor)
        return Rank(count, UUID(bytes=row_id), at)

    def _sealed(self, form: struct.Struct, *values: int | bytes) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = cipher(settings.SECRET_KEY).encrypt(nonce, form.pack(*values), self.bound())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def _opened(self, form: struct.Struct, cursor: str) -> tuple[Any, ...]:
        """The time, and what else there is."""
        try:
            given = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
            opened = cipher(settings.SECRET_KEY).decrypt(given[:NONCE_BYTES], given[NONCE_BYTES:], self.bound())
            at, *rest = form.unpack(opened)
            return EPOCH + at * MICROSECOND, *rest
        except (InvalidTag, ValueError, OverflowError, struct.error):
            raise CursorInvalid from None

    def bound(self) -> bytes:
        return self.user_id.bytes + f"{self.name}\0{self.narrowed}".encode()


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - EPOCH) // MICROSECOND


@lru_cache(maxsize=2)
def cipher(secret: str) -> AESGCM:
    """Cursors end when SECRET_KEY changes, as sessions do."""
    return AESGCM(derive(secret.encode(), "cursors"))
