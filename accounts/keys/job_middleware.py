"""Job middleware that refuses to work, and to write, when the master keys open nothing of the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import OperationalError

from accounts.keys.errors import WrongMasterKey
from accounts.keys.master_key import require_known_fit


class JobRefused(WrongMasterKey, OperationalError):
    message = "The configured master keys open none of the stored data keys. Another worker tries this job again."


def refuse_wrong_master_key(work: Callable[[], Any], _context: Any, worker: Any) -> Any:
    """Run a job, as a procrastinate middleware, or stop the worker: its next start reports the reason."""
    try:
        require_known_fit()
    except WrongMasterKey as problem:
        worker.stop()
        raise JobRefused(str(problem)) from None
    return work()
