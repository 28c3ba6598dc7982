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

from vibe.core.crypto.derive import derive
from vibe.core.errors import InputError

NONCE_BYTES: Final = 12
PLACE: Final = struct.Struct(">q16s")
RANK: Final = struct.Struct(">qq16s")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class CursorInvalid(InputError):
    message = "The cursor is not one of this list. Give back `next` of the page before, or leave it out to begin anew."
    code = "cursor-invalid"


@dataclass(frozen=True, slots=True)
class Position:
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
class Rank:
    """The count and id of the last row of a page of a list that is ordered by how many, as they were at one moment."""

    count: int
    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one person, with what narrows it: what a cursor is bound to."""

    user_id: UUID
    name: str
    narrowed: str = ""

    def cursor(self, row: Any, column: str) -> str:
        """The place behind this row."""
        return self._sealed(PLACE, microseconds(getattr(row, column)), row.id.bytes)

    def place(self, cursor: str | None) -> Position | None:
        """What a cursor of this list says; None for the beginning. Raises CursorInvalid."""
        if cursor is None:
            return None
        at, row_id = self._opened(PLACE, cursor)
        return Position(at, UUID(bytes=row_id))

    def cursor_behind(self, rank: Rank) -> str:
        """The place behind this rank."""
        return self._sealed(RANK, microseconds(rank.at), rank.count, rank.id.bytes)

    def rank(self, cursor: str | None) -> Rank | None:
        """What a cursor of a list by rank says; None for the beginning. Raises CursorInvalid."""
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
