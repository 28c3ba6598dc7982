"""The classes of work: their workers and slots, what waits, and what failed."""

from __future__ import annotations

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking
from vibe.core.db.health.reading import Chapter, Reading, Verdict
from vibe.core.db.job_classes.reporting import ClassState, statement, states

TITLE = "Jobs"
ABOUT = (
    "Each class of work has workers with slots of their own, so none delays another. One without a worker has "
    "stopped: start a worker. One that is late needs more slots, or is held up by what failed last."
)


def jobs() -> Looking:
    """Return the chapter on the classes of work."""
    [rows] = yield [statement()]
    return Chapter(TITLE, ABOUT, tuple(map(reading, states(rows))))


def reading(state: ClassState) -> Reading:
    """Return how one class does."""
    value = f"{state.running} run in {state.slots} slots, {state.waiting} wait, {state.failed} failed"
    if state.waits:
        value += f"; the oldest is due for {units.time(state.waits)}"
    verdict, advice = Verdict.OK, ""
    if not state.workers:
        verdict, advice = Verdict.BAD, f"Stopped: {state.why}. Start a worker: manage.py worker"
    elif state.is_late:
        verdict, advice = Verdict.WATCH, f"Late: {state.why}. Raise its slots in WORKER_SLOTS, or start another."
    return Reading(state.name, value, verdict, advice, float(state.workers))
