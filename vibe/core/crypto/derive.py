"""HKDF-SHA256 (RFC 5869): one label, one key. No key is ever used for two purposes."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES = 32


def derive(secret: bytes, label: str) -> bytes:
    """32 bytes for `label`. The secret is uniformly random already, so the expand step suffices (RFC 5869, 3.3)."""
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=b"vibe/1/" + label.encode()).derive(secret)
