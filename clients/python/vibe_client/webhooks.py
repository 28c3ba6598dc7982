"""Verification of webhooks, by the Standard Webhooks scheme."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from vibe_client.errors import VibeError

PREFIX = "whsec_"


class WebhookInvalid(VibeError):
    """It was not signed with this secret, was changed, or is too old: answer 400, and do nothing with it."""


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes | str, *, tolerance: float = 300, now: float | None = None
) -> dict[str, Any]:
    """Return the event that a webhook tells: `type`, `timestamp` and `data`. Raises WebhookInvalid.

    `body` is what came, before anything parsed it. `tolerance` is how many seconds its time may differ from ours.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message, at, signatures = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    raw = body.encode() if isinstance(body, str) else bytes(body)
    if not (message and at.isascii() and at.isdecimal() and len(at) < 15):
        raise WebhookInvalid("The headers of a webhook are missing: webhook-id, webhook-timestamp, webhook-signature.")
    if abs((time.time() if now is None else now) - int(at)) > tolerance:
        raise WebhookInvalid("The webhook was signed too long ago, or a clock is wrong.")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise WebhookInvalid("The secret is not one of a webhook: it begins with whsec_.") from None
    digest = hmac.digest(key, f"{message}.{at}.".encode() + raw, "sha256")
    expected = f"v1,{base64.b64encode(digest).decode()}".encode()
    if not key or not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookInvalid("No signature of the webhook is by this secret.")
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookInvalid("The body of the webhook is no event.")
    return event
