"""Tokens of a person and day, counted in PostgreSQL, so that all processes together keep to them.

A call reserves what it may take before it is sent, and afterwards settles what it took. A process that is killed
between the two leaves the reservation standing: the count errs to the safe side, and begins anew at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from stories.processors.openai_compatible.errors import TokensBusy, TokensSpent
from vibe.core.db.errors import ContextError
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user

RESERVE = """
INSERT INTO token_use (id, user_id, day, tokens) VALUES (%s, %s, %s, %s)
ON CONFLICT (user_id, day) DO UPDATE SET tokens = token_use.tokens + excluded.tokens
WHERE token_use.user_id = excluded.user_id AND token_use.tokens + excluded.tokens <= %s
"""
SETTLE = "UPDATE token_use SET tokens = greatest(0, tokens + %s) WHERE user_id = %s AND day = %s"
SPENT = "SELECT tokens FROM token_use WHERE user_id = %s AND day = %s"
SERIALIZATION_FAILURE = "40001"
BYTES_A_TOKEN = 3
"""Of UTF-8; most texts have 3 to 4. Only a guess, until the service says what it took."""

_spender: ContextVar[UUID | None] = ContextVar("spender", default=None)


@contextmanager
def spending_for(user_id: UUID) -> Iterator[None]:
    """Whose tokens are spent inside. Costs nothing for processors that spend none."""
    token = _spender.set(user_id)
    try:
        yield
    finally:
        _spender.reset(token)


class Reservation:
    """Tokens taken from a person's day before it is known how many it will be."""

    def __init__(self, user_id: UUID | None, day: date, reserved: int) -> None:
        self.user_id = user_id
        self.day = day
        self.reserved = reserved

    def settle(self, used: int | None) -> None:
        """Count what it took instead of what was reserved; None where nobody knows, which leaves it at that."""
        if self.user_id is None or used is None or used == self.reserved:
            return
        with as_user(self.user_id), connection.cursor() as cursor:
            cursor.execute(SETTLE, [used - self.reserved, self.user_id, self.day])
        self.reserved = used


def reserve(tokens: int, limit: int) -> Reservation:
    """Take tokens from the day of whoever is spent for; a limit of 0 is none, and nothing is counted.

    Raises TokensSpent when the day has not that many left, ContextError when nobody said whose they are, TokensBusy
    inside a transaction that began before another one counted.
    """
    day = timezone.now().astimezone(UTC).date()
    if not limit:
        return Reservation(None, day, tokens)
    user_id = _spender.get()
    if user_id is None:
        raise ContextError(
            "This spends a person's tokens: enter spending_for() first, or set OPENAI_DAILY_TOKENS to 0."
        )
    if tokens > limit or not reserved(user_id, day, tokens, limit):
        raise TokensSpent(
            f"The tokens of person {user_id} for {day} are spent, or too few are left: {tokens} are needed. They begin "
            f"anew at midnight UTC; OPENAI_DAILY_TOKENS is {limit}.",
            again_at=datetime.combine(day + timedelta(days=1), time(), UTC),
        )
    return Reservation(user_id, day, tokens)


def reserved(user_id: UUID, day: date, tokens: int, limit: int) -> bool:
    """Count tokens if the day has them left, in one statement: two processes cannot both take the last ones."""
    try:
        with transaction.atomic(), as_user(user_id), connection.cursor() as cursor:
            cursor.execute(RESERVE, [uuid7(), user_id, day, tokens, limit])
            return bool(cursor.rowcount)
    except OperationalError as problem:
        if getattr(problem.__cause__, "sqlstate", None) != SERIALIZATION_FAILURE:
            raise
    raise TokensBusy


def spent(user_id: UUID, day: date) -> int:
    """Tokens counted for a person's day."""
    with as_user(user_id), connection.cursor() as cursor:
        cursor.execute(SPENT, [user_id, day])
        row = cursor.fetchone()
    return row[0] if row else 0


def estimated(*texts: str) -> int:
    """About how many tokens texts are, at most."""
    return sum(len(text.encode("utf-8", "replace")) for text in texts) // BYTES_A_TOKEN + 1
