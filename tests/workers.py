"""Workers of jobs: rows of those that live elsewhere, and one that runs in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import connection
from procrastinate.contrib.django import app

from tests.processes import PATIENCE
from vibe.core.db.job_classes.classes import CLASSES
from vibe.serving.worker import work


def register_workers(*classes: str) -> None:
    """A living worker of each of these classes, of all without any."""
    with connection.cursor() as cursor:
        for name in classes or CLASSES:
            cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
            cursor.execute(
                "INSERT INTO job_workers (worker_id, queue, slots) VALUES (%s, %s, 1)", [*cursor.fetchone(), name]
            )


@contextmanager
def at_work(slots: Mapping[str, int], *, shared: int = 0) -> Iterator[threading.Event]:
    """`manage.py worker` for the block; with `shared`, procrastinate's own worker, whose slots all classes share.

    Yields an event that is set once it has ended. What ended it is raised at the end of the block.
    """
    loop, stopping, ended = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    problems: list[BaseException] = []

    async def share() -> None:
        async with app.open_async():
            options = {"concurrency": shared, "queues": list(CLASSES), "install_signal_handlers": False}
            working = asyncio.create_task(app.run_worker_async(**options))  # type: ignore[arg-type]
            await stopping.wait()
            working.cancel()
            await asyncio.wait([working])

    def go() -> None:
        try:
            loop.run_until_complete(share() if shared else work(app, slots, stopping=stopping))
            loop.run_until_complete(loop.shutdown_default_executor())
        except BaseException as problem:
            problems.append(problem)
        finally:
            ended.set()

    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield ended
        finally:
            loop.call_soon_threadsafe(stopping.set)
            thread.join(PATIENCE)
            loop.close()
    for problem in problems:
        raise problem
