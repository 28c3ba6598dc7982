"""When periodic jobs are started: at the newest time that has come, by whatever clock there is.

procrastinate starts a job for every time since the last one it knows. After the clock was set forward, or the machine
slept, those are many: a day's sleep makes 17,000 of a job that comes every five seconds, for each worker. After the
clock was set back it starts none until the clock is there again.
"""

from __future__ import annotations

from collections.abc import Iterable

from procrastinate.periodic import PeriodicDeferrer, TaskAtTime
from procrastinate.worker import Worker


class NewestTime(PeriodicDeferrer):
    """procrastinate's starter of periodic jobs, which passes over the times that were missed but for the newest."""

    def get_previous_tasks(self, at: float) -> Iterable[TaskAtTime]:
        """Give each periodic job that is to be started at `at`, in seconds since 1970, with the time it is for.

        A time that is long over counts only if it came after the last one: a job of the night comes after a sleep, not
        again after the clock was set back.
        """
        for key, task in self.registry.periodic_tasks.items():
            newest, last = round(task.croniter.get_prev(ret_type=float, start_time=at)), self.last_defers.get(key)
            is_recent = at - newest <= self.max_delay
            if newest != last and (is_recent or (last is not None and newest > last)):
                self.last_defers[key] = newest
                yield task, newest


class ClockProofWorker(Worker):
    """procrastinate's worker, which starts periodic jobs so."""

    async def _periodic_deferrer(self) -> None:
        await NewestTime(self.app.periodic_registry, **self.app.periodic_defaults).worker()
