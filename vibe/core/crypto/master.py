"""The master keys: they wrap each person's data key and the few small values that must open before it.

Stored form, version 1:  0x11 | id of the master key, 8 bytes | Fernet token, as bytes
Inside the token:        length of the address, 2 bytes | the address | the value

A text of a person is padded to its size class before it is wrapped (see vibe.core.crypto.padding). Data keys and
one-time secrets are of one length each, and are not.

The address goes inside because Fernet (github.com/fernet/spec) authenticates no context of its own. A token shows when
it was made, to the second.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Final, Self

from cryptography.fernet import Fernet, InvalidToken

from vibe.core.crypto.errors import FormatUnknown, MasterKeyMissing, SealBroken, SealError
from vibe.core.crypto.padding import pad, unpad
from vibe.core.crypto.seal import KEY_BYTES, derive, notify
from vibe.core.crypto.sealed import Address, Sealed
from vibe.core.crypto.strength import is_well_known
from vibe.core.errors import ConfigurationError, InputError

VERSION: Final = b"\x11"
ID_BYTES: Final = 8
HEADER_BYTES: Final = 1 + ID_BYTES
SHORTEST_TOKEN_BYTES: Final = 1 + 8 + 16 + 16 + 32  # version, time, IV, one block, HMAC


class MasterKey:
    """One master key. `id` names it without telling anything of it: the first 8 bytes of a derived digest."""

    __slots__ = ("fernet", "id")

    def __init__(self, secret: bytes) -> None:
        self.id: Final = hashlib.sha256(derive(secret, "master-id")).digest()[:ID_BYTES]
        self.fernet: Final = Fernet(base64.urlsafe_b64encode(derive(secret, "wrap")))

    def __repr__(self) -> str:
        return f"<master key {self.id.hex()}>"

    @classmethod
    def from_hex(cls, text: str, *, setting: str) -> Self:
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


class MasterRing:
    """The current master key, which wraps, and the retired ones, which only unwrap until rotation is done."""

    __slots__ = ("_by_id", "current")

    def __init__(self, current: MasterKey, retired: Sequence[MasterKey] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (current, *retired)}

    def __repr__(self) -> str:
        return f"<master ring, current {self.current.id.hex()}, {self.retired_count} retired>"

    @property
    def retired_count(self) -> int:
        """Return how many keys only unwrap."""
        return len(self._by_id) - 1

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Return the ids of all keys, that of the current one first."""
        return tuple(self._by_id)

    def __contains__(self, key_id: bytes) -> bool:
        return key_id in self._by_id

    @classmethod
    def from_hex(cls, current: str, *, retired: str = "") -> Self:
        """Read the settings. `retired` is a list, separated by commas or white space. Raises ConfigurationError."""
        return cls(
            MasterKey.from_hex(current.strip(), setting="ENCRYPTION_KEY"),
            [MasterKey.from_hex(key, setting="ENCRYPTION_KEYS_RETIRED") for key in retired.replace(",", " ").split()],
        )

    def wrap(self, value: bytes, address: Address) -> Sealed:
        """Wrap a small value for one address under the current key."""
        token = self.current.fernet.encrypt(bind(value, address))
        notify("wrap", 1)
        return Sealed(VERSION + self.current.id + base64.urlsafe_b64decode(token))

    def wrap_text(self, text: str, address: Address) -> Sealed:
        """Wrap a small text, padded. Raises InputError for a lone surrogate."""
        try:
            value = text.encode()
        except UnicodeEncodeError:
            value = None  # and raise outside: what was caught holds the text
        if value is None:
            raise InputError(f"{address} takes valid Unicode only, without lone surrogates.")
        return self.wrap(pad(value), address)

    def unwrap_text(self, sealed: Sealed, address: Address) -> str:
        """Unwrap a text. Raises like `unwrap`; malformed padding, or what is no text, is SealBroken."""
        value = self.unwrap(sealed, address)
        try:
            return unpad(value).decode()
        except ValueError:
            pass  # and raise outside: what was caught may hold the text
        raise SealBroken(f"{address} holds a value that is no padded text.")

    def unwrap(self, sealed: Sealed, address: Address) -> bytes:
        """Unwrap a value. Raises FormatUnknown, MasterKeyMissing or SealBroken, each naming the address."""
        try:
            value = self._unwrap(sealed, address)
        except SealError:
            notify("unwrap", 1, well=False)
            raise
        notify("unwrap", 1)
        return value

    def _unwrap(self, sealed: Sealed, address: Address) -> bytes:
        stored = sealed.ciphertext if isinstance(sealed, Sealed) else b""
        if stored[:1] != VERSION or len(stored) < HEADER_BYTES + SHORTEST_TOKEN_BYTES:
            raise FormatUnknown(f"{address} is not in a known wrapped format.")
        key = self._by_id.get(stored[1:HEADER_BYTES])
        if key is None:
            raise MasterKeyMissing(
                f"{address} was wrapped under master key {stored[1:HEADER_BYTES].hex()}, which is not configured: "
                "set it in ENCRYPTION_KEY or, where it was retired, in ENCRYPTION_KEYS_RETIRED."
            )
        return self._open(key, stored[HEADER_BYTES:], address)

    @staticmethod
    def _open(key: MasterKey, token: bytes, address: Address) -> bytes:
        try:
            bound = key.fernet.decrypt(base64.urlsafe_b64encode(token))
        except InvalidToken:
            raise SealBroken(f"{address} does not open under master key {key.id.hex()}.") from None
        prefix = bind(b"", address)
        if not bound.startswith(prefix):
            raise SealBroken(f"{address} holds a value that was wrapped for another place.")
        return bound[len(prefix) :]


def bind(value: bytes, address: Address) -> bytes:
    """Return the value prefixed with its address."""
    place = address.associated_data()
    return len(place).to_bytes(2, "big") + place + value
