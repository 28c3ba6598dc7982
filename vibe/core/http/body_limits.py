"""How large a body may be: as large as what its schema allows, with every character written as an escape.

An escape (`\\u732b`) takes 6 bytes, a character in UTF-8 at most 4. A text of nothing but characters beyond the Basic
Multilingual Plane, all of them written as escapes (12 bytes each), may be half as long as the schema says. The limits
are worked out from the schema, so that none can contradict it, and a schema without bounds is refused at start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from django.http import HttpRequest

from vibe.core.errors import ConfigurationError
from vibe.core.http.bodies import BodyTooLarge, MalformedBody

Json = dict[str, Any]
ESCAPED: Final = 6  # bytes of a character written as an escape
SPACE: Final = 64  # bytes around a value: colon, comma, indentation
SCALAR: Final = 64  # bytes of a number, true, false or null
FORMATS: Final = {"date": 64, "date-time": 64, "uuid": 64}  # characters, at most
UNKNOWN: Final = 100  # members beyond those of the schema: they are named in the answer, not only counted
SMALLEST: Final = 4_096  # bytes
LARGEST_SINGLE: Final = 8 * 1024 * 1024  # bytes; what the schema lets be longer is a batch: API_BODY_LIMIT


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
