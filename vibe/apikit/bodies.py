"""Reading a body: JSON as RFC 8259 means it, and nothing that some parsers take one way and some another."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from vibe.errors import InputError

TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})
DEEPEST: Final = 32


class MalformedBody(InputError):
    """The body is not JSON that can be taken."""

    code = "malformed-body"


class UnsupportedMediaType(InputError):
    """The body must be JSON: send it with Content-Type: application/json, in UTF-8, not compressed."""

    code = "unsupported-media-type"
    status = 415


class BodyTooLarge(InputError):
    """The body is larger than what is taken (API_BODY_LIMIT). Send less at once."""

    code = "body-too-large"
    status = 413


class LengthRequired(InputError):
    """The body came in chunks of unknown length. Send it with the header Content-Length."""

    code = "length-required"
    status = 411


class StrictParser(Parser):
    """The parser of the API. Ninja turns what it raises into an HttpError whose cause it is."""

    def parse_body(self, request: HttpRequest) -> Any:
        check_type(request)
        return read_json(request.body)


def check_type(request: HttpRequest) -> None:
    """Raises UnsupportedMediaType."""
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if request.content_type not in TYPES or charset != "utf-8" or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType


def is_chunked(request: HttpRequest) -> bool:
    """Whether a body came that WSGI does not hand over."""
    return "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length")


def read_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises MalformedBody for what is no JSON, is not UTF-8, names a member twice, nests deeper than 32, or holds a NUL,
    half a surrogate pair or a number that is none.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=members, parse_constant=no_number)
    except UnicodeDecodeError as problem:
        reason = f"The body is not UTF-8 (at byte {problem.start})."
    except json.JSONDecodeError as problem:
        reason = f"The body is not JSON ({problem.msg} at character {problem.pos})."
    except RecursionError:
        reason = too_deep()
    except MalformedBody:
        raise
    except ValueError:
        reason = "The body holds a number too long to read."
    else:
        check(value)
        return value
    raise MalformedBody(reason)


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, each member of which is there once."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MalformedBody("The body names a member of an object twice. Name each once.")
    return made


def no_number(_: str) -> NoReturn:
    """NaN and Infinity are no JSON."""
    raise MalformedBody("The body holds NaN or Infinity, which JSON does not have.")


def too_deep() -> str:
    return f"The body nests deeper than {DEEPEST}. Make it flatter."


def check(value: Any) -> None:
    """Every text and number in it, to the depth that is let."""
    level = [value]
    for _ in range(DEEPEST + 1):
        within: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                for name in each:
                    check_text(name)
                within.extend(each.values())
            elif isinstance(each, list):
                within.extend(each)
            elif isinstance(each, str):
                check_text(each)
            elif isinstance(each, float) and not math.isfinite(each):
                raise MalformedBody("The body holds a number too large.")
        if not within:
            return
        level = within
    raise MalformedBody(too_deep())


def check_text(text: str) -> None:
    """What the database can hold and UTF-8 can say."""
    if "\0" in text:
        raise MalformedBody("The body holds a NUL character. Leave it out.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise MalformedBody("The body holds half of a surrogate pair. Send whole characters.")
