"""Jobs taken by a worker whose master keys open nothing of its database are refused, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import OperationalError

from accounts.keys.errors import WrongMasterKey


class JobRefused(WrongMasterKey, OperationalError):
    message = "The configured master keys open none of the stored data keys. Another worker tries this job again."


def refuse_wrong_master_key(work: Callable[[], Any], _context: Any, worker: Any) -> Any:
    """Do a job, as a middleware of procrastinate's, or end the worker: its next start says why."""
    from accounts.keys.master_key import require_known_fit  # noqa: PLC0415  the settings name this, before models

    try:
        require_known_fit()
    except WrongMasterKey as problem:
        worker.stop()
        raise JobRefused(str(problem)) from None
    return work()
