"""The body of a request, and why it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.http import HttpRequest

from vibe.core.errors import InputError
from vibe.core.strict_json import MalformedJson

TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})


class MalformedBody(InputError):
    message = "The body is not JSON that can be taken."
    code = "malformed-body"


class UnsupportedMediaType(InputError):
    message = "The body must be JSON: send it with Content-Type: application/json, in UTF-8, not compressed."
    code = "unsupported-media-type"
    status = 415


class BodyTooLarge(InputError):
    message = "The body is larger than what is taken here. Send less at once."
    code = "body-too-large"
    status = 413

    def __init__(self, size: int | None = None) -> None:
        super().__init__(f"The body has more than {size:,} bytes, the most here. Send less at once." if size else None)


class LengthRequired(InputError):
    message = "The body came in chunks of unknown length. Send it with the header Content-Length."
    code = "length-required"
    status = 411


@contextmanager
def json_of_body() -> Iterator[None]:
    """Raise what is wrong with the JSON of a body as MalformedBody."""
    try:
        yield
    except MalformedJson as problem:
        raise MalformedBody(f"The body {problem}") from None


def check_type(request: HttpRequest) -> None:
    """Raise UnsupportedMediaType for what is no plain JSON."""
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if request.content_type not in TYPES or charset != "utf-8" or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType


def is_chunked(request: HttpRequest) -> bool:
    """Return whether the body is chunked, which WSGI does not hand over."""
    return "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length")
