"""Job middleware that ends fenced builds when their worker is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from stories.processors import fenced


async def stop_builds_with_worker(work: Callable[[], Awaitable[Any]], _context: Any, worker: Any) -> Any:
    """Run a job, as a procrastinate worker middleware; on SIGTERM, end its child at once instead of waiting for it.

    A worker that runs once (`--one-shot`) stops as soon as no further job waits: its last ones are to be done.
    """
    if not worker.wait:
        return await work()
    stopping = asyncio.ensure_future(worker._stop_event.wait())  # it has no public way to wait for that
    stopping.add_done_callback(lambda stop: None if stop.cancelled() else fenced.stop())
    try:
        return await work()
    finally:
        stopping.cancel()
