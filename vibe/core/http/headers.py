"""What every answer of an API says to browsers and caches."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponseBase

PAGES: Final = "text/html"
ALWAYS: Final = {
    "Cache-Control": "no-store",  # of a person's data no copy is left behind
    "Cross-Origin-Resource-Policy": "same-origin",  # what CORS lets through is not held by it
}
NOTHING_RUNS: Final = "default-src 'none'; frame-ancestors 'none'"


def add_security_headers(response: HttpResponseBase) -> None:
    """Say it, where the operation has not said something else. A page, such as the docs, has the policy of pages."""
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    if not response.headers.get("Content-Type", "").startswith(PAGES):
        response.headers.setdefault("Content-Security-Policy", NOTHING_RUNS)
