"""How jobs failed, by the codes of their errors: the last failure of each class of work, and of each job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext

from vibe.core.errors import VibeError

NOTE: Final = (
    "WITH of_class AS ("
    "INSERT INTO job_failures (queue, task, code, at) VALUES (%(queue)s, %(task)s, %(code)s, now()) "
    "ON CONFLICT (queue) DO UPDATE SET task = excluded.task, code = excluded.code, at = excluded.at) "
    "INSERT INTO job_errors (job_id, code, at) SELECT id, %(code)s, now() FROM procrastinate_jobs WHERE id = %(job)s "
    "ON CONFLICT (job_id) DO UPDATE SET code = excluded.code, at = excluded.at"
)
NOT_NOTED: Final = "No reason was noted: the worker died while it ran, or it failed before reasons were noted."


async def note_failure(work: Callable[[], Awaitable[Any]], context: JobContext, _worker: Any) -> Any:
    """Run a job, as a procrastinate middleware, and note how it failed, if it does."""
    try:
        return await work()
    except Exception as problem:
        with suppress(ConnectorException):  # the database may be what failed
            await context.app.connector.execute_query_async(
                NOTE,
                queue=context.job.queue,
                task=context.job.task_name,
                code=code_of(problem)[:200],
                job=context.job.id,
            )
        raise


def code_of(problem: Exception) -> str:
    """Return what an error says of its cause, else its code, else its type. Never its text, which may hold content."""
    return str(getattr(problem, "cause", "") or getattr(problem, "code", "") or type(problem).__name__)


def code_in_words(code: str) -> str:
    """Return what the code of a failure means: the message of its error's class, which holds nothing of anybody."""
    if not code:
        return NOT_NOTED
    return _messages().get(code) or f"A fault of the program ({code}). The log of the worker names the job."


@cache
def _messages() -> dict[str, str]:
    """Return the message of each error by its code."""
    found: dict[str, str] = {}
    new = [VibeError]
    while new:
        kind = new.pop()
        new += kind.__subclasses__()
        found.setdefault(kind.code, kind.message)
    return found
