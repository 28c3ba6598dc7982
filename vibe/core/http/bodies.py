"""The body of a request: why it is refused, and how large it may be.

It may be as large as what its schema allows, with every character written as an escape. An escape (`\\u732b`) takes 6
bytes, a character in UTF-8 at most 4. A text of nothing but characters beyond the Basic Multilingual Plane, all of them
written as escapes (12 bytes each), may be half as long as the schema says. The limits are worked out from the schema,
so that none can contradict it, and a schema without bounds is refused at start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from django.http import HttpRequest

from vibe.core.errors import ConfigurationError, InputError
from vibe.core.strict_json import MalformedJson

TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})

Json = dict[str, Any]
ESCAPED: Final = 6  # bytes of a character written as an escape
SPACE: Final = 64  # bytes around a value: colon, comma, indentation
SCALAR: Final = 64  # bytes of a number, true, false or null
FORMATS: Final = {"date": 64, "date-time": 64, "uuid": 64}  # characters, at most
UNKNOWN: Final = 100  # members beyond those of the schema: they are named in the answer, not only counted
SMALLEST: Final = 4_096  # bytes
LARGEST_SINGLE: Final = 8 * 1024 * 1024  # bytes; what the schema lets be longer is a batch: API_BODY_LIMIT


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


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """At most so many bytes, and so many members and elements in all."""

    size: int
    values: int

    @classmethod
    def of_schema(cls, schema: Json, *, batch: int) -> Self:
        """The limit of bodies of a JSON schema. Raises ConfigurationError for a part of it that has no bound."""
        size, values = _largest(schema, schema.get("$defs", {}))
        size += SMALLEST + UNKNOWN * SPACE
        return cls(size if size <= LARGEST_SINGLE else batch, values + UNKNOWN)

    def check_length(self, request: HttpRequest) -> None:
        """Raise BodyTooLarge before anything of the body is read."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdecimal()):
            raise MalformedBody("The header Content-Length is not a number.")
        if len(length) > 18 or int(length) > self.size:
            raise BodyTooLarge(self.size)


NO_BODY: Final = BodyLimit(SMALLEST, 0)


def _largest(schema: Json, definitions: dict[str, Json]) -> tuple[int, int]:  # noqa: PLR0911  # one a kind of schema
    """Bytes of the largest value of a schema, and how many values are in it."""
    if "$ref" in schema:
        return _largest(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    match schema:
        case {"x-bytes": size, "x-values": values}:  # free in shape
            return size, values
        case {"anyOf": choices}:
            all_largest = [_largest(each, definitions) for each in choices]
            return max(size for size, _ in all_largest), max(values for _, values in all_largest)
        case {"type": "object", "properties": properties}:
            members = [(_escaped(name), *_largest(each, definitions)) for name, each in properties.items()]
            return sum(name + size + SPACE for name, size, _ in members), sum(1 + values for *_, values in members)
        case {"type": "array", "items": items, "maxItems": most}:
            size, values = _largest(items, definitions)
            return most * (size + SPACE), most * (1 + values)
        case {"type": "string"}:
            return _text(schema), 0
        case {"type": "integer" | "number" | "boolean" | "null"}:
            return SCALAR, 0
    raise ConfigurationError(f"The schema of a body has no bound at {schema.get('title')!r}. Give it one.")


def _text(schema: Json) -> int:
    """Bytes of the longest text."""
    if "enum" in schema:
        return max(map(_escaped, schema["enum"]))
    longest = schema.get("maxLength", FORMATS.get(schema.get("format", "")))
    if longest is None:
        raise ConfigurationError(f"The schema of a body has a text without maxLength: {schema.get('title')!r}.")
    return int(longest) * ESCAPED


def _escaped(text: str) -> int:
    return len(text) * ESCAPED
