"""What an application notes about a memory: a flat JSON object, sealed with the memory."""

from __future__ import annotations

import json
import math
from typing import Annotated, Final

from pydantic import PlainValidator, WithJsonSchema

LARGEST: Final = 4_096
"""Bytes of the object as compact JSON in UTF-8."""
MOST_KEYS: Final = 50
LONGEST_KEY: Final = 200

Scalar = str | int | float | bool | None
Metadata = dict[str, Scalar]

# A shared encoder: json.dumps with an argument creates one each time, which takes longer than encoding.
TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def check_metadata(value: object) -> Metadata:
    """Return metadata as given. Raises ValueError with a reason that quotes nothing of it."""
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    if len(value) > MOST_KEYS:
        raise ValueError(f"has more than {MOST_KEYS} members")
    for key, each in value.items():
        if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
            raise ValueError(f"has a name that is empty or longer than {LONGEST_KEY} characters")
        if not isinstance(each, str | int | float | None):
            raise ValueError("has a member that is no text, number, true, false or null")
        if isinstance(each, float) and not math.isfinite(each):
            raise ValueError("has a number that is not finite")
        if "\0" in key or (isinstance(each, str) and "\0" in each):
            raise ValueError("contains a NUL character")
    try:
        size = len(TO_JSON(value).encode())
    except ValueError:  # UnicodeEncodeError is one
        raise ValueError("contains half of a surrogate pair, or a number of too many digits") from None
    if size > LARGEST:
        raise ValueError(f"takes more than {LARGEST:,} bytes as JSON")
    return value


# Of requests and responses, over HTTP and of agents' tools. A body may write every character as an escape of 6 bytes.
MetadataObject = Annotated[
    Metadata,
    PlainValidator(check_metadata),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_KEYS,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            "x-bytes": 6 * LARGEST + 128 * MOST_KEYS,
            "x-values": MOST_KEYS,
        }
    ),
]
