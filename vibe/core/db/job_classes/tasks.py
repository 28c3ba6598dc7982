"""What tasks do, in words, and when those that run by themselves run next."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from inspect import getdoc

from procrastinate.contrib.django import app


def task_in_words(name: str) -> str:
    """Return what a task does: the first sentence of its docstring; its name, where there is none."""
    task = app.tasks.get(name)
    return ((getdoc(task.func) or "") if task else "").partition(".")[0].partition("\n")[0] or name


def next_runs(now: datetime) -> list[tuple[str, datetime]]:
    """Return each periodic task with the time of its next run, the next first."""
    every = app.periodic_registry.periodic_tasks.values()
    found = [(each.task.name, copy(each.croniter).get_next(datetime, now).astimezone(UTC)) for each in every]
    return sorted(found, key=lambda run: (run[1], run[0]))
