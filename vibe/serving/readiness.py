"""Whether this process can serve: the database answers, is migrated, the keys are its keys, a worker lives, and nobody
who was erased is there again.

Asked every few seconds by whatever routes requests here, so it is a handful of small statements, remembered for a
moment. Anybody may ask, so a reason names no host, user or id; `manage.py doctor` says those.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection

from accounts.erasure.services import unfinished_erasures
from accounts.keys.master_key import Fit, check_stored_keys
from vibe.core.db.scopes import as_system
from vibe.core.errors import VibeError
from vibe.serving.migrating import pending

REMEMBERED_SECONDS = 1.0
ALIVE_SECONDS = 45  # a worker tells that it lives every ten
UNKNOWN = "Not asked: the database does not answer."

_asked = threading.Lock()
_seen_erased = threading.Event()
_remembered: tuple[float, dict[str, str]] = (0.0, {})


def unready() -> dict[str, str]:
    """For each thing that is needed, why it is not there; empty where it is. The answer may be a second old."""
    global _remembered  # noqa: PLW0603  one for the process is the point
    with _asked:
        if time.monotonic() - _remembered[0] > REMEMBERED_SECONDS or not _remembered[1]:
            _remembered = (time.monotonic(), ask())
        return _remembered[1]


def ask() -> dict[str, str]:
    """The same, asked now."""
    reasons = {"database": reason(database)}
    for name, check in (("migrations", migrations), ("keys", keys), ("erased", erased), ("worker", worker)):
        reasons[name] = UNKNOWN if reasons["database"] else reason(check)
    return reasons


def stops_serving(reasons: dict[str, str]) -> bool:
    """Whether requests should go elsewhere. Without a worker they are answered well, unless it is told otherwise."""
    return any(why for name, why in reasons.items() if name != "worker" or settings.READY_NEEDS_WORKER)


def reason(check: Callable[[], str]) -> str:
    """What a check says, or that it could not be made."""
    try:
        return check()
    except (VibeError, DatabaseError) as problem:
        return f"This could not be asked ({type(problem).__name__}). Run: manage.py doctor"


def database() -> str:
    """A statement is answered."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def migrations() -> str:
    """Everything this code needs is applied."""
    missing = len(pending())
    return f"Pending migrations: {missing}. Run: manage.py migrate" if missing else ""


def keys() -> str:
    """The configured master keys are those of this database, or it holds no data keys yet."""
    if check_stored_keys() is Fit.OPENS_NOTHING:
        return (
            "ENCRYPTION_KEY and ENCRYPTION_KEYS_RETIRED open none of the stored data keys, so requests are refused. "
            "Set ENCRYPTION_KEY back to the right key. Run: manage.py doctor"
        )
    return ""


def erased() -> str:
    """Nobody who was erased is there again. Only a restore could change that, so a process asks until it is so once."""
    if not _seen_erased.is_set() and not unfinished_erasures():
        _seen_erased.set()
    return "" if _seen_erased.is_set() else "Erased people are in the database again. Run: manage.py erase_again"


def worker() -> str:
    """At least one worker has told of late that it lives."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)",
            [ALIVE_SECONDS],
        )
        return "" if cursor.fetchone()[0] else "No worker is running. Start one: manage.py procrastinate worker"
