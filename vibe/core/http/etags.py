"""Versions of a resource (RFC 9110, 8.8 and 13.1): what one has seen is what one changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from vibe.core.errors import InputError, Outdated

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 2_000
TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


class ETagMalformed(InputError):
    message = "If-Match and If-None-Match take entity tags in quotes, as the header ETag had them, or *."
    code = "etag-malformed"


def etag(row: Any) -> str:
    """The version of a row: how often it was changed, and when what is kept beside (counts, archived) last was."""
    return f'"{version(row)}"'


def version(row: Any) -> str:
    touched = (row.updated_at - EPOCH) // timedelta(microseconds=1)
    return f"{row.revision:x}-{touched:x}"


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions that a caller will have changed; `any` stands for whichever there is.

    A `W/` is read over. Proxies that compress write it before the tag; here a tag names a version of the row, which
    compressing leaves as it is.
    """

    versions: frozenset[str]
    any: bool = False

    @classmethod
    def read(cls, header: str | None) -> Self | None:
        """From the value of If-Match or If-None-Match. Raises ETagMalformed."""
        if header is None:
            return None
        if header.strip() == "*":
            return cls(frozenset(), any=True)
        found, at = [], 0
        while at < len(header) <= LONGEST and (match := TAGS.match(header, at)):
            found.append(match[1])
            at = match.end()
        if at < len(header) or not found:
            raise ETagMalformed
        return cls(frozenset(found))

    def holds(self, row: Any) -> bool:
        """Whether the row is at one of these versions."""
        return self.any or version(row) in self.versions


def require_expected(row: Any, expected: Expected | None) -> None:
    """Raises Outdated when the row, held against changes by the caller, is not what they expect."""
    if expected is not None and not expected.holds(row):
        raise Outdated
