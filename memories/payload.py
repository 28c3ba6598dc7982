"""What is inside a memory: one message as JSON, `{"author": ..., "text": ...}`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

# json.dumps with an argument makes an encoder each time, which takes longer than encoding.
TO_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Payload:
    """An opened memory. It does not print."""

    author: str = field(repr=False)
    text: str = field(repr=False)

    def encode(self) -> str:
        """The text that is sealed."""
        return TO_JSON({"author": self.author, "text": self.text})

    @classmethod
    def decode(cls, text: str) -> Payload:
        """What was sealed."""
        return cls(**json.loads(text))
