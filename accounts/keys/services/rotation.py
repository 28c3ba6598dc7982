"""Rotation: rewrap every value under the current master key, in batches, while the service runs.

Each column is scanned once, by id, so that a million people cost one scan. A value that changed since it was read is
left alone. A killed run can simply be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import BinaryField, Count, F, Func, Model, QuerySet

from accounts.keys.master_key import key_address, require_fitting_key, ring
from accounts.models import User, UserKey, WebhookEndpoint
from accounts.models.one_time_device import OneTimeDevice, recovery_address, secret_address
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.errors import MasterKeyMissing, SealError
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.master import HEADER_BYTES, VERSION, VERSIONS
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.db.scopes import as_system
from vibe.core.db.statements import bulk

START = UUID(int=0)


@dataclass(frozen=True, slots=True)
class WrappedColumn:
    """One column under the master key: its owner column, how to address a value, and the columns that takes."""

    model: type[Model]
    column: str
    owner: str
    address: Callable[[Any], Address]
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def stale(self) -> QuerySet[Any]:
        """Return the rows whose value is under another master key than the current one, or of an earlier form."""
        rows: QuerySet[Any] = self.model._default_manager.filter(**{f"{self.column}__isnull": False})
        cut = rows.annotate(header=self.cut(1, HEADER_BYTES), master=self.cut(2, 8))
        return cut.exclude(header=VERSION + ring().current.id)  # type: ignore[no-any-return]

    def retired(self) -> QuerySet[Any]:
        """Return the stale rows that a configured key opens, so that they can be rewrapped."""
        return self.stale().filter(master__in=ring().ids)

    def cut(self, start: int, length: int) -> Func:
        """Return an expression for some bytes of the stored value, counted from 1."""
        template = f"substring(%(expressions)s from {start} for {length})"
        return Func(F(self.column), template=template, output_field=BinaryField())

    def batch(self, last: UUID, size: int) -> list[Any]:
        """Return the next stale rows beyond an id."""
        rows = self.stale().filter(pk__gt=last).order_by("pk").only("pk", self.owner, self.column, *self.needs)
        return list(rows[:size])

    def replace(self, addresses: Sequence[Address], old: Sequence[Sealed], new: Sequence[Sealed]) -> int:
        """Replace the values that are still the old ones, in one statement. Return how many.

        Nothing is locked during rewrapping, and concurrent writes are kept.
        """
        table = self.model._meta.db_table
        done = bulk.run(
            f"UPDATE {table} SET {self.column} = given.new "  # noqa: S608
            "FROM unnest(%b::uuid[], %b::uuid[], %b::bytea[], %b::bytea[]) AS given(owner, id, old, new) "
            f"WHERE {table}.{self.owner} = given.owner AND {table}.id = given.id AND {table}.{self.column} = given.old "
            f"RETURNING {table}.id",
            [
                [address.user_id for address in addresses],
                [address.row_id for address in addresses],
                [value.ciphertext for value in old],
                [value.ciphertext for value in new],
            ],
        )
        return len(done)


COLUMNS = (
    WrappedColumn(UserKey, "wrapped", "user_id", key_address, needs=("generation",)),
    WrappedColumn(User, "name", "id", lambda row: address_of(row, "name")),
    WrappedColumn(OneTimeDevice, "secret", "staff_id", secret_address),
    WrappedColumn(OneTimeDevice, "recovery", "staff_id", recovery_address),
    WrappedColumn(WebhookEndpoint, "secret", "api_key", lambda row: row.secret_address("secret")),
    WrappedColumn(WebhookEndpoint, "old_secret", "api_key", lambda row: row.secret_address("old_secret")),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one transaction: how many values it rewrapped, and the errors of those that do not open."""

    done: int
    broken: tuple[SealError, ...]


def values_to_rewrap() -> int:
    """Return how many wrapped values are not under the current master key yet."""
    with as_system():
        return sum(column.stale().count() for column in COLUMNS)


def values_under_retired() -> int:
    """Return how many wrapped values are under configured retired master keys."""
    with as_system():
        return sum(column.retired().count() for column in COLUMNS)


def require_masters() -> None:
    """Raise MasterKeyMissing, naming each master key that wraps values but is not configured.

    Raises WrongMasterKey if no stored data key is under a configured one: that is no rotation.
    """
    require_fitting_key()
    missing = []
    with as_system():
        for column in COLUMNS:
            ours = column.stale().annotate(version=column.cut(1, 1)).filter(version__in=VERSIONS)
            for master, count in ours.values_list("master").annotate(count=Count("pk")).order_by("master"):
                if bytes(master) not in ring():
                    missing.append(f"{count} in {column} under master key {bytes(master).hex()}")
    if missing:
        raise MasterKeyMissing(
            f"Values are under master keys that are not configured: {', '.join(missing)}. "
            "Add these keys to ENCRYPTION_KEYS_RETIRED."
        )


def rewrap_column(*, actor: Actor, size: int = 1000) -> Iterator[Batch]:
    """Rewrap all stale values, up to `size` in one transaction. Yield the result of each."""
    for column in COLUMNS:
        last: UUID | None = START
        while last:
            batch, last = rewrap_after(column, last, actor=actor, size=size)
            yield batch


def rewrap_after(column: WrappedColumn, last: UUID, *, actor: Actor, size: int) -> tuple[Batch, UUID | None]:
    """Rewrap up to `size` values beyond `last` in one transaction. Return the result and last id; None at the end."""
    addresses, old, new, broken, done = [], [], [], [], 0
    with as_system():
        rows = column.batch(last, size)
        for row in rows:
            address, value = column.address(row), getattr(row, column.column)
            try:
                new.append(ring().wrap(ring().unwrap(value, address), address))
                old.append(value)
                addresses.append(address)
            except SealError as problem:
                broken.append(problem)
        if new:
            done = column.replace(addresses, old, new)
            record(actor=actor, action="keys.rotate", resource=str(column), details={"rewrapped": done})
    return Batch(done, tuple(broken)), rows[-1].pk if rows else None
