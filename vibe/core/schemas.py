"""Base schemas of requests and responses, over HTTP and for agents' tools: strict, and times have a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class RequestSchema(BaseModel):
    """What comes in: unknown members are refused, so that a misspelt one is not silently lost."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ResponseSchema(BaseModel):
    """What goes out."""

    model_config = ConfigDict(hide_input_in_errors=True)


def parse_local_time(value: Any) -> datetime:
    """Parse a time with its zone (RFC 3339) and return it at the offset it is given with. Raises ValueError."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("a time with its zone (RFC 3339), such as 2026-05-12T09:30:00Z")
    try:
        read = datetime.fromisoformat(value.upper())
        there = EARLIEST <= read.astimezone(UTC) < LATEST
    except (ValueError, OverflowError):
        raise ValueError("a day and time that there is") from None
    if not there:
        raise ValueError("a time from 1900 to 2199")
    return read


def parse_time(value: Any) -> datetime:
    """Parse a time with its zone (RFC 3339) and return it in UTC. Raises ValueError."""
    return parse_local_time(value).astimezone(UTC)


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
Moment = Annotated[datetime, BeforeValidator(parse_time), _SCHEMA]
LocalMoment = Annotated[datetime, BeforeValidator(parse_local_time), _SCHEMA]
