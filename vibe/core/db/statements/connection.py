"""This thread's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from vibe.core.db.backend.base import DatabaseWrapper


def current_connection() -> DatabaseWrapper:
    """The connection itself, not Django's proxy: that looks for it anew for each attribute, and has no types."""
    return cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])
