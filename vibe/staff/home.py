"""The home page of the admin: the work list, figures, charts of the last thirty days, and the newest audit rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.db import models
from django.http import HttpRequest
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import User
from audit.models import AuditLog
from audit.reading.words import action_in_words
from memories.models import Conversation, Memory
from stories.models import Passage, Story, TokenUse
from vibe.core.http.context import RequestContext, context_of
from vibe.staff.figures import (
    CONTENT_READS,
    FRUITLESS,
    NEWEST,
    TOKENS,
    figures,
    found_after,
    last_days,
    made_by_day,
    may_view,
    noted_by_day,
    queue_ages,
)
from vibe.staff.work_list import work_list

Line = tuple[type[models.Model], str]
CHARTS: tuple[tuple[str, tuple[Line, ...]], ...] = (
    (
        "Content added, last 30 days",
        (
            (Memory, "var(--color-primary-500)"),
            (Conversation, "var(--color-primary-300)"),
            (Story, "var(--color-base-400)"),
        ),
    ),
    ("New people, last 30 days", ((User, "var(--color-primary-500)"),)),
)
NOTED: tuple[tuple[str, str, type[models.Model], str], ...] = (
    ("Pages of content read by staff, last 30 days", "Pages", AuditLog, CONTENT_READS),
    ("Searches that found nothing, last 30 days", "Searches", AuditLog, FRUITLESS),
    ("Tokens taken by the model service, last 30 days", "Tokens", TokenUse, TOKENS),
)
NOW: tuple[tuple[str, str, type[models.Model], Callable[[], tuple[list[str], list[int]]]], ...] = (
    (f"From added to found within, the newest {NEWEST:,} passages", "Passages", Passage, found_after),
    ("Age of the oldest job that is due, in seconds, now", "Seconds", ProcrastinateJob, queue_ages),
)

COLOR, GREY = "var(--color-primary-500)", "#9ca3af"
GRID = {"grid": {"display": True, "lineWidth": 0, "tickWidth": 0}, "border": {"width": 0}, "stacked": True}
OPTIONS = {
    "responsive": True,
    "maintainAspectRatio": False,
    "animation": False,
    "plugins": {
        "legend": {
            "display": True,
            "align": "end",
            "labels": {"boxHeight": 6, "boxWidth": 6, "usePointStyle": True, "color": GREY},
        }
    },
    "scales": {
        "x": {**GRID, "ticks": {"color": GREY, "maxTicksLimit": 7, "maxRotation": 0}},
        "y": {**GRID, "ticks": {"color": GREY, "precision": 0, "maxTicksLimit": 6}, "beginAtZero": True},
    },
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the template."""
    context_of(request, RequestContext).entry.resource = "figures"
    shown = {"work": work_list(request), "figures": figures(request), "charts": charts(request)}
    return {**context, **shown, "latest": latest(request)}


def charts(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the charts that the viewer may see, for unfold's bar chart, with four statements."""
    days = last_days()
    seen = [model for _, lines in CHARTS for model, _ in lines if may_view(request, model)]
    made = dict(zip(seen, made_by_day(seen, days), strict=True))
    noted = [each for each in NOTED if may_view(request, each[2])]
    numbers = noted_by_day([statement for *_, statement in noted], days) if noted else []
    drawn = [
        (title, [dataset(model, color, made[model]) for model, color in lines if model in made])
        for title, lines in CHARTS
    ]
    drawn += [(title, [bars(label, COLOR, each)]) for (title, label, *_), each in zip(noted, numbers, strict=True)]
    by_day = [f"{day:%-d %b}" for day in days[:-1]]
    shown = [chart(title, sets, by_day, "Nothing in these days.") for title, sets in drawn if sets]
    for title, label, model, read in NOW:
        if may_view(request, model):
            labels, values = read()
            shown.append(chart(title, [bars(label, COLOR, values)], labels, "Nothing now."))
    return shown


def chart(title: str, sets: list[dict[str, Any]], labels: list[str], none: str) -> dict[str, Any]:
    """Return one chart; `empty` where it has no bar, and then `none` is shown."""
    data = {"labels": labels, "datasets": sets}
    empty = not any(any(one["data"]) for one in sets)
    return {"title": title, "data": json.dumps(data), "options": json.dumps(OPTIONS), "empty": empty, "none": none}


def dataset(model: type[models.Model], color: str, numbers: list[int]) -> dict[str, Any]:
    """Return one table's bars."""
    return bars("People" if model is User else str(model._meta.verbose_name_plural).capitalize(), color, numbers)


def bars(label: str, color: str, numbers: list[int]) -> dict[str, Any]:
    """Return bars by day."""
    return {"label": label, "data": numbers, "backgroundColor": color, "maxBarThickness": 18, "borderRadius": 2}


def latest(request: HttpRequest) -> list[tuple[AuditLog, str]] | None:
    """Return the newest rows of the audit log, or None if the viewer may not see it."""
    if not may_view(request, AuditLog):
        return None
    rows = list(AuditLog.objects.order_by("-at", "-pk")[:8])
    return [(row, action_in_words(row.action)) for row in rows]
