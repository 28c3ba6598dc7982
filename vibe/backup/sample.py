"""Opens a sample of restored values, the only proof that the keys fit the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.apps import apps

from accounts.keys.services.data_keys import open_vault
from accounts.models import UserKey
from vibe.core.crypto.errors import SealError
from vibe.core.crypto.fields import SealedField, address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_system, as_user

PEOPLE: Final = 50
ROWS: Final = 5  # of each table, a person


@dataclass(slots=True)
class Opened:
    """The number of values and people opened, and the errors of values that did not open."""

    people: int = 0
    values: int = 0
    broken: list[str] = field(default_factory=list)


def open_sample(people: int = PEOPLE) -> Opened:
    """Open some rows of every sealed column of random people. The texts are discarded."""
    found = Opened()
    with as_system():
        drawn = UserKey.objects.filter(destroyed_at=None).order_by("?").values_list("user_id", flat=True)
        chosen = list(dict.fromkeys(drawn[: people * 2]))[:people]
    for user_id in chosen:
        open_some_of(user_id, found)
    return found


def open_some_of(user_id: UUID, found: Opened) -> None:
    """Open one person's sample."""
    with as_user(user_id):
        try:
            vault = open_vault()
        except SealError as problem:
            found.broken.append(str(problem))
            return
        found.people += 1
        for model in sealed_models():
            for row in model._default_manager.filter(user_id=user_id).order_by("?")[:ROWS]:
                open_row(vault, row, found)


def open_row(vault: Vault, row: Any, found: Opened) -> None:
    """Open every sealed value of one row."""
    for column in sealed_columns(type(row)):
        if (value := getattr(row, column)) is not None:
            try:
                vault.open(value, address_of(row, column))
                found.values += 1
            except SealError as problem:
                found.broken.append(str(problem))


def sealed_models() -> list[Any]:
    """Return the models of people's rows with columns sealed under a data key."""
    return [model for model in apps.get_models() if issubclass(model, UserOwned) and sealed_columns(model)]


def sealed_columns(model: Any) -> list[str]:
    """Return the names of a model's columns sealed under a data key."""
    return [each.attname for each in model._meta.local_fields if isinstance(each, SealedField)]
