"""The last failure of each class of work, by its code: shown where a class has stopped or is late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext

NOTE: Final = (
    "INSERT INTO job_failures (queue, task, code, at) VALUES (%(queue)s, %(task)s, %(code)s, now()) "
    "ON CONFLICT (queue) DO UPDATE SET task = excluded.task, code = excluded.code, at = excluded.at"
)


async def note_failure(work: Callable[[], Awaitable[Any]], context: JobContext, _worker: Any) -> Any:
    """Run a job, as a procrastinate middleware, and note how it failed, if it does."""
    try:
        return await work()
    except Exception as problem:
        with suppress(ConnectorException):  # the database may be what failed
            await context.app.connector.execute_query_async(
                NOTE, queue=context.job.queue, task=context.job.task_name, code=code_of(problem)
            )
        raise


def code_of(problem: Exception) -> str:
    """Return what an error says of its cause, else its code, else its type. Never its text, which may hold content."""
    return str(getattr(problem, "cause", "") or getattr(problem, "code", "") or type(problem).__name__)
