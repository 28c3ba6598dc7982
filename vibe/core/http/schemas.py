"""What all shapes of the API have in common: strict, bounded, with times that say their zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
LARGEST_PAGE: Final = 200


class RequestSchema(BaseModel):
    """What comes in: unknown members are refused, so that a misspelt one is not silently lost."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ResponseSchema(BaseModel):
    """What goes out."""

    model_config = ConfigDict(hide_input_in_errors=True)


def parse_time(value: Any) -> datetime:
    """A time with its zone (RFC 3339), in UTC. Raises ValueError."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("a time with its zone (RFC 3339), such as 2026-05-12T09:30:00Z")
    try:
        read = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a day and time that there is") from None
    if not EARLIEST <= read < LATEST:
        raise ValueError("a time from 1900 to 2199")
    return read


Moment = Annotated[datetime, BeforeValidator(parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]


Cursor = Annotated[str, Field(max_length=200, description="`next` of the page before")]
PageSize = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="how many at most")]


class ProblemField(ResponseSchema):
    """What is wrong with one field."""

    field: str = Field(examples=["body.title"])
    code: str = Field(examples=["string_too_long"])
    detail: str = Field(examples=["String should have at most 1000 characters"])


class Problem(ResponseSchema):
    """RFC 9457. `code` stays what it is; `detail` is for people and may change."""

    type: str = Field(examples=["urn:vibe:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not-found"])
    detail: str = Field(examples=["There is no such conversation."])
    request_id: str = Field(description="the trail has it too", examples=["0f5c6d0d9c8e4b8a9a35d4d7a2b9c6e1"])
    errors: list[ProblemField] | None = Field(
        None, max_length=20, description="the fields at fault, where it is fields: the first 20"
    )
    more_errors: int | None = Field(None, description="how many more fields are at fault", examples=[3])
