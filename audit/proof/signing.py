"""Keys for audit checkpoints: the one that signs, and the ring of all that ever did (Ed25519, RFC 8032)."""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import SigningKeyInvalid

KEY_ID_SIZE: Final = 8  # bytes
SIGNATURE_SIZE: Final = 64  # bytes


def key_id(public: bytes) -> bytes:
    """Return the name of a public key (32 bytes): the first 8 bytes of its SHA-256."""
    return sha256(public).digest()[:KEY_ID_SIZE]


class SigningKey:
    """The private key; its repr shows only the id."""

    __slots__ = ("_private", "id", "public")

    def __init__(self, seed: bytes) -> None:
        """Take the 32 bytes of the key."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()  # 32 bytes
        self.id = key_id(self.public)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read a key of 64 hex digits. Raises SigningKeyInvalid, which does not show what was given."""
        return cls(_from_hex(text))

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id.hex()})"


class KeyRing:
    """The public keys whose checkpoints are trusted: the one in use and those it replaced."""

    __slots__ = ("_keys",)

    def __init__(self, publics: Iterable[bytes]) -> None:
        """Take public keys of 32 bytes each; one given twice counts once."""
        self._keys = {key_id(public): Ed25519PublicKey.from_public_bytes(public) for public in publics}

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read public keys of 64 hex digits each, separated by commas or white space. Raises SigningKeyInvalid."""
        return cls(_from_hex(entry) for entry in re.split(r"[,\s]+", text) if entry)

    def including(self, key: SigningKey) -> "KeyRing":
        """Return a ring that also holds the public half of `key`."""
        return KeyRing([*(known.public_bytes_raw() for known in self._keys.values()), key.public])

    def verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether the key of this id is in the ring and made this signature."""
        public = self._keys.get(key)
        if public is None:
            return False
        try:
            public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _from_hex(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise SigningKeyInvalid()
    return bytes.fromhex(text.strip())
