"""Django columns for sealed values. The only file of vibe.crypto that knows Django.

What is read from such a column is a `Sealed`; what is written must be one. Looking a value up by its text, or
writing the text itself, is refused: both would otherwise leak or silently find nothing.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.expressions import BaseExpression
from encrypted_model_fields.fields import EncryptedTextField

from vibe.crypto.address import Address
from vibe.crypto.sealed import Sealed
from vibe.errors import SealBroken

ALLOWED_LOOKUPS = frozenset({"isnull"})


class SealedColumn(models.Field[Any, Any]):
    """What both kinds of sealed column share: bytea in the database, `Sealed` in Python, no look-ups by value."""

    empty_strings_allowed = False

    def db_type(self, connection: Any) -> str:
        return "bytea"

    def get_internal_type(self) -> str:
        return "BinaryField"

    def to_python(self, value: Any) -> Any:
        return value

    def from_db_value(self, value: Any, *_: Any) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))

    def get_prep_value(self, value: Any) -> bytes | None:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return value.ciphertext
        raise SealBroken(f"{self.model._meta.db_table}.{self.column} takes a sealed value only, not {type(value).__name__}.")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, BaseExpression):
            raise FieldError(f"{self.name} is sealed: an expression cannot be written to it.")
        return self.get_db_prep_value(value, connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        stored = value if prepared else self.get_prep_value(value)
        return None if stored is None else connection.Database.Binary(stored)

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in ALLOWED_LOOKUPS:
            raise FieldError(f"{self.name} is sealed: it cannot be searched by value. Use its blind index.")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> NoReturn:
        raise FieldError(f"{self.name} is sealed: nothing can be computed from it in the database.")

    def value_to_string(self, obj: models.Model) -> NoReturn:
        raise FieldError(f"{self.name} is sealed: it is not serialised.")

    def formfield(self, *_: Any, **__: Any) -> None:
        return None


class SealedField(SealedColumn):
    """A text under the person's own data key. Open it with `Vault.open(value, address_of(row, "column"))`."""


class WrappedField(SealedColumn, EncryptedTextField):
    """A small value under the master key: django-encrypted-model-fields' column, made to fail closed.

    As it comes, that package returns ciphertext for text when the key is wrong, accepts plaintext and decrypts on
    assignment. Here nothing is decrypted by reading: `MasterRing.unwrap` opens, or raises.
    """


def address_of(row: models.Model, column: str) -> Address:
    """The address of a column of a row that belongs to a person (or is that person's own row)."""
    user_id = getattr(row, "user_id", None) or row.pk
    return Address(row._meta.db_table, column, user_id, row.pk, getattr(row, "revision", 1))
