"""Configuration of Firebase: which project's tokens are accepted, and how strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from vibe.core.errors import ConfigurationError
from vibe.core.from_settings import from_settings

PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{2,29}")
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
UNVERIFIED: Final = frozenset({"ignore", "accept", "refuse"})


@dataclass(frozen=True, slots=True)
class Firebase:
    """The settings FIREBASE_*."""

    project: str
    keys_url: str
    emulator: bool
    clock_skew: int  # seconds
    keys_grace: int  # seconds that expired keys stay valid while new ones cannot be fetched
    unverified_email: str

    def check(self, *, debug: bool) -> None:
        """Raise ConfigurationError, naming the setting that is wrong."""
        if self.emulator and not debug:
            raise ConfigurationError(
                "FIREBASE_EMULATOR is on and DEBUG is off: the emulator's tokens are not signed, so anybody could be "
                "anybody. Take FIREBASE_EMULATOR away."
            )
        if self.emulator and not self.project:
            raise ConfigurationError("FIREBASE_EMULATOR needs FIREBASE_PROJECT_ID, the project that it emulates.")
        if self.project and not PROJECT.fullmatch(self.project):
            raise ConfigurationError("FIREBASE_PROJECT_ID is no project id. Copy it from Firebase's project settings.")
        self._check_url()
        if self.unverified_email not in UNVERIFIED:
            raise ConfigurationError("FIREBASE_UNVERIFIED_EMAIL must be ignore, accept or refuse.")
        if not 0 <= self.clock_skew <= 300:
            raise ConfigurationError("FIREBASE_CLOCK_SKEW must be between 0 and 300 seconds.")
        if self.keys_grace < 0:
            raise ConfigurationError("FIREBASE_KEYS_GRACE must be 0 seconds or more.")

    def _check_url(self) -> None:
        parts = urlsplit(self.keys_url)
        if not parts.hostname or (
            parts.scheme != "https" and (parts.scheme, parts.hostname in LOCAL) != ("http", True)
        ):
            raise ConfigurationError("FIREBASE_KEYS_URL must begin with https://, unless it is on this machine.")

    @property
    def issuer(self) -> str:
        """Return the `iss` of its tokens."""
        return f"https://securetoken.google.com/{self.project}"


@from_settings
def firebase() -> Firebase:
    """Return how Firebase is configured."""
    return Firebase(**settings.FIREBASE)
