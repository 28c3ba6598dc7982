"""Signed statements about erasures: that one has begun (a tombstone), and what it removed (a receipt).

Ed25519 (RFC 8032) under the audit log's signing key, over the statement as JSON with sorted keys and no spaces.
"""

from __future__ import annotations

import json
from typing import Any, Final

from audit.proof.keys import trail_keys

PURPOSE: Final = b"vibe/erasure/1\n"  # domain separation from the audit log's signatures
Statement = dict[str, Any]


def sign_statement(statement: Statement) -> Statement:
    """Return the statement with key id and signature, both in hexadecimal."""
    keys = trail_keys()
    named = {**statement, "key": keys.signing.id.hex()}
    return {**named, "signature": keys.signing.sign(encoded(named)).hex()}


def signature_holds(statement: Any) -> bool:
    """Return whether one of our keys signed this statement."""
    keys = trail_keys()
    try:
        named = {name: value for name, value in statement.items() if name != "signature"}
        signature, key = bytes.fromhex(statement["signature"]), bytes.fromhex(statement["key"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return keys.ring.verify(key, encoded(named), signature)


def encoded(statement: Statement) -> bytes:
    """Encode a statement for signing."""
    return PURPOSE + json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
