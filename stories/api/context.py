"""/api/v1/context: what a companion is to know before it answers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import Caller, SignedIn, caller_of
from accounts.companions import LONGEST_COMPANION
from stories.context.budget import LARGEST, PARTS, TOKENS, Budget, Part
from stories.context.rendering import Format
from stories.context.services import Wanted, build_context
from stories.results import Context
from stories.search.asking import Asked, ask
from stories.search.services import LONGEST_QUESTION
from vibe.core.http.operations import in_snapshot, keeps_to_companion, preflight, preflight_result
from vibe.core.http.responses import respond
from vibe.core.schemas import LocalMoment, RequestSchema

router = Router(tags=["Context"])
Message = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_QUESTION)]
Companion = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_COMPANION)]


class WantedContext(RequestSchema):
    """What is about to be answered, and how much may be said of it."""

    message: Message | None = Field(
        None, description="what the person says now; without it, no passages", examples=["Where shall we eat?"]
    )
    conversation_id: UUID | None = Field(None, description="where it is said; without it, no turns")
    companion: Companion | None = Field(None, description="of what was said to this companion alone")
    tokens: int = Field(TOKENS, ge=1, le=LARGEST, strict=True, description="so many at most, by estimate")
    characters: int | None = Field(None, ge=1, le=LARGEST, strict=True, description="in place of `tokens`")
    parts: list[Part] = Field(default=[*PARTS], max_length=len(PARTS), description="what it is made of")
    format: Format = Field(
        "messages", description="`messages`: for chat calls; `text`: one text, with the last turns in it"
    )
    asked_at: LocalMoment | None = Field(None, description="when, in which zone; now, in UTC, if left out")

    def wanted(self, caller: Caller) -> Wanted:
        return Wanted(
            message=self.message or "",
            conversation_id=self.conversation_id,
            companion=caller.companion_or(self.companion),
            budget=Budget(self.tokens, self.characters),
            parts=self.parts,
            format=self.format,
            asked_at=self.asked_at,
        )


def understood(request: HttpRequest, given: WantedContext) -> Asked | None:
    """The message as a question, with its vector, where that may take long."""
    if not (given.message or "").strip():
        return None
    return ask(caller_of(request).user_id, given.message or "", given.asked_at)


@router.post("", response=Context, auth=SignedIn("read"))
@preflight(understood)
@in_snapshot
@keeps_to_companion()
def read_context(request: HttpRequest, given: WantedContext) -> HttpResponse:
    """What is known that bears on a message, ready for a prompt: one call before a companion answers."""
    caller = caller_of(request)
    built = build_context(
        user_id=caller.user_id,
        actor=caller.actor,
        wanted=given.wanted(caller),
        asked=preflight_result(request),
    )
    return respond(Context.of(built))
