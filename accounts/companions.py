"""The companion that a conversation is with, or a credential is bound to: an id of the application."""

from __future__ import annotations

from typing import Final

from vibe.core.crypto.vault import Vault

LONGEST_COMPANION: Final = 100  # characters


def companion_token(vault: Vault, name: str) -> int:
    """Return the blind token of a companion, as conversations and exports have it.

    A companion's name is an id, compared exactly. The blind index folds case and spaces, so that "a1" and "A1" would be
    one; hexadecimal digits have neither.
    """
    return vault.index.token("companion", name.encode().hex())
