"""What every table of a person's rows is: a UUIDv7 id, an owner that never changes, and statements that carry both.

Row-level security is the net. The plan is that each update, delete and join names the owner too: it is what indexes
and, on a distributed database, shards are found by.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

import uuid_utils.compat
from django.conf import settings
from django.db import models
from django.db.models import Q


def uuid7() -> UUID:
    """Return a time-ordered id (RFC 9562, version 7), so that new rows are at the end of every index."""
    return uuid_utils.compat.uuid7()


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
