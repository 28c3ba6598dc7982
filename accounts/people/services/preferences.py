"""A person's preferences: free in shape, bounded in size, changed by JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from accounts.models import PREFERENCES_BYTES, UserPreferences
from audit.actors import Actor
from audit.services import record
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.versions import Versions, require_version
from vibe.core.errors import InputError

UNSET = datetime(1970, 1, 1, tzinfo=UTC)  # when preferences were changed that nobody has set yet


class PreferencesTooLarge(InputError):
    message = "Preferences are for settings, and take 64 KiB at most. Take something out."
    code = "preferences-too-large"
    status = 413


def preferences(user_id: UUID) -> UserPreferences:
    """What a person has set; nothing, at version 0, until they do. Inside as_user()."""
    found: UserPreferences | None = UserPreferences.objects.of(user_id).first()
    return found or UserPreferences(user_id=user_id, revision=0, updated_at=UNSET)


def change_preferences(
    *, user_id: UUID, patch: dict[str, Any], actor: Actor, expected: Versions | None = None
) -> UserPreferences:
    """Merge a patch into the preferences, whole or not at all. Raises PreferencesTooLarge and Outdated.

    Two patches at once follow one another; neither loses what the other set.
    """
    with as_user(user_id):
        row = lock_preferences(user_id)
        require_version(row, expected)
        merged = merge(row.data, patch)
        if merged != row.data:
            row.data, row.revision = merged, row.revision + 1
            save_preferences(row)
        record(
            actor=actor,
            action="preferences.change",
            subject=user_id,
            resource="user_preferences",
            details={"revision": row.revision},
        )
    return row


def restore_preferences(user_id: UUID, line: dict[str, Any], *, actor: Actor) -> bool:
    """Set what an export has, for a person who has set nothing here. Whether that was so. Raises InputError."""
    data = line.get("data")
    if not isinstance(data, dict):
        raise InputError("data is missing or not an object")
    with as_user(user_id):
        if not data or lock_preferences(user_id).revision:
            return False
        change_preferences(user_id=user_id, patch=data, actor=actor)
    return True


def lock_preferences(user_id: UUID) -> UserPreferences:
    """The person's row, made if it is not there, kept from others until the transaction ends."""
    bulk.run(
        "INSERT INTO user_preferences (id, user_id, data, revision, updated_at) VALUES (%b, %b, '{}', 0, %b) "
        "ON CONFLICT (user_id) DO NOTHING",
        [uuid7(), user_id, UNSET],
    )
    row: UserPreferences = UserPreferences.objects.of(user_id).select_for_update().get()
    return row


def save_preferences(row: UserPreferences) -> None:
    """Save. The database measures them as it keeps them; what is far beyond is not even sent."""
    if len(json.dumps(row.data, ensure_ascii=False).encode()) > 2 * PREFERENCES_BYTES:
        raise PreferencesTooLarge
    try:
        row.save(update_fields=["data", "revision", "updated_at"])
    except IntegrityError:
        raise PreferencesTooLarge from None


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396, section 2): null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
