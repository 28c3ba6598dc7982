"""Versions of a resource as HTTP has them (RFC 9110, 8.8 and 13.1): entity tags, and the headers that compare them."""

from __future__ import annotations

import re

from vibe.core.db.versions import Versioned, Versions, version_of
from vibe.core.errors import InputError

LONGEST = 2_000
TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


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
