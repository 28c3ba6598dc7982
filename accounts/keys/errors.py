"""Errors of the master keys."""

from __future__ import annotations

from vibe.core.db.errors import DatabaseNotReady


class WrongMasterKey(DatabaseNotReady):
    message = "The configured master keys open none of the stored data keys. Set ENCRYPTION_KEY back to the right one."
    code = "wrong-master-key"
