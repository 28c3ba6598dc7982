"""The speakers, people, places and events of a person: each name once, sealed, behind its blind token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection

from stories.models import Entity
from vibe.crypto.vault import Vault
from vibe.db import bulk
from vibe.db.owned import uuid7

TABLE = Entity._meta.db_table
KIND = Entity.Kind
SPEAKERS_READ = 200
WHERE_USED = {
    KIND.SPEAKER: "SELECT FROM passages WHERE user_id = entities.user_id AND speaker = entities.token",
    KIND.PERSON: "SELECT FROM stories WHERE user_id = entities.user_id AND people_index @> ARRAY[entities.token]",
    KIND.PLACE: "SELECT FROM stories WHERE user_id = entities.user_id AND places_index @> ARRAY[entities.token]",
    KIND.EVENT: "SELECT FROM stories WHERE user_id = entities.user_id AND events_index @> ARRAY[entities.token]",
}


def remember(user_id: UUID, vault: Vault, names: Mapping[str, Iterable[str]]) -> None:
    """Keep each name of each kind, unless it is kept already."""
    named = {
        (kind, vault.index.token(kind, name)): (uuid7(), name) for kind, given in names.items() for name in given
    }
    if not named:
        return
    sealed = vault.seal_all(TABLE, "name", ((row_id, 1, name) for row_id, name in named.values()))
    bulk.insert(
        TABLE,
        {
            "id": ("uuid", [row_id for row_id, _ in named.values()]),
            "user_id": ("uuid", [user_id] * len(named)),
            "kind": ("text", [kind for kind, _ in named]),
            "token": ("int8", [token for _, token in named]),
            "name": ("bytea", [value.ciphertext for value in sealed]),
        },
        tail="ON CONFLICT (user_id, kind, token) DO NOTHING",
    )


def forget_unused(user_id: UUID) -> None:
    """Drop the names that no story and no passage bears any more."""
    with connection.cursor() as cursor:
        for kind, used in WHERE_USED.items():
            cursor.execute(
                f"DELETE FROM entities WHERE user_id = %s AND kind = %s AND NOT EXISTS ({used})",  # noqa: S608
                [user_id, kind.value],
            )


def speakers(user_id: UUID, vault: Vault) -> list[str]:
    """Under which names people spoke, the first of them first."""
    rows = list(Entity.objects.of(user_id).filter(kind=KIND.SPEAKER).order_by("id")[:SPEAKERS_READ])
    return vault.open_all(TABLE, "name", ((row.pk, 1, row.name) for row in rows))
