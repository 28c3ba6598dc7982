"""A person's preferences: a JSON object of bounded size, changed by JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from accounts.models import PREFERENCES_BYTES, UserPreferences
from audit.actors import Actor
from audit.services import record
from vibe.core.db.schema.owned import Versions, require_version, uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.errors import InputError

LARGEST_NUMBER = 2**53 - 1
UNSET = datetime(1970, 1, 1, tzinfo=UTC)  # time of change of preferences that were never set


class PreferencesTooLarge(InputError):
    message = "Preferences are for settings, and take 64 KiB at most. Take something out."
    code = "preferences-too-large"
    status = 413


class NumberTooLarge(InputError):
    message = "Preferences hold a number beyond 9007199254740991, which programs read differently. Send it as a text."
    code = "number-too-large"


def preferences(user_id: UUID) -> UserPreferences:
    """Read a person's preferences; empty, at version 0, until they are set. Call it inside as_user()."""
    found: UserPreferences | None = UserPreferences.objects.of(user_id).first()
    return found or UserPreferences(user_id=user_id, revision=0, updated_at=UNSET)


def change_preferences(
    *, user_id: UUID, patch: dict[str, Any], actor: Actor, expected: Versions | None = None
) -> UserPreferences:
    """Merge a patch into the preferences atomically. Raises PreferencesTooLarge and Outdated.

    Concurrent patches are serialized, so that none overwrites another. Raises NumberTooLarge, too: PostgreSQL gives
    1e300 back as an integer of 301 digits.
    """
    check_numbers(patch)
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
    """Restore preferences from an export if the person has none. Return whether it did. Raises InputError."""
    data = line.get("data")
    if not isinstance(data, dict):
        raise InputError("data is missing or not an object")
    with as_user(user_id):
        if not data or lock_preferences(user_id).revision:
            return False
        change_preferences(user_id=user_id, patch=data, actor=actor)
    return True


def lock_preferences(user_id: UUID) -> UserPreferences:
    """Lock the person's row until the transaction ends. Create it if it is missing."""
    bulk.run(
        "INSERT INTO user_preferences (id, user_id, data, revision, updated_at) VALUES (%b, %b, '{}', 0, %b) "
        "ON CONFLICT (user_id) DO NOTHING",
        [uuid7(), user_id, UNSET],
    )
    row: UserPreferences = UserPreferences.objects.of(user_id).select_for_update().get()
    return row


def save_preferences(row: UserPreferences) -> None:
    """Save. The database checks the stored size; far larger ones are not sent. Raises PreferencesTooLarge."""
    if len(json.dumps(row.data, ensure_ascii=False).encode()) > 2 * PREFERENCES_BYTES:
        raise PreferencesTooLarge
    try:
        row.save(update_fields=["data", "revision", "updated_at"])
    except IntegrityError:
        raise PreferencesTooLarge from None


def check_numbers(value: Any) -> None:
    """Raise NumberTooLarge for a fraction or exponent beyond what a double holds exactly (RFC 7493, section 2.2)."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            check_numbers(each)
    elif isinstance(value, float) and abs(value) > LARGEST_NUMBER:
        raise NumberTooLarge


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch (RFC 7396, section 2): null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
