"""Keys of the audit log: one signs checkpoints; another, derived from it, authenticates rows until they are sealed."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final, Self

from django.conf import settings

from audit.errors import SigningKeyInvalid
from audit.proof.signing import KeyRing, SigningKey
from vibe.core.crypto.seal import derive
from vibe.core.from_settings import from_settings

MAC_SIZE: Final = 32  # bytes
_LABEL: Final = "audit/row"


@dataclass(frozen=True, slots=True)
class TrailKeys:
    """The signing key, the trusted public keys, and the secrets that authenticate rows.

    A row's MAC (HMAC-SHA256) shows that the recorder wrote it. It matters until the row is sealed: somebody with rights
    over the database, but not over the process, cannot make a valid one for a row inserted or edited in that time.
    """

    signing: SigningKey
    ring: KeyRing
    _row_keys: tuple[bytes, ...] = field(repr=False)  # the current one first

    @classmethod
    def from_hex(cls, current: str, *, retired: str = "", public: str = "") -> Self:
        """Read keys of 64 hex digits; the last two are lists, separated by commas or white space.

        `retired` are former signing keys whose rows are not all sealed yet, `public` the public halves of those that
        only checkpoints still need. Raises SigningKeyInvalid, which does not show what was given.
        """
        former = retired.replace(",", " ").split()
        signing = SigningKey.from_hex(current)
        ring = KeyRing.from_hex(public).including(signing)
        for key in former:
            ring = ring.including(SigningKey.from_hex(key))
        return cls(signing, ring, tuple(_row_key(key) for key in (current, *former)))

    def mac(self, content: bytes) -> bytes:
        """Return the MAC of a row's canonical bytes, 32 bytes."""
        return hmac.digest(self._row_keys[0], content, "sha256")

    def has_made(self, mac: bytes, content: bytes) -> bool:
        """Return whether this is the MAC of these bytes, under the current key or a retired one."""
        return any(hmac.compare_digest(hmac.digest(key, content, "sha256"), mac) for key in self._row_keys)


@from_settings
def trail_keys() -> TrailKeys:
    """Return the configured keys. Raises SigningKeyInvalid."""
    return TrailKeys.from_hex(
        settings.AUDIT_SIGNING_KEY,
        retired=settings.AUDIT_SIGNING_KEYS_RETIRED,
        public=settings.AUDIT_PUBLIC_KEYS_RETIRED,
    )


def _row_key(seed: str) -> bytes:
    try:
        return derive(bytes.fromhex(seed.strip()), _LABEL)
    except ValueError:
        raise SigningKeyInvalid() from None
