"""The client of Vibe, the private memory behind an AI companion."""

from vibe_client.client import AsyncVibe, Vibe, etag
from vibe_client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Outdated,
    Problem,
    ServerFailed,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    VibeError,
)
from vibe_client.webhooks import WebhookInvalid, verify_webhook

__all__ = [
    "AsyncVibe",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "Outdated",
    "Problem",
    "ServerFailed",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unreachable",
    "Vibe",
    "VibeError",
    "WebhookInvalid",
    "etag",
    "verify_webhook",
]
