"""Where a page of a list ended, sealed: it can be given back, not read or altered, nor used by others or elsewhere."""

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
from django.db.models import Q

from vibe.crypto.derive import derive
from vibe.errors import InputError

NONCE_BYTES: Final = 12
PLACE: Final = struct.Struct(">q16s")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class CursorInvalid(InputError):
    """The cursor is not one of this list. Give back `next` of the page before, or leave it out to begin anew."""

    code = "cursor-invalid"


@dataclass(frozen=True, slots=True)
class Place:
    """The time and id of the last row of a page."""

    at: datetime
    id: UUID

    def older(self, column: str) -> Q:
        """Rows behind it, newest first. The index is entered at this time; only its neighbours are compared by id."""
        return Q(**{f"{column}__lte": self.at}) & (Q(**{f"{column}__lt": self.at}) | Q(id__lt=self.id))

    def newer(self, column: str) -> Q:
        """Rows behind it, oldest first."""
        return Q(**{f"{column}__gte": self.at}) & (Q(**{f"{column}__gt": self.at}) | Q(id__gt=self.id))


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one person, with what narrows it: what a cursor is bound to."""

    user_id: UUID
    name: str
    narrowed: str = ""

    def cursor(self, row: Any, column: str) -> str:
        """The place behind this row."""
        at = (getattr(row, column) - EPOCH) // MICROSECOND
        nonce = os.urandom(NONCE_BYTES)
        sealed = cipher(settings.SECRET_KEY).encrypt(nonce, PLACE.pack(at, row.id.bytes), self.bound())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def place(self, cursor: str | None) -> Place | None:
        """What a cursor of this list says; None for the beginning. Raises CursorInvalid."""
        if cursor is None:
            return None
        try:
            given = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
            opened = cipher(settings.SECRET_KEY).decrypt(given[:NONCE_BYTES], given[NONCE_BYTES:], self.bound())
            at, row_id = PLACE.unpack(opened)
            return Place(EPOCH + at * MICROSECOND, UUID(bytes=row_id))
        except (InvalidTag, ValueError, OverflowError, struct.error):
            raise CursorInvalid from None

    def bound(self) -> bytes:
        return self.user_id.bytes + f"{self.name}\0{self.narrowed}".encode()


@lru_cache(maxsize=2)
def cipher(secret: str) -> AESGCM:
    """Cursors end when SECRET_KEY changes, as sessions do."""
    return AESGCM(derive(secret.encode(), "cursors"))
