"""The page of the health of jobs and of the database, for operators."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from vibe.core.admin.base import note_viewed
from vibe.core.db.health.reading import Verdict
from vibe.core.db.health.report import report_with_jobs

SEE_HEALTH = "accounts.see_health"
COLORS = {Verdict.OK: "success", Verdict.UNKNOWN: "info", Verdict.WATCH: "warning", Verdict.BAD: "danger"}
WORDS = {Verdict.OK: "Fine", Verdict.UNKNOWN: "Unseen", Verdict.WATCH: "Watch", Verdict.BAD: "Bad"}


@require_GET
def database_health(request: HttpRequest, *, site: Any) -> HttpResponse:
    """Show what `vibe.core.db.health` reports now, jobs first. The view is recorded like any other page."""
    note_viewed(request, "database")
    if not request.user.has_perm(SEE_HEALTH):
        raise PermissionDenied
    request.current_app = site.name  # type: ignore[attr-defined]
    chapters = report_with_jobs()
    context = {
        **site.each_context(request),
        "title": "Database health",
        "chapters": [(chapter, label(chapter.verdict), rows(chapter)) for chapter in chapters],
        "troubles": [chapter for chapter in chapters if chapter.verdict >= Verdict.WATCH],
    }
    return TemplateResponse(request, "vibe/admin/health.html", context)


def rows(chapter: Any) -> list[tuple[Any, dict[str, str] | None]]:
    """Return each reading with the label of its verdict, if it has one to show."""
    return [(reading, label(reading.verdict) if reading.verdict else None) for reading in chapter.readings]


def label(verdict: Verdict) -> dict[str, str]:
    """Return a verdict as a label for unfold."""
    return {"text": WORDS[verdict], "type": COLORS[verdict]}
