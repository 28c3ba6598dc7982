"""Errors of backups."""

from __future__ import annotations

from vibe.core.errors import InputError, VibeError


class BackupBroken(InputError):
    message = "The backup is cut off, altered, or no backup at all."
    code = "backup-broken"


class BackupFailed(VibeError):
    message = "The backup could not be taken or put back."
    code = "backup-failed"
