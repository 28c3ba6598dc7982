"""What can go wrong with what is sealed."""

from __future__ import annotations

from vibe.core.errors import VibeError


class SealError(VibeError):
    message = "A sealed value could not be opened."
    code = "seal"


class MasterKeyMissing(SealError):
    message = "The master key this was sealed under is not configured, in ENCRYPTION_KEY or ENCRYPTION_KEYS_RETIRED."
    code = "master-key-missing"


class DataKeyMissing(SealError):
    message = "The person has no data key of that generation: it was destroyed or never made."
    code = "data-key-missing"


class FormatUnknown(SealError):
    message = "The stored bytes are of an unknown format version."
    code = "format-unknown"


class SealBroken(SealError):
    message = "The seal does not hold: wrong key, a value moved from elsewhere, altered bytes, or never sealed."
    code = "seal-broken"
