"""Errors of the keys: why they are not there, or not opened."""

from __future__ import annotations

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.errors import Refused, VibeError


class WrongMasterKey(DatabaseNotReady):
    message = "The configured master keys open none of the stored data keys. Set ENCRYPTION_KEY back to the right one."
    code = "wrong-master-key"


class ProcessingRestricted(Refused):
    message = (
        "Processing of this person's data is restricted: it is kept, and not searched, built or added to. They can "
        "still read, take along and erase what is theirs. Ask support to lift the restriction."
    )
    code = "processing-restricted"


class KeyServiceUnavailable(VibeError):
    """The service of a master key gives no key. Callers are told no more; `reason` is for the log and `doctor`."""

    message = "The key service does not answer at the moment. Try again shortly."
    code = "key-service-away"
    status = 503

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


class KeyServiceRefuses(KeyServiceUnavailable):
    message = "The key service refuses the key of this service. Whoever runs it learns more from: manage.py doctor"
    code = "key-service-refuses"
