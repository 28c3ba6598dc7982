"""The worker: one procrastinate worker for each class of work, in one process that shares the model.

Each has slots of its own, so a class that is full delays no other. On SIGTERM all stop taking jobs; those that have not
ended shortly before SHUTDOWN_SECONDS are given back, and the process ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from django.conf import settings
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker

from accounts.keys.job_middleware import refuse_wrong_master_key
from stories.processors import fenced
from vibe.core.db.configured import embedded_server
from vibe.core.db.job_classes.failures import note_failure
from vibe.core.db.job_classes.retrying import ClockProofWorker, RetryingManager
from vibe.core.db.job_classes.turns import TakingTurns
from vibe.core.errors import VibeError

GIVING_BACK_SECONDS: Final = 2.0  # of SHUTDOWN_SECONDS
HEARTBEAT_SECONDS: Final = 5.0
SPARE_THREADS: Final = 4  # for what the event loop itself does in threads, such as looking up a host
FORGET: Final = (
    "DELETE FROM job_workers ours WHERE NOT EXISTS (SELECT FROM procrastinate_workers WHERE id = ours.worker_id)"
)
TELL: Final = """
INSERT INTO job_workers (worker_id, queue, slots)
SELECT told.* FROM unnest(%(ids)s::bigint[], %(queues)s::varchar[], %(slots)s::smallint[]) AS told (id, queue, slots)
WHERE EXISTS (SELECT FROM procrastinate_workers WHERE id = told.id)
ON CONFLICT (worker_id) DO UPDATE SET slots = excluded.slots RETURNING worker_id
"""
GIVEN_BACK: Final = (
    # Not by procrastinate's retry, which would count a try. Another job may hold the same queueing lock by now.
    "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, queueing_lock = NULL, abort_requested = false "
    "WHERE status = 'doing' AND worker_id = ANY(%(ids)s)",
    "DELETE FROM procrastinate_workers WHERE id = ANY(%(ids)s)",
)

logger = logging.getLogger(__name__)


class JobManager(RetryingManager, TakingTurns):
    """The manager of jobs of every worker."""


class WorkerStopped(VibeError):
    message = "The worker of a class of work ended by itself, and the others with it. Start it again."
    code = "worker-stopped"


def prepare(app: App) -> None:
    """Give every worker of this app what each needs. For the setting PROCRASTINATE_ON_APP_READY."""
    app.job_manager = JobManager(app.connector)
    app.worker_defaults["task_middleware"] = [*app.worker_defaults["task_middleware"], refuse_wrong_master_key]
    app.worker_defaults["worker_middleware"] = [*app.worker_defaults.get("worker_middleware", []), note_failure]


async def work(app: App, slots: Mapping[str, int], *, wait: bool = True, stopping: asyncio.Event | None = None) -> None:
    """Do the jobs of some classes, with that many slots each, until a signal, or until `stopping` is set.

    Without `wait`, do them until none is due.

    Ends the process if jobs are still running when the time to end is over. Raises WorkerStopped if one of the workers
    ended by itself.
    """
    loop, stopping = asyncio.get_running_loop(), stopping or asyncio.Event()
    # A job runs in a thread of this pool. It is one for all classes, so it has as many threads as there are slots: by
    # default it has four more than the machine has cores, and one class could take all of them.
    loop.set_default_executor(ThreadPoolExecutor(sum(slots.values()) + SPARE_THREADS))
    async with app.open_async():
        workers = [_worker(app, name, number, wait=wait) for name, number in slots.items()]
        running = {asyncio.create_task(worker.run()): worker for worker in workers}  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)  # each has begun, and a stop is heard from here on
        announcing = asyncio.create_task(_announce(app, workers))
        try:
            with _stopped_by_signals(stopping):
                waiting = asyncio.create_task(stopping.wait())
                # One that ends by itself ends the others, unless all are to end when nothing is due.
                ended = list(running) if wait else [asyncio.create_task(_all_ended(running))]
                await asyncio.wait([*ended, waiting], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                fenced.stop()  # a build that runs is ended at once and put back, instead of waited for
                await _end(app, running)
                await asyncio.gather(*running)
        finally:
            announcing.cancel()
            await asyncio.wait([announcing])  # or its connection would stay in a transaction, which holds locks
            fenced.resume()
    if wait and not stopping.is_set():
        raise WorkerStopped()


def _worker(app: App, name: str, number: int, *, wait: bool) -> Worker:
    app.perform_import_paths()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        **app.worker_defaults,
        "queues": [name],
        "name": name,
        "concurrency": number,
        "wait": wait,
        "install_signal_handlers": False,
        # One that ends has only the heartbeats of _end, a little later than usual, and is not dead meanwhile.
        "update_heartbeat_interval": HEARTBEAT_SECONDS,
        "stalled_worker_timeout": 4 * HEARTBEAT_SECONDS,
    }
    return ClockProofWorker(app, **options)


async def _all_ended(running: Mapping[asyncio.Task[None], Worker]) -> None:
    await asyncio.wait(running)


async def _announce(app: App, workers: list[Worker]) -> None:
    """Say which class each worker does, once procrastinate has given it its number, and stop all if one counts as dead.

    A process that was frozen for a while may: its jobs are then taken up by others, and nobody sees what it does.
    """
    while any(worker.worker_id is None for worker in workers):
        await asyncio.sleep(0.05)
    while True:
        with suppress(ConnectorException):  # while the database is away, or not migrated
            await app.connector.execute_query_async(FORGET)
            told = [(each.worker_id, each.worker_name, each.concurrency) for each in workers if each.worker_id]
            ids, queues, slots = (list(column) for column in zip(*told, strict=True)) if told else ([], [], [])
            found = await app.connector.execute_query_all_async(TELL, ids=ids, queues=queues, slots=slots)
            if len(found) < len(ids):
                logger.warning("A worker counts as dead and ends. Its jobs are taken up by another.")
                for worker in workers:
                    worker.stop()  # type: ignore[no-untyped-call]
        await asyncio.sleep(HEARTBEAT_SECONDS)


@contextmanager
def _stopped_by_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set the event on SIGTERM or SIGINT within the block."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        # If nothing here gets to run any more, the system ends the process: nobody handles this signal.
        signal.setitimer(signal.ITIMER_REAL, max(settings.SHUTDOWN_SECONDS, 1))

    handled = []
    for each in (signal.SIGTERM, signal.SIGINT):
        with suppress(RuntimeError, ValueError):  # not in the main thread: whoever started it stops it
            loop.add_signal_handler(each, stop)
            handled.append(each)
    try:
        yield
    finally:
        for each in handled:
            loop.remove_signal_handler(each)


async def _end(app: App, running: Mapping[asyncio.Task[None], Worker]) -> None:
    """Let the jobs in hand end; when the time is over, give them back and end the process."""
    for worker in running.values():
        worker.stop()  # type: ignore[no-untyped-call]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + max(settings.SHUTDOWN_SECONDS - GIVING_BACK_SECONDS, 0)
    while left := [task for task in running if not task.done()]:
        await asyncio.wait(left, timeout=min(HEARTBEAT_SECONDS, max(deadline - loop.time(), 0)))
        ids = [worker.worker_id for worker in running.values() if worker.worker_id is not None]
        if not ids:
            return
        if loop.time() >= deadline:
            await _give_back(app, ids)
            if server := embedded_server():
                server.release()
            logging.shutdown()
            os._exit(0)  # a thread cannot be stopped, and its transaction ends with its connection
        with suppress(TimeoutError):  # while the database is away
            async with asyncio.timeout_at(deadline):
                for each in ids:
                    await app.job_manager.update_heartbeat(each)


async def _give_back(app: App, ids: list[int]) -> None:
    """Give the jobs of these workers back. Without the database they are taken up once the workers count as dead."""
    logger.warning("Jobs were still running after SHUTDOWN_SECONDS, and are given back.")
    try:
        async with asyncio.timeout(GIVING_BACK_SECONDS / 2):
            for statement in GIVEN_BACK:
                await app.connector.execute_query_async(statement, ids=ids)
    except Exception as problem:
        logger.warning("They could not be given back (%s): another worker takes them up.", type(problem).__name__)
