"""Responses of the API: JSON that no cache stores, with the version of what it shows.

Errors are RFC 9457 problem details: what a program needs in fields, what a person needs in a sentence.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from pydantic import BaseModel

from vibe.core.db.schema.owned import Versioned, Versions, version_of
from vibe.core.errors import InputError, VibeError

LONGEST = 2_000
TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')

# For `openapi_extra` of an operation whose answer has a version, or that takes one: see vibe.api.openapi.
VERSIONED: Final[dict[str, Any]] = {"x-versioned": True}
# The same of an operation for which a server acts for nobody, and which may be repeated without an Idempotency-Key.
WITHOUT_PERSON: Final[dict[str, Any]] = {"x-without-person": True}
MEDIA_TYPE: Final = "application/problem+json"
PAGES: Final = "text/html"
ALWAYS: Final = {
    "Cache-Control": "no-store",  # of a person's data no copy is left behind
    "Cross-Origin-Resource-Policy": "same-origin",  # what CORS lets through is not held by it
}
NOTHING_RUNS: Final = "default-src 'none'; frame-ancestors 'none'"


class ETagMalformed(InputError):
    message = "If-Match and If-None-Match take entity tags in quotes, as the header ETag had them, or *."
    code = "etag-malformed"


def etag(row: Versioned) -> str:
    """Write the version of a row as an entity tag."""
    return f'"{version_of(row)}"'


def parse_etags(header: str) -> Versions | None:
    """Read the value of If-Match or If-None-Match; None for `*`, which is any version. Raises ETagMalformed.

    A `W/` is ignored. Proxies that compress write it before the tag; here a tag names a version of the row, which
    compressing leaves as it is.
    """
    if header.strip() == "*":
        return None
    found, at = [], 0
    while at < len(header) <= LONGEST and (match := TAGS.match(header, at)):
        found.append(match[1])
        at = match.end()
    if at < len(header) or not found:
        raise ETagMalformed
    return frozenset(found)


def respond(shape: BaseModel, *, of: Versioned | None = None, status: int = 200, location: str = "") -> HttpResponse:
    """Return a schema as a response; `of` is the row it shows, if there is one."""
    made = HttpResponse(shape.model_dump_json(), status=status, content_type="application/json")
    return add_private_headers(made, of, location)


def respond_unless_unchanged(request: HttpRequest, shape: BaseModel, *, of: Versioned) -> HttpResponse:
    """Respond to a GET, with 304 for a caller that has this version already."""
    header = request.headers.get("If-None-Match")
    if header is not None and ((seen := parse_etags(header)) is None or version_of(of) in seen):
        return add_private_headers(empty_response(304), of)
    return respond(shape, of=of)


def no_content() -> HttpResponse:
    """Return 204."""
    return add_private_headers(empty_response(204))


def empty_response(status: int) -> HttpResponse:
    """Return a response without body and type."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    return response


def add_private_headers(response: HttpResponse, of: Versioned | None = None, location: str = "") -> HttpResponse:
    """Add the headers of a response that shows one person's data."""
    response.headers["Cache-Control"] = "private, no-cache" if of is not None else "no-store"
    if of is not None:
        response.headers["ETag"] = etag(of)
    if location:
        response.headers["Location"] = location
    return response


def expected_version(request: HttpRequest) -> Versions | None:
    """Read from the header If-Match which versions the caller will have changed; None for any."""
    header = request.headers.get("If-Match")
    return None if header is None else parse_etags(header)


def problem(error: VibeError, *, request_id: str = "", **more: Any) -> JsonResponse:
    """Return an error as problem details (RFC 9457): a stable code, and a message that says the fact and what to do."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": str(error),
        **({"request_id": request_id} if request_id else {}),
        **error.members,
        **more,
    }
    return JsonResponse(body, status=error.status, content_type=MEDIA_TYPE, headers=error.headers)


def add_security_headers(response: HttpResponseBase) -> None:
    """Add the headers for browsers and caches that every response has, unless the operation has set them.

    A page, such as the docs, has the policy of pages.
    """
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    if not response.headers.get("Content-Type", "").startswith(PAGES):
        response.headers.setdefault("Content-Security-Policy", NOTHING_RUNS)
