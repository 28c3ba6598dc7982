"""Schemas that the API of all apps shares: pages and problems."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from vibe.core.schemas import ResponseSchema

LARGEST_PAGE: Final = 200
Cursor = Annotated[str, Field(max_length=200, description="`next` of the page before")]
PageSize = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="how many at most")]


class ProblemField(ResponseSchema):
    """What is wrong with one field."""

    field: str = Field(examples=["body.title"])
    code: str = Field(examples=["string_too_long"])
    detail: str = Field(examples=["String should have at most 1000 characters"])


class Problem(ResponseSchema):
    """RFC 9457. `code` stays what it is; `detail` is for people and may change."""

    type: str = Field(description="always about:blank: `code` says what kind it is", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not-found"])
    detail: str = Field(examples=["There is no such conversation."])
    request_id: str = Field(description="the trail has it too", examples=["0f5c6d0d9c8e4b8a9a35d4d7a2b9c6e1"])
    existing_id: UUID | None = Field(
        None, description="of a 409, the id of what is there already", examples=["0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"]
    )
    errors: list[ProblemField] | None = Field(
        None, max_length=20, description="the fields at fault, where it is fields: the first 20"
    )
    more_errors: int | None = Field(None, description="how many more fields are at fault", examples=[3])
