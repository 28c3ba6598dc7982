"""Within a class people take turns: somebody's hundred jobs do not make the next person wait for all of them.

procrastinate takes the oldest job of the highest priority. Its `lock` would hold a person to one job at a time, but
two people with long backlogs would still keep a third waiting, and a job that is to be tried again later would hold up
everything else of its person. So this module fetches with a statement of its own: first the person who holds the fewest
slots of the class, then who was served longest ago, then the oldest job. tests/test_turns.py compares the rest of the
statement with procrastinate's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from procrastinate.jobs import Job
from procrastinate.manager import JobManager

REMEMBERED: Final = 1000  # people served while others waited
LOOKED_AT: Final = 5000  # of the jobs that are due, those that come first by procrastinate's order: it bounds the cost
TRIED: Final = 20  # of those, in case other workers take the first ones in this moment
PERSON: Final = "user_id"  # the argument that says whose job it is
FETCH: Final = """
WITH waiting AS MATERIALIZED (
    SELECT id, priority, args ->> 'user_id' AS person FROM procrastinate_jobs job
    WHERE status = 'todo' AND queue_name = ANY(%(queues)s::varchar[])
      AND (scheduled_at IS NULL OR scheduled_at <= now())
      AND (lock IS NULL OR NOT EXISTS (
          SELECT FROM procrastinate_jobs other
          WHERE other.lock = job.lock AND (other.status = 'doing' OR (
              other.status = 'todo' AND (other.priority, -other.id) > (job.priority, -job.id)))))
    ORDER BY priority DESC, id LIMIT %(looked_at)s
), busy AS (
    SELECT args ->> 'user_id' AS person, count(*) AS held FROM procrastinate_jobs
    WHERE status = 'doing' AND queue_name = ANY(%(queues)s::varchar[]) GROUP BY 1
), served AS (
    SELECT * FROM unnest(%(served)s::text[]) WITH ORDINALITY AS each (person, turn)
), ranked AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY priority DESC, coalesce(held, 0), coalesce(turn, 0), id) AS rank
    FROM waiting LEFT JOIN busy USING (person) LEFT JOIN served USING (person) ORDER BY rank LIMIT %(tried)s
), candidate AS MATERIALIZED (
    SELECT job.id FROM procrastinate_jobs job JOIN ranked USING (id) WHERE job.status = 'todo'
    ORDER BY rank LIMIT 1 FOR UPDATE OF job SKIP LOCKED
)
UPDATE procrastinate_jobs job SET status = 'doing', worker_id = %(worker_id)s
FROM candidate WHERE job.id = candidate.id
RETURNING job.id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
"""


class TakingTurns(JobManager):
    """procrastinate's manager of jobs, which fetches for a worker of named queues by turns."""

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._served: dict[tuple[str, ...], dict[str, None]] = {}  # the last served is the last

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job and return it, or None if none is due."""
        if queues is None:
            return await super().fetch_job(queues, worker_id)
        names = tuple(queues)
        served = self._served.setdefault(names, {})
        found = await self.connector.execute_query_all_async(
            FETCH,
            queues=list(names),
            served=list(served),
            worker_id=worker_id,
            looked_at=LOOKED_AT,
            tried=TRIED,
        )
        if not found:
            served.clear()  # nobody waits
            return None
        if person := found[0]["args"].get(PERSON):
            served.pop(person, None)
            served[person] = None
            if len(served) > REMEMBERED:
                del served[next(iter(served))]
        return Job.from_row(found[0])
