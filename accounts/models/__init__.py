"""The tables of this app, one file for each group."""

from accounts.models.api_keys import KEYS_SHOWN, ApiKey
from accounts.models.api_state import KeptAnswer, LastChange, RateLimit
from accounts.models.exports_and_erasures import Erasure, Export
from accounts.models.grants import LONGEST, AccessGrant
from accounts.models.keys import UserKey
from accounts.models.one_time_device import OneTimeDevice
from accounts.models.people import PREFERENCES_BYTES, STANDING, User, UserPreferences
from accounts.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "KEYS_SHOWN",
    "LONGEST",
    "PREFERENCES_BYTES",
    "STANDING",
    "AccessGrant",
    "ApiKey",
    "Erasure",
    "Export",
    "KeptAnswer",
    "LastChange",
    "OneTimeDevice",
    "RateLimit",
    "User",
    "UserKey",
    "UserPreferences",
    "WebhookDelivery",
    "WebhookEndpoint",
]
