"""What every table of a person's rows is: a UUIDv7 id, an owner that never changes, and statements that carry both.

Row-level security is the net. The plan is that each update, delete and join names the owner too: it is what indexes
and, on a distributed database, shards are found by. A row has a version for optimistic locking: a caller names those
it has seen, and changes none but these.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Protocol, Self, TypeVar
from uuid import UUID

import uuid_utils.compat
from django.conf import settings
from django.db import connection, models
from django.db.models import Q

from vibe.core.db.statements import bulk
from vibe.core.errors import Outdated

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Versions = frozenset[str]


class Versioned(Protocol):
    """A row with a count of its changes and the time of the last one."""

    @property
    def revision(self) -> int: ...

    @property
    def updated_at(self) -> datetime: ...


def version_of(row: Versioned) -> str:
    """Return the version: the count of changes, and when the row last changed, counts and archiving included."""
    return f"{row.revision:x}-{(row.updated_at - EPOCH) // timedelta(microseconds=1):x}"


def require_version(row: Versioned, expected: Versions | None) -> None:
    """Raise Outdated when a locked row is at none of the expected versions; None accepts any."""
    if expected is not None and version_of(row) not in expected:
        raise Outdated


def uuid7() -> UUID:
    """Return a time-ordered id (RFC 9562, version 7), so that new rows are at the end of every index."""
    return uuid_utils.compat.uuid7()


def first_uuid7_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 (RFC 9562) of a moment."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0b10 << 62))


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows of people. Every query starts from its owner."""

    def of(self, user_id: UUID) -> Self:
        """Return the rows of one person."""
        return self.filter(user_id=user_id)


class OwnedForeignKey(models.ForeignKey[Any, Any]):
    """A reference inside one person's rows: joins and look-ups carry the owner.

    The database enforces it by the model's CompositeReference, deleting included, so Django adds neither.
    """

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **kwargs: Any) -> None:
        super().__init__(to, on_delete, **{"db_constraint": False, "db_index": False, **kwargs})

    def get_joining_fields(self, reverse_join: bool = False) -> tuple[tuple[Any, Any], ...]:
        ours, theirs = self.model._meta.get_field("user"), self.related_model._meta.get_field("user")
        owner = (theirs, ours) if reverse_join else (ours, theirs)
        return (*super().get_joining_fields(reverse_join), owner)

    def get_extra_descriptor_filter(self, instance: Any) -> Any:
        return Q(user_id=instance.user_id)


class UserOwned(models.Model):
    """A row of one person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
        mine = base_qs.filter(user_id=self.user_id)
        kept = [each for each in values if each[0].name != "user"]  # never set anew, not even to what it is
        return super()._do_update(mine, using, pk_val, kept, *args, **kwargs)

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        """Also what reads a column that was left out at first."""
        super().refresh_from_db(using, fields, from_queryset or type(self).objects.using(using).of(self.user_id))

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        count = type(self).objects.using(using).filter(user_id=self.user_id, pk=self.pk)._raw_delete(using or "default")
        return count, {self._meta.label: count}


Row = TypeVar("Row", bound=UserOwned)


def get_owned(model: type[Row], user_id: UUID, row_id: UUID, *, without: tuple[str, ...] = ()) -> Row | None:
    """Return `model.objects.of(user_id).filter(pk=row_id).defer(*without).first()`."""
    statement, names, converted = select_statement(model, without)
    for found in bulk.run(statement, [user_id, row_id]):
        values = list(found)
        for place, field in converted:
            values[place] = field.from_db_value(values[place], None, connection)
        return model.from_db(connection.alias, names, values)
    return None


@cache
def select_statement(model: type[UserOwned], without: tuple[str, ...]) -> tuple[str, list[str], list[tuple[int, Any]]]:
    """Return the statement, the attributes it fills, and which of them their fields convert.

    The statement is the queryset's own, so that what that leaves out is left out here.
    """
    owner, row = UUID(int=1), UUID(int=2)
    rows = model.objects.of(owner).filter(pk=row).defer(*without)
    statement, given = rows.query.sql_with_params()
    if given != (owner, row):
        raise TypeError(f"The rows of {model._meta.label} are selected by more than owner and id: {len(given)} values.")
    fields: list[Any] = [field for field in model._meta.concrete_fields if field.attname not in without]
    converted = [(place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return statement.replace("%s", "%b"), [field.attname for field in fields], converted
