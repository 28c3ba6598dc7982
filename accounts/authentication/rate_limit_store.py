"""Where the buckets of requests are kept: in PostgreSQL, or in Django's cache."""

from __future__ import annotations

import time
from functools import cache
from typing import Final

from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.db.models.functions import Now

from accounts.models import RateLimit
from vibe.core.db.roles import SIGN_IN
from vibe.core.db.scopes import OUTSIDE, as_system, current_scope
from vibe.core.db.statements.batching import set_role_sql
from vibe.core.http.rate_limits import Buckets, Rate, RateLimitResult

# One statement counts the request and says how it stands; what would not fit leaves the moment where it is. None is
# further off than an empty bucket's: that one was written by a clock which has been set back since.
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


class PostgresBuckets:
    """Shared by all processes. One round trip and, outside of one, a transaction: what is sent as one text is one.

    That one is not waited for until it is on disk: what a crash may lose is some tenths of a second of counting.
    """

    def take(self, name: str, rate: Rate) -> RateLimitResult:
        outside = current_scope() is OUTSIDE
        if not connection.in_atomic_block:
            statement = f"SET LOCAL synchronous_commit = off; {set_role_sql(SIGN_IN)}; {TAKE}"
        else:
            statement = f"{set_role_sql(SIGN_IN)}; {TAKE}; {set_role_sql('none')}" if outside else TAKE
        with connection.cursor() as cursor:
            cursor.execute(statement, {"name": name[:100], "step": rate.step, "span": rate.span})
            while cursor.description is None:
                cursor.nextset()
            until_full, refused = cursor.fetchone()
        return RateLimitResult(rate, max(0.0, until_full), refused)


class CacheBuckets:
    """In Django's cache, whose `incr` counts two at once as two: shared as far as that cache is.

    The moment is kept in microseconds. A bucket that was full begins anew, and requests that come in the very moment it
    does may be counted as one.
    """

    def take(self, name: str, rate: Rate) -> RateLimitResult:
        store, name = caches["default"], f"limit:{name}"
        step, span, now = round(rate.step * 1e6), round(rate.span * 1e6), time.time_ns() // 1000
        lasts = span // 1_000_000 + 60
        store.add(name, now, lasts)
        try:
            full_at = store.incr(name, step)
        except ValueError:  # it went in between
            store.set(name, full_at := now + step, lasts)
        if full_at - step < now:
            store.set(name, full_at := now + step, lasts)
        if full_at - now > span:
            store.decr(name, step)
            return RateLimitResult(rate, (full_at - step - now) / 1e6, self.refusals(name, lasts))
        store.delete(f"{name}:refused")
        store.touch(name, lasts)
        return RateLimitResult(rate, (full_at - now) / 1e6)

    @staticmethod
    def refusals(name: str, lasts: int) -> int:
        """How many refusals in a row, this one included."""
        counter = f"{name}:refused"
        caches["default"].add(counter, 0, lasts)
        try:
            return caches["default"].incr(counter)
        except ValueError:
            return 1


def forget_full() -> int:
    """Drop the rows of buckets that are full again. How many."""
    with as_system():
        return RateLimit.objects.filter(full_at__lt=Now())._raw_delete("default")


@cache
def made(store: str) -> Buckets:
    return CacheBuckets() if store == "cache" else PostgresBuckets()


def buckets() -> Buckets:
    """The store that API_LIMIT_STORE names."""
    return made(settings.API_LIMIT_STORE)
