"""The master keys: they wrap each person's data key and the few small values that must open before it.

Stored form, version 1:  0x11 | key id, 8 bytes | Fernet token, decoded
The token's plaintext starts with the address it was wrapped for, since Fernet itself authenticates no context.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from vibe.crypto.address import Address
from vibe.crypto.derive import KEY_BYTES, derive
from vibe.crypto.sealed import Sealed
from vibe.errors import ConfigurationError, FormatUnknown, MasterKeyMissing, SealBroken

VERSION = b"\x11"
ID_BYTES = 8
HEADER_BYTES = 1 + ID_BYTES
MINIMUM_DISTINCT_BYTES = 12


class MasterKey:
    """One master key. `id` names it without telling anything of it: the first 8 bytes of a derived digest."""

    def __init__(self, secret: bytes) -> None:
        self.id = hashlib.sha256(derive(secret, "master-id")).digest()[:ID_BYTES]
        self.fernet = Fernet(base64.urlsafe_b64encode(derive(secret, "wrap")))

    def __repr__(self) -> str:
        return f"<master key {self.id.hex()}>"

    @classmethod
    def from_hex(cls, text: str, *, setting: str) -> MasterKey:
        """Read 64 hex digits. Raises ConfigurationError, naming the setting and never the value."""
        if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
            raise ConfigurationError(
                f"{setting} must be {2 * KEY_BYTES} hexadecimal digits. Make one with: openssl rand -hex {KEY_BYTES}"
            )
        secret = bytes.fromhex(text)
        if is_well_known(secret):
            raise ConfigurationError(
                f"{setting} is a well-known or patterned key. Make one with: openssl rand -hex {KEY_BYTES}"
            )
        return cls(secret)


def is_well_known(secret: bytes) -> bool:
    """Whether a key is one that people type: repeated bytes, a counting sequence, or a short period.

    32 random bytes hold fewer than 12 different values about once in 10**19 draws.
    """
    counting = all((b - a) % 256 == (secret[1] - secret[0]) % 256 for a, b in zip(secret, secret[1:], strict=False))
    return counting or len(set(secret)) < MINIMUM_DISTINCT_BYTES or secret[:16] == secret[16:]


class MasterRing:
    """The current master key, which wraps, and the retired ones, which only unwrap until rotation is done."""

    def __init__(self, current: MasterKey, retired: Sequence[MasterKey] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (current, *retired)}

    def wrap(self, value: bytes, address: Address) -> Sealed:
        """Wrap a small value for one address under the current key."""
        token = self.current.fernet.encrypt(bind(value, address))
        return Sealed(VERSION + self.current.id + base64.urlsafe_b64decode(token))

    def unwrap(self, sealed: Sealed, address: Address) -> bytes:
        """The value again. Raises FormatUnknown, MasterKeyMissing or SealBroken, each naming the address."""
        stored = sealed.ciphertext
        if stored[:1] != VERSION:
            raise FormatUnknown(f"{address} is not in a known wrapped format.")
        key = self._by_id.get(master_id(sealed))
        if key is None:
            raise MasterKeyMissing(
                f"{address} was wrapped under master key {master_id(sealed).hex()}, which is not configured: "
                "add that key to ENCRYPTION_KEYS_RETIRED."
            )
        return self._open(key, stored[HEADER_BYTES:], address)

    def is_current(self, sealed: Sealed) -> bool:
        """Whether a wrapped value is under the current key already."""
        return master_id(sealed) == self.current.id

    @staticmethod
    def _open(key: MasterKey, token: bytes, address: Address) -> bytes:
        try:
            bound = key.fernet.decrypt(base64.urlsafe_b64encode(token))
        except (InvalidToken, binascii.Error):
            raise SealBroken(f"{address} does not open under master key {key.id.hex()}.") from None
        prefix = bind(b"", address)
        if not bound.startswith(prefix):
            raise SealBroken(f"{address} holds a value that was wrapped for another place.")
        return bound[len(prefix) :]


def master_id(sealed: Sealed) -> bytes:
    """Which master key a wrapped value is under."""
    return sealed.ciphertext[1:HEADER_BYTES]


def bind(value: bytes, address: Address) -> bytes:
    """The value behind its address."""
    place = address.associated_data()
    return len(place).to_bytes(2, "big") + place + value
