"""The master keys: they wrap each person's data key and the few small values that must open before it.

Stored form, version 2:  0x12 | id of the master key, 8 bytes | what that key made
Made by a `MasterKey`:   nonce, 12 bytes | ciphertext | tag, 16 bytes
Associated data:         the first 9 of these bytes | the address of the value (see vibe.core.crypto.seal)

A `MasterKey` is held by this process. Keys that a service holds are in accounts.keys.providers.

Version 1 had a Fernet token, of AES-128, after the id, with the address inside. It opens, and rotation replaces it.

A text of a person is padded to its size class before it is wrapped (see vibe.core.crypto.seal). Data keys and
one-time secrets are of one length each, and are not.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vibe.core.crypto.errors import FormatUnknown, MasterKeyMissing, SealBroken, SealError
from vibe.core.crypto.seal import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Address, Sealed, derive, notify, pad, unpad
from vibe.core.crypto.strength import is_well_known
from vibe.core.errors import ConfigurationError, InputError

VERSION: Final = b"\x12"
FERNET_VERSION: Final = b"\x11"
VERSIONS: Final = (VERSION, FERNET_VERSION)
ID_BYTES: Final = 8
HEADER_BYTES: Final = 1 + ID_BYTES
SHORTEST_BYTES: Final = HEADER_BYTES + NONCE_BYTES + TAG_BYTES


class WrappingKey(Protocol):
    """A master key, wherever it is held. `id` names it without telling anything of it."""

    @property
    def id(self) -> bytes:
        """Return 8 bytes."""

    def wrap(self, value: bytes, associated: bytes) -> bytes:
        """Encrypt a small value, bound to the associated data."""

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises InvalidTag for anything else, or for other associated data."""


class MasterKey:
    """A master key of 32 bytes, held by this process. Its id is the first 8 bytes of a derived digest."""

    __slots__ = ("_aead", "_fernet", "id")

    def __init__(self, secret: bytes) -> None:
        self.id: Final = hashlib.sha256(derive(secret, "master-id")).digest()[:ID_BYTES]
        self._aead: Final = AESGCM(derive(secret, "wrap-2"))
        self._fernet: Final = Fernet(base64.urlsafe_b64encode(derive(secret, "wrap")))

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

    def wrap(self, value: bytes, associated: bytes) -> bytes:
        """Encrypt a small value."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, value, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises InvalidTag."""
        return self._aead.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], associated)

    def unwrap_fernet(self, token: bytes) -> bytes:
        """Decrypt a token of stored form 1. Raises InvalidTag."""
        try:
            return self._fernet.decrypt(base64.urlsafe_b64encode(token))
        except InvalidToken:
            raise InvalidTag from None


Reader = Callable[..., WrappingKey]


class MasterRing:
    """The current master key, which wraps, and the retired ones, which only unwrap until rotation is done."""

    __slots__ = ("_by_id", "current")

    def __init__(self, current: WrappingKey, retired: Sequence[WrappingKey] = ()) -> None:
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

    @property
    def keys(self) -> tuple[WrappingKey, ...]:
        """Return all keys, the current one first."""
        return tuple(self._by_id.values())

    @classmethod
    def read(cls, current: str, *, retired: str = "", read_key: Reader = MasterKey.from_hex) -> Self:
        """Read the settings. `retired` is a list, separated by commas or white space. Raises ConfigurationError."""
        return cls(
            read_key(current.strip(), setting="ENCRYPTION_KEY"),
            [read_key(key, setting="ENCRYPTION_KEYS_RETIRED") for key in retired.replace(",", " ").split()],
        )

    def wrap(self, value: bytes, address: Address) -> Sealed:
        """Wrap a small value for one address under the current key."""
        header = VERSION + self.current.id
        wrapped = self.current.wrap(value, header + address.associated_data())
        notify("wrap", 1)
        return Sealed(header + wrapped)

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
        if stored[:1] not in VERSIONS or len(stored) < SHORTEST_BYTES:
            raise FormatUnknown(f"{address} is not in a known wrapped format.")
        header, wrapped = stored[:HEADER_BYTES], stored[HEADER_BYTES:]
        key = self._by_id.get(header[1:])
        if key is None:
            raise MasterKeyMissing(
                f"{address} was wrapped under master key {header[1:].hex()}, which is not configured: "
                "set it in ENCRYPTION_KEY or, where it was retired, in ENCRYPTION_KEYS_RETIRED."
            )
        try:
            if header.startswith(FERNET_VERSION) and isinstance(key, MasterKey):
                return bound_value(key.unwrap_fernet(wrapped), address)
            return key.unwrap(wrapped, header + address.associated_data())
        except InvalidTag:
            raise SealBroken(f"{address} does not open under master key {key.id.hex()}.") from None


def bound_value(bound: bytes, address: Address) -> bytes:
    """Return the value of stored form 1: length of the address, 2 bytes | the address | the value."""
    place = address.associated_data()
    prefix = len(place).to_bytes(2, "big") + place
    if not bound.startswith(prefix):
        raise SealBroken(f"{address} holds a value that was wrapped for another place.")
    return bound[len(prefix) :]
