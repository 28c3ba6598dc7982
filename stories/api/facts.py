"""/api/v1/facts: what is true of the person, was, and is to be known."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import caller_of
from stories.facts.results import Fact, Facts
from stories.facts.services import changing, reading
from stories.facts.services.changing import FactChange
from vibe.core.http.operations import keeps_to_companion, replayed_by
from vibe.core.http.responses import no_content, respond
from vibe.core.schemas import Moment, RequestSchema

router = Router(tags=["Facts"])
LONGEST_VALUE = 200
Value = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_VALUE)]


class CorrectedFact(RequestSchema):
    """What is so instead; what is left out stays."""

    value: Value | None = Field(None, examples=["Porto"])
    valid_from: Moment | None = Field(None, description="since when; null if that is not known")
    valid_to: Moment | None = Field(None, description="until when; null if it still holds")

    def change(self) -> FactChange:
        given = {name: getattr(self, name) for name in ("valid_from", "valid_to") if name in self.model_fields_set}
        return FactChange(self.value, **given)


@router.get("", response=Facts)
@keeps_to_companion()
def list_facts(
    request: HttpRequest, as_of: Moment | None = None, history: bool = False, attribute: str | None = None
) -> HttpResponse:
    """What holds now, or held at a moment, or all that ever did; the newest learned first."""
    caller = caller_of(request)
    found = reading.list_facts(
        user_id=caller.user_id,
        actor=caller.actor,
        at=as_of,
        history=history,
        attributes=() if attribute is None else (attribute,),
        companion=caller.companion,
    )
    return respond(Facts(items=[Fact.of(each) for each in found]))


def read_fact(request: HttpRequest, ids: list[UUID]) -> HttpResponse:
    """One fact, for a retry."""
    return respond(Fact.of(reading.open_fact(**of(request, *ids))))


@router.patch("/{uuid:fact_id}", response=Fact)
@replayed_by(read_fact)
def correct_fact(request: HttpRequest, fact_id: UUID, given: CorrectedFact) -> HttpResponse:
    """Put the person's word in its place, or say when it began or ended. It outranks what was said before."""
    return respond(Fact.of(changing.correct_fact(**of(request, fact_id), change=given.change())))


@router.delete("/{uuid:fact_id}", response={204: None})
def forget_fact(request: HttpRequest, fact_id: UUID, with_memories: bool = False) -> HttpResponse:
    """Forget it. It is not learned again from what was said before; on request its memories are deleted too."""
    changing.forget_fact(**of(request, fact_id), with_memories=with_memories)
    return no_content()


def of(request: HttpRequest, fact_id: UUID) -> dict[str, Any]:
    """What every verb is told."""
    caller = caller_of(request)
    return {"user_id": caller.user_id, "actor": caller.actor, "fact_id": fact_id}
