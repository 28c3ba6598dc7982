"""The home page of the admin: figures, charts of the last thirty days, and the newest audit rows."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.http import HttpRequest

from accounts.models import User
from audit.models import AuditLog
from memories.models import Conversation, Memory
from stories.models import Story
from vibe.core.http.context import RequestContext, context_of
from vibe.staff.figures import figures, last_days, made_by_day, may_view

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

GREY = "#9ca3af"
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
    return {**context, "figures": figures(request), "charts": charts(request), "latest": latest(request)}


def charts(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the charts that the viewer may see, for unfold's bar chart, with one statement."""
    days = last_days()
    seen = [model for _, lines in CHARTS for model, _ in lines if may_view(request, model)]
    made = dict(zip(seen, made_by_day(seen, days), strict=True))
    labels = [f"{day:%-d %b}" for day in days[:-1]]
    drawn = []
    for title, lines in CHARTS:
        sets = [dataset(model, color, made[model]) for model, color in lines if model in made]
        if sets:
            data = json.dumps({"labels": labels, "datasets": sets})
            empty = not any(any(one["data"]) for one in sets)
            drawn.append({"title": title, "data": data, "options": json.dumps(OPTIONS), "empty": empty})
    return drawn


def dataset(model: type[models.Model], color: str, numbers: list[int]) -> dict[str, Any]:
    """Return one table's bars."""
    label = "People" if model is User else str(model._meta.verbose_name_plural).capitalize()
    return {"label": label, "data": numbers, "backgroundColor": color, "maxBarThickness": 18, "borderRadius": 2}


def latest(request: HttpRequest) -> list[AuditLog] | None:
    """Return the newest rows of the audit log, or None if the viewer may not see it."""
    return list(AuditLog.objects.order_by("-at", "-pk")[:8]) if may_view(request, AuditLog) else None
