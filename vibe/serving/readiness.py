"""Readiness of this process: the database answers and is migrated, the keys fit it, each class of work has a worker and
is not late, and no erased person is back.

Load balancers check it every few seconds, so it takes a few small statements and is cached for a moment. It is public,
so a reason names no host, user or id; `manage.py doctor` shows those.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.erasure.services import unfinished_erasures
from accounts.keys.errors import KeyServiceRefuses
from accounts.keys.master_key import Fit, check_stored_keys, ring
from accounts.keys.providers.service_key import ServiceKey
from audit.middleware import no_personal_data
from vibe.core.db import citus_nodes
from vibe.core.db.health.connections import has_unnamed_pooler
from vibe.core.db.job_classes.reporting import ClassState, read_states
from vibe.core.db.scopes import as_system
from vibe.core.errors import VibeError
from vibe.serving.preparing import pending

REMEMBERED_SECONDS = 1.0
UNKNOWN = "Not asked: the database does not answer."

_asked = threading.Lock()
_seen_erased = threading.Event()
_seen_server = threading.Event()
_remembered: tuple[float, dict[str, str]] = (0.0, {})


def unready() -> dict[str, str]:
    """Return for each check the reason why it fails, or an empty string. Results may be a second old."""
    global _remembered  # noqa: PLW0603  one for the process, on purpose
    with _asked:
        if time.monotonic() - _remembered[0] > REMEMBERED_SECONDS or not _remembered[1]:
            _remembered = (time.monotonic(), ask())
        return _remembered[1]


def ask() -> dict[str, str]:
    """Run all checks now."""
    reasons = {"database": reason(database)}
    checks = (
        ("pooler", pooler),
        ("migrations", migrations),
        ("keys", keys),
        ("key_service", key_service),
        ("erased", erased),
        ("worker", worker),
        ("jobs", jobs),
        ("nodes", nodes),
    )
    for name, check in checks:
        reasons[name] = UNKNOWN if reasons["database"] else reason(check)
    return reasons


def stops_serving(reasons: dict[str, str]) -> bool:
    """Return whether requests should go elsewhere.

    A missing worker counts only with READY_NEEDS_WORKER. Late jobs never do: sending requests elsewhere helps none. Nor
    does a pooler: in session mode it is no fault. Nor does a key service that is away: who was opened lately goes on.
    Nor does a node of a cluster: who has no rows on it goes on.
    """
    spared = {"jobs", "pooler", "key_service", "nodes", *([] if settings.READY_NEEDS_WORKER else ["worker"])}
    return any(reasons[name] for name in reasons.keys() - spared)


def reason(check: Callable[[], str]) -> str:
    """Return the result of a check, or that it could not run."""
    try:
        return check()
    except (VibeError, DatabaseError) as problem:
        if citus_nodes.some_away():
            return ""  # `nodes` says so
        return f"This could not be asked ({type(problem).__name__}). Run: manage.py doctor"


def database() -> str:
    """Check that the database answers a statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def pooler() -> str:
    """Check that no pooler is before the server that DATABASE_POOLER does not name, until that is seen once."""
    if not _seen_server.is_set() and not has_unnamed_pooler():
        _seen_server.set()
    return "" if _seen_server.is_set() else "DATABASE_URL leads through a pooler. Set DATABASE_POOLER=on."


def migrations() -> str:
    """Check that no migration is pending."""
    missing = len(pending())
    return f"Pending migrations: {missing}. Run: manage.py migrate" if missing else ""


def keys() -> str:
    """Check that the configured master keys open stored data keys, if there are any."""
    if citus_nodes.some_away():
        return ""  # they are on all nodes
    if check_stored_keys() is Fit.OPENS_NOTHING:
        return (
            "ENCRYPTION_KEY and ENCRYPTION_KEYS_RETIRED open none of the stored data keys, so requests are refused. "
            "Set ENCRYPTION_KEY back to the right key. Run: manage.py doctor"
        )
    current = ring().current
    if isinstance(current, ServiceKey) and isinstance(current.check(), KeyServiceRefuses):
        return "The key service refuses the master key, so nothing opens. Run: manage.py doctor"
    return ""


def key_service() -> str:
    """Check that the key services of all master keys answer."""
    failed = any(isinstance(key, ServiceKey) and key.check() for key in ring().keys)
    return (
        "A key service gives no keys: who was not opened lately is answered 503. Run: manage.py doctor"
        if failed
        else ""
    )


def erased() -> str:
    """Check that no erased person is back. Only a restore changes that, so the check runs until it passes once."""
    if not _seen_erased.is_set() and not unfinished_erasures():
        _seen_erased.set()
    return "" if _seen_erased.is_set() else "Erased people are in the database again. Run: manage.py erase_again"


def worker() -> str:
    """Check that each class of work has a worker with a recent heartbeat."""
    states = job_states()
    stopped = [state for state in states if not state.workers]
    if stopped == states:
        return "No worker is running. Start one: manage.py worker"
    names = ",".join(state.name for state in stopped)
    return f"{reasons_of(stopped)}. Start a worker: manage.py worker --classes {names}" if stopped else ""


def jobs() -> str:
    """Check that no class of work is late."""
    late = [state for state in job_states() if state.is_late]
    return f"{reasons_of(late)}. Run: manage.py doctor" if late else ""


def nodes() -> str:
    """Check that no worker of a cluster was found away."""
    return "A node of the cluster does not answer. Run: manage.py doctor" if citus_nodes.known.away else ""


def reasons_of(states: list[ClassState]) -> str:
    """Return classes with the reason why each has stopped or is late, in one line."""
    return "; ".join(f"{state.name}: {state.why}" for state in states)


def job_states() -> list[ClassState]:
    """Return how each class of work does."""
    with as_system():
        return read_states()


@no_personal_data
@require_safe
@never_cache
def livez(_: HttpRequest) -> JsonResponse:
    """Return 200 without any check: an unavailable database is no reason to restart this process."""
    return JsonResponse({"alive": True})


@no_personal_data
@require_safe
@never_cache
def readyz(_: HttpRequest) -> JsonResponse:
    """Return 200 when requests can be served, else 503, with the result of every check."""
    reasons = unready()
    stops = stops_serving(reasons)
    checks = {name: {"ok": False, "why": why} if why else {"ok": True} for name, why in reasons.items()}
    return JsonResponse({"ready": not stops, "checks": checks}, status=503 if stops else 200)
