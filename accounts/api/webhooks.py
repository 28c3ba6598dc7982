"""/api/v1/webhooks: where an API key has events sent to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field, StringConstraints

from accounts.authentication.caller import ServerSignedIn, server_of
from accounts.models import WebhookEndpoint
from accounts.models.webhooks import EVENTS, LONGEST_URL
from accounts.webhooks.services import endpoints as webhooks
from vibe.core.http.operations import preflight, preflight_result
from vibe.core.http.responses import WITHOUT_PERSON, no_content, respond
from vibe.core.schemas import RequestSchema, ResponseSchema

router = Router(tags=["Webhooks"], auth=ServerSignedIn("read"))
Event = Literal["story.built", "import.ready", "export.ready", "erasure.done", "grant.opened"]
ADDRESS: Final = "https, of a host with public addresses alone"
ADDRESSES: Final = ["https://app.example.com/hooks/vibe"]
SAYS: Final = "; ".join(f"`{name}`: {text}" for name, text in EVENTS.items())
Url = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_URL)]
Events = Annotated[list[Event], Field(min_length=1, max_length=len(EVENTS))]


class NewWebhook(RequestSchema):
    """A webhook to be made."""

    url: Url = Field(description=ADDRESS, examples=ADDRESSES)
    events: Events = Field(description=SAYS, examples=[["story.built"]])


class ChangedWebhook(RequestSchema):
    """What is to be changed of a webhook; what is left out stays."""

    url: Url | None = Field(None, description=ADDRESS, examples=ADDRESSES)
    events: Events | None = Field(None, description=SAYS, examples=[["story.built"]])
    active: bool | None = Field(None, description="false gives up what waits; true takes it up after it was disabled")


class Webhook(ResponseSchema):
    """A webhook, without its secret."""

    id: UUID
    url: str = Field(examples=ADDRESSES)
    events: list[Event] = Field(examples=[["story.built"]])
    active: bool
    disabled_at: datetime | None
    disabled_why: str = Field(examples=[""])
    failing_since: datetime | None = Field(description="the first failure after the last success")
    old_secret_until: datetime | None = Field(description="until then the secret of before signs too")
    created_at: datetime

    @classmethod
    def of(cls, row: WebhookEndpoint, **more: str) -> Self:
        same = ("id", "url", "events", "disabled_at", "disabled_why", "failing_since", "old_secret_until", "created_at")
        shown: dict[str, Any] = {**more, **{name: getattr(row, name) for name in same}}
        return cls(active=row.disabled_at is None, **shown)


class Webhooks(ResponseSchema):
    """All webhooks of an API key."""

    items: list[Webhook]


class WebhookWithSecret(Webhook):
    """A webhook, and the secret that its requests are verified with."""

    secret: str = Field(description="shown this once", examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


def check_address(_request: HttpRequest, given: NewWebhook | ChangedWebhook, **_: Any) -> None:
    """Look the host up, before the transaction begins."""
    if given.url is not None:
        webhooks.check_address(given.url)


@router.post("", response={201: WebhookWithSecret}, openapi_extra=WITHOUT_PERSON)
@preflight(check_address)
def create_webhook(request: HttpRequest, given: NewWebhook) -> HttpResponse:
    """Make a webhook of this API key. Its secret is in the answer, this once."""
    preflight_result(request)
    server = server_of(request)
    row, secret = webhooks.make_webhook(api_key=server.key, url=given.url, events=given.events, actor=server.actor)
    return respond(WebhookWithSecret.of(row, secret=secret), status=201, location=f"{request.path}/{row.pk}")


@router.get("", response=Webhooks, openapi_extra=WITHOUT_PERSON)
def list_webhooks(request: HttpRequest) -> HttpResponse:
    """Return the webhooks of this API key, ten at most, the oldest first."""
    return respond(Webhooks(items=[Webhook.of(row) for row in webhooks.list_webhooks(api_key=server_of(request).key)]))


@router.get("/{uuid:webhook_id}", response=Webhook, openapi_extra=WITHOUT_PERSON)
def get_webhook(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Return a webhook of this API key."""
    return respond(Webhook.of(webhooks.get_webhook(webhook_id=webhook_id, api_key=server_of(request).key)))


@router.patch("/{uuid:webhook_id}", response=Webhook, openapi_extra=WITHOUT_PERSON)
@preflight(check_address)
def change_webhook(request: HttpRequest, webhook_id: UUID, given: ChangedWebhook) -> HttpResponse:
    """Change the address or the events of a webhook, disable it, or enable it again."""
    preflight_result(request)
    server = server_of(request)
    row = webhooks.change_webhook(
        webhook_id=webhook_id, api_key=server.key, actor=server.actor, **given.model_dump(exclude_none=True)
    )
    return respond(Webhook.of(row))


@router.post("/{uuid:webhook_id}/rotate-secret", response=WebhookWithSecret, openapi_extra=WITHOUT_PERSON)
def rotate_webhook_secret(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Give a webhook a new secret. It is in the answer, this once; for a day the one of before signs too."""
    server = server_of(request)
    row, secret = webhooks.rotate_secret(webhook_id=webhook_id, api_key=server.key, actor=server.actor)
    return respond(WebhookWithSecret.of(row, secret=secret))


@router.delete("/{uuid:webhook_id}", response={204: None}, openapi_extra=WITHOUT_PERSON)
def delete_webhook(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Delete a webhook, its secrets and its deliveries."""
    server = server_of(request)
    webhooks.delete_webhook(webhook_id=webhook_id, api_key=server.key, actor=server.actor)
    return no_content()
