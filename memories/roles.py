"""The part of a speaker in a conversation, and the rule that derives it from a name. docs/api.md has the rule."""

from __future__ import annotations

import re
from typing import Final

from django.db.models import TextChoices

from vibe.core.folding import fold


class Role(TextChoices):
    """The part of a message's speaker. The author is a display name."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"
    OTHER = "other"


# Words that say the role, and words that may stand beside them ("AI companion", "function call output").
NAMED: Final = {
    Role.USER: {"user", "human", "me", "myself", "i", "you"},
    Role.ASSISTANT: {"assistant", "ai", "bot", "chatbot", "model", "companion", "llm", "agent"},
    Role.SYSTEM: {"system", "developer", "sys"},
    Role.TOOL: {"tool", "tools", "function", "functions", "plugin"},
}
BESIDE: Final = {
    Role.USER: {"the"},
    Role.ASSISTANT: {"the", "my", "your", "chat", "language", "large", "virtual"},
    Role.SYSTEM: {"the", "message", "prompt", "instruction", "instructions"},
    Role.TOOL: {"the", "call", "result", "results", "response", "output"},
}
_WORD: Final = re.compile(r"[^\W_]+")
_GPT: Final = re.compile(r"(chat)?gpt")


def role_of(author: str, own_name: str = "") -> Role:
    """Return the role of an author whose role is not given. `own_name` is the person's, as far as it is known.

    Case, Unicode form, punctuation and numbers do not count. The person's own name, or words of it, is the user, even
    if it is also the name of a role.
    """
    words = _words(author)
    if words and words <= _words(own_name):
        return Role.USER
    said = {word.rstrip("0123456789") for word in words} - {""}
    for role, names in NAMED.items():
        if said & names and said <= names | BESIDE[role]:
            return role
    return Role.ASSISTANT if any(map(_GPT.match, words)) else Role.OTHER


def _words(name: str) -> set[str]:
    """Return the words of a name, "A.I." as one."""
    return set(_WORD.findall(fold(name).replace(".", "")))
