"""Answers of the API: JSON, never kept by anybody in between, with the version of what they show."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel

from vibe.core.http.etags import Expected, etag

# For `openapi_extra` of an operation whose answer has a version, or that takes one: see vibe.api.openapi.
VERSIONED: Final[dict[str, Any]] = {"x-versioned": True}


def respond(shape: BaseModel, *, of: Any = None, status: int = 200, location: str = "") -> HttpResponse:
    """A shape as an answer; `of` is the row it shows, if it is one."""
    made = HttpResponse(shape.model_dump_json(), status=status, content_type="application/json")
    return add_private_headers(made, of, location)


def respond_unless_unchanged(request: HttpRequest, shape: BaseModel, *, of: Any) -> HttpResponse:
    """The same for a GET; nothing but 304 for who has this version already."""
    seen = Expected.read(request.headers.get("If-None-Match"))
    if seen and seen.holds(of):
        return add_private_headers(empty_response(304), of)
    return respond(shape, of=of)


def no_content() -> HttpResponse:
    """204: it was done, and there is nothing to show."""
    return add_private_headers(empty_response(204))


def empty_response(status: int) -> HttpResponse:
    """An answer that has no body, and so no type."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    return response


def add_private_headers(response: HttpResponse, of: Any = None, location: str = "") -> HttpResponse:
    """With the headers of what is one person's."""
    response.headers["Cache-Control"] = "private, no-cache" if of is not None else "no-store"
    if of is not None:
        response.headers["ETag"] = etag(of)
    if location:
        response.headers["Location"] = location
    return response


def expected_version(request: HttpRequest) -> Expected | None:
    """Which versions the caller will have changed, by the header If-Match."""
    return Expected.read(request.headers.get("If-Match"))
