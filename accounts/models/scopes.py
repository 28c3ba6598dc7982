"""What an API key may do. A person's own token may do everything."""

from __future__ import annotations

from typing import Final

SCOPES: Final = {
    "read": "read conversations, memories, stories, preferences",
    "write": "add to them, change and delete them",
    "export": "take everything of a person out",
    "erase": "erase a person",
}
ALL_SCOPES: Final = frozenset(SCOPES)
