"""The page of the queues: each class of work, what failed and why, what is tried again by itself, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.views.decorators.http import require_GET, require_http_methods
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.admin.grants import acting_staff
from stories.index.pending import INDEX_ADDED, INDEX_IMPORTED
from stories.rebuilding.services import retry_failed_jobs
from vibe.core.admin.base import note_viewed
from vibe.core.admin.links import list_url
from vibe.core.admin.sudo_mode import asks_for_no_password
from vibe.core.db.health import units
from vibe.core.db.job_classes import reporting
from vibe.core.db.job_classes.classes import CLASSES
from vibe.core.db.job_classes.reporting import ClassState, FailedJobs, next_runs, task_in_words
from vibe.core.db.statements.batching import Rows, execute_batch
from vibe.core.errors import VibeError
from vibe.core.http.error_pages import error_page

MAY_LOOK, MAY_RETRY = "procrastinate.view_procrastinatejob", "procrastinate.change_procrastinatejob"
TAKEN_UP_BY: Final = {
    INDEX_ADDED: "stories.index_again",
    INDEX_IMPORTED: "stories.index_again",
    "stories.build": "stories.start_due",
}
"""The periodic task that does what a failed job was to do. What runs periodically itself is done by its next run."""
AGAIN: Final = """
SELECT queue_name, count(*), min(scheduled_at) FROM procrastinate_jobs
WHERE status = 'todo' AND attempts > 0 AND scheduled_at > now() GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of work as it is shown."""

    name: str
    work: str
    label: dict[str, str]
    figures: str
    why: str
    by_itself: str


@dataclass(frozen=True, slots=True)
class FailedTask:
    """The failed jobs of one task as they are shown."""

    words: str
    count: int
    reasons: Sequence[FailedJobs]
    by_itself: str
    list_url: str
    retry_url: str


@require_GET
def queues(request: HttpRequest, *, site: Any) -> HttpResponse:
    """Show the classes of work, failed jobs by task, and the next runs of what runs by itself."""
    note_viewed(request, "procrastinate_jobs")
    if not request.user.has_perm(MAY_LOOK):
        raise PermissionDenied
    states, failed, again = execute_batch(reporting.statement(), (reporting.FAILED, []), (AGAIN, []))
    runs = next_runs(timezone.now())
    may_retry = request.user.has_perm(MAY_RETRY)
    request.current_app = site.name  # type: ignore[attr-defined]
    context = {
        **site.each_context(request),
        "title": "Queues",
        "classes": _class_rows(reporting.states(states), again),
        "failed": _failed_tasks([FailedJobs(*row) for row in failed], dict(runs), may_retry=may_retry),
        "runs": [(task_in_words(name), at) for name, at in runs],
        "all_jobs": list_url(ProcrastinateJob),
    }
    return TemplateResponse(request, "vibe/admin/queues.html", context)


def _class_rows(states: list[ClassState], again: Rows) -> list[ClassRow]:
    tried = {name: f"{count:,} are tried again, the next {localize(at)}" for name, count, at in again}
    return [
        ClassRow(
            state.name,
            CLASSES[state.name].work,
            _label(state),
            f"workers: {state.workers}, slots: {state.slots}, running: {state.running}, waiting: {state.waiting:,}, "
            f"failed: {state.failed:,}" + (f"; the oldest is due for {units.time(state.waits)}" if state.waits else ""),
            state.why,
            tried.get(state.name, ""),
        )
        for state in states
    ]


def _label(state: ClassState) -> dict[str, str]:
    if not state.workers:
        return {"text": "Stopped", "type": "danger"}
    return {"text": "Late", "type": "warning"} if state.is_late else {"text": "Running", "type": "success"}


def _failed_tasks(failed: list[FailedJobs], runs: dict[str, datetime], *, may_retry: bool) -> list[FailedTask]:
    by_task = groupby(sorted(failed, key=lambda each: (each.task, -each.count)), key=lambda each: each.task)
    return [
        FailedTask(
            task_in_words(task),
            sum(each.count for each in reasons),
            reasons,
            _by_itself(task, runs),
            list_url(ProcrastinateJob, status__exact="failed", task_name=task),
            reverse("admin:retry_failed_jobs", args=[task]) if may_retry else "",
        )
        for task, found in by_task
        for reasons in [list(found)]
    ]


def _by_itself(task: str, runs: dict[str, datetime]) -> str:
    if task in runs:
        return f"It runs again {localize(runs[task])}."
    if taken_up := runs.get(TAKEN_UP_BY.get(task, "")):
        return f"It is done by itself, {localize(taken_up)} at the earliest, unless workers died of it."
    return "Nothing is done by itself. Try these jobs again once the reason is gone."


@asks_for_no_password
@require_http_methods(["GET", "HEAD", "POST"])
def retry_all(request: HttpRequest, task: str, *, site: Any) -> HttpResponse:
    """Ask whether all failed jobs of a task are to be tried again, and do it."""
    note_viewed(request, "procrastinate_jobs")
    if not request.user.has_perm(MAY_RETRY):
        raise PermissionDenied
    if task not in app.tasks:
        raise Http404("There is no such task.")
    back = reverse("admin:queues")
    if request.method == "POST":
        try:
            count = retry_failed_jobs(task=task, actor=acting_staff(request))
        except VibeError as problem:
            return error_page(problem, back)
        messages.success(request, f"{count:,} jobs wait for a worker." if count != 1 else "1 job waits for a worker.")
        return HttpResponseRedirect(back)
    failed = ProcrastinateJob.objects.filter(status="failed", task_name=task).count()
    context = {
        **site.each_context(request),
        "title": "Try all again",
        "button": f"Try all {failed:,} again",
        "question": "Each of these failed jobs runs again as soon as a worker is free. What they do is done once, "
        "however often they are tried. Those that fail again come back here.",
        "facts": [("Task", task_in_words(task)), ("Failed jobs", f"{failed:,}")],
        "back": back,
    }
    return TemplateResponse(request, "vibe/admin/confirm.html", context)
