"""The page at /, which links to the parts of the service."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.middleware import no_personal_data


@no_personal_data
def home(request: HttpRequest) -> HttpResponse:
    """Show a start page for operators, without personal data."""
    return render(request, "vibe/home.html", {"guides": guides(), "development": settings.DEBUG})


@cache
def guides() -> tuple[tuple[str, str], ...]:
    """Return (file name, title) of each page in docs/, if that folder exists."""
    found = sorted(Path(settings.BASE_DIR, "docs").glob("*.md"))
    return tuple((f"docs/{page.name}", title_of(page)) for page in found)


def title_of(page: Path) -> str:
    """Return the first heading of a page."""
    with page.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), page.stem)
