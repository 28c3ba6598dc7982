"""The companion that a conversation is with: sealed, and found by a blind token."""

from __future__ import annotations

from typing import Final

from accounts.models.api_keys import COMPANION_LENGTH
from vibe.core.crypto.vault import Vault

LONGEST_COMPANION: Final = COMPANION_LENGTH


def companion_token(vault: Vault, name: str) -> int:
    """Return the blind token of a companion, as `Conversation.companion_token` has it.

    A companion's name is an id, compared exactly. The blind index folds case and spaces, so that "a1" and "A1" would be
    one; hexadecimal digits have neither.
    """
    return vault.index.token("companion", name.encode().hex())
