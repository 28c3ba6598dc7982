"""The page at /: what is where."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.middleware import no_personal_data


@no_personal_data
def home(request: HttpRequest) -> HttpResponse:
    """A page for whoever has just started the server. It shows nothing of anybody."""
    return render(request, "vibe/home.html", {"guides": guides()})


@cache
def guides() -> tuple[tuple[str, str], ...]:
    """(file name, title) of each page in docs/, where the project's folder is there."""
    found = sorted(Path(settings.BASE_DIR, "docs").glob("*.md"))
    return tuple((f"docs/{page.name}", title_of(page)) for page in found)


def title_of(page: Path) -> str:
    """Its first heading."""
    with page.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), page.stem)
