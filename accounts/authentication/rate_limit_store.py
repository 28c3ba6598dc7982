"""Count requests in PostgreSQL: one bucket for each person, API key and unknown address."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from accounts.models import RateLimit
from vibe.core.db.roles import SIGN_IN
from vibe.core.db.scopes import OUTSIDE, as_system, current_scope
from vibe.core.db.statements.batching import set_role_sql
from vibe.core.from_settings import from_settings
from vibe.core.http.rate_limits import Rate, RateLimitResult

RATES: Final = ("API_LIMIT_PERSON", "API_LIMIT_KEY", "API_LIMIT_STRANGER")
# One statement counts the request and returns the state of the bucket. A refused request leaves full_at unchanged. A
# full_at beyond that of an empty bucket was written before the clock was set back, and is capped.
THERE: Final = "least(kept.full_at, statement_timestamp() + %(span)s * interval '1 second')"
NEXT: Final = f"greatest({THERE}, statement_timestamp()) + %(step)s * interval '1 second'"
FITS: Final = f"{NEXT} <= statement_timestamp() + (%(span)s + 0.001) * interval '1 second'"
TAKE: Final = (
    "INSERT INTO rate_limits AS kept (name, full_at, refused) "  # noqa: S608
    "VALUES (%(name)s, statement_timestamp() + %(step)s * interval '1 second', 0) "
    f"ON CONFLICT (name) DO UPDATE SET full_at = CASE WHEN {FITS} THEN {NEXT} ELSE {THERE} END, "
    f"refused = CASE WHEN {FITS} THEN 0 ELSE least(kept.refused + 1, 2000000000) END "
    "RETURNING extract(epoch FROM full_at - statement_timestamp())::float8, refused"
)


def take(name: str, rate: Rate, cost: int = 1) -> RateLimitResult:
    """Count one request in the bucket of this name, exactly even when two come at once.

    It counts for `cost` requests, but never for more than may come at once: it would not be let in at all.

    Take one round trip: outside a transaction, the statements of one text are a transaction of their own. Do not wait
    for its commit to reach the disk: a crash may lose some tenths of a second of counting.
    """
    outside = current_scope() is OUTSIDE
    if not connection.in_atomic_block:
        statement = f"SET LOCAL synchronous_commit = off; {set_role_sql(SIGN_IN)}; {TAKE}"
    else:
        statement = f"{set_role_sql(SIGN_IN)}; {TAKE}; {set_role_sql('none')}" if outside else TAKE
    cost = min(cost, rate.burst)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"name": name[:100], "step": cost * rate.step, "span": rate.span})
        while cursor.description is None:
            cursor.nextset()
        until_full, refused = cursor.fetchone()
    return RateLimitResult(rate, max(0.0, until_full), refused, cost)


def forget_full() -> int:
    """Delete the buckets that are full again, and return how many there were."""
    with as_system():
        return RateLimit.objects.filter(full_at__lt=Now())._raw_delete("default")


@from_settings
def rates() -> dict[str, Rate | None]:
    """Return the limits of the settings by their names; None is no limit. Raises ConfigurationError."""
    return {name: Rate.parse(name, getattr(settings, name)) for name in RATES}
