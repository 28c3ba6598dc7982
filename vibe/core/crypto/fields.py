"""Django columns for sealed values. The only file of vibe.core.crypto that knows Django.

What is read from such a column is a `Sealed`; what is written must be one. Looking a value up by its text, computing
with it in the database, or writing the text itself is refused: it would leak, or silently find nothing.
"""

from __future__ import annotations

from typing import Any, NoReturn
from uuid import UUID

from django.core.exceptions import FieldError, ValidationError
from django.db import models
from django.db.models import Case, Value
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from encrypted_model_fields.fields import EncryptedTextField

from vibe.core.crypto.errors import SealBroken
from vibe.core.crypto.seal import Address, Sealed


class SealedColumn(models.Field[Any, Any]):
    """What both kinds of sealed column share: bytea in the database, `Sealed` in Python, no look-ups by value."""

    empty_strings_allowed = False

    def db_type(self, connection: Any) -> str:
        return "bytea"

    def get_internal_type(self) -> str:
        return "BinaryField"

    def to_python(self, value: Any) -> Any:
        return value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        if value.__class__ is bytes:  # what psycopg gives, asked first: this is called for every value read
            return Sealed(value)
        return None if value is None else Sealed(bytes(value))

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        if not (isinstance(value, Sealed) or (value is None and self.null)):
            raise ValidationError(f"{self.name} is sealed: it takes a sealed value only.", code="sealed")

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = super().pre_save(model_instance, add)
        if not (value is None or isinstance(value, Sealed) or hasattr(value, "resolve_expression")):
            row = f"{self.place()} of row {model_instance.pk}"
            raise SealBroken(f"{row} takes a sealed value only, not {named(value)}.")
        return value

    def get_prep_value(self, value: Any) -> bytes | None:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return value.ciphertext
        raise SealBroken(f"{self.place()} takes a sealed value only, not {named(value)}.")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, Sealed):
            return value.ciphertext
        if hasattr(value, "as_sql"):
            if not self.holds_sealed(value):
                raise FieldError(f"{self.place()} is sealed: it takes a sealed value only, no expression.")
            return value
        return self.get_prep_value(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if prepared else self.get_prep_value(value)  # psycopg writes bytes as bytea

    def holds_sealed(self, expression: Any) -> bool:
        """Return whether an expression consists of given sealed values alone, as bulk_update's does."""
        if isinstance(expression, Value):
            known = isinstance(getattr(expression, "_output_field_or_none", None), SealedColumn)
            return expression.value is None or (known and isinstance(expression.value, Sealed))
        if isinstance(expression, Cast):
            return all(map(self.holds_sealed, expression.get_source_expressions()))
        if isinstance(expression, Case):
            results = [case.result for case in expression.cases]  # type: ignore[attr-defined]
            return all(map(self.holds_sealed, [*results, expression.default]))  # type: ignore[attr-defined]
        return False

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        return OnlyNull if lookup_name == "exact" else self.refuse_to_search()

    def get_transform(self, lookup_name: str) -> NoReturn:
        raise FieldError(f"{self.place()} is sealed: nothing can be computed from it in the database.")

    def refuse_to_search(self) -> NoReturn:
        raise FieldError(f"{self.place()} is sealed: it cannot be searched by value. Use its blind index.")

    def value_to_string(self, obj: models.Model) -> NoReturn:
        raise FieldError(f"{self.place()} is sealed: it is not serialised. Back up with pg_dump.")

    def formfield(self, *_: Any, **__: Any) -> None:
        return None

    def place(self) -> str:
        """Return table and column, for messages."""
        model = getattr(self, "model", None)
        return f"{model._meta.db_table}.{self.column}" if model else "A sealed column"


class OnlyNull(Exact[Any]):
    """`filter(column=None)`, which Django turns into IS NULL. Any other value is refused."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        if rhs is not None:
            lhs.output_field.refuse_to_search()
        super().__init__(lhs, rhs)


class SealedField(SealedColumn):
    """A text under the person's own data key. Open it with `Vault.open(value, address_of(row, "column"))`."""


class WrappedField(SealedColumn, EncryptedTextField):  # type: ignore[misc]  # that package has no types
    """A small value under the master key: django-encrypted-model-fields' column, made to fail closed.

    As it comes, that package returns ciphertext for text when the key is wrong, accepts plaintext and decrypts on
    assignment. Here nothing is decrypted by reading: `MasterRing.unwrap` opens, or raises.
    """


def named(value: object) -> str:
    """Return the type of a value that was to be written, for messages."""
    return type(value).__name__


def address_of(row: models.Model, column: str) -> Address:
    """Return the address of a column of a row that belongs to a person (or is that person's own row).

    Raises SealBroken for a row whose owner is not set: nothing may be sealed for nobody.
    """
    owner = row.user_id if hasattr(row, "user_id") else row.pk
    if not (isinstance(owner, UUID) and isinstance(row.pk, UUID)):
        raise SealBroken(f"{row._meta.db_table}.{column} of row {row.pk} has no owner: set its person and id as UUIDs.")
    return Address(row._meta.db_table, column, owner, row.pk, getattr(row, "revision", 1))
