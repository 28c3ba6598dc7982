"""Deletion of a person's rows, table by table, one batch a transaction.

The tables are all UserOwned models. Referencing tables come first, so that no deletion cascades far. Rows that a
person's own role may not delete are deleted by the database's cascade from `users`.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model

from accounts.models import User
from accounts.staff.axes_hooks import counted_as
from vibe.core.db.roles import USER
from vibe.core.db.schema.constraints import CompositeReference, Privileges
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.core.db.statements import bulk

BATCH = 2_000  # rows
PERSON = "accounts.User"
# A running job soon fails by itself, since no key opens any more. A job whose worker is dead is not running.
DROP_JOBS = """
DELETE FROM procrastinate_jobs AS job WHERE args ->> 'user_id' = %b AND (
    status <> 'doing' OR NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id AND worker.last_heartbeat > now() - interval '60 seconds'
    )
) RETURNING id
"""


def owned_tables() -> list[type[UserOwned]]:
    """Return every table of people's rows, referencing tables before the tables they reference."""
    owned = {model._meta.label: model for model in apps.get_models() if issubclass(model, UserOwned)}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(owned, ()))
    for label, model in owned.items():
        for wall in model._meta.constraints:
            if isinstance(wall, CompositeReference) and wall.to in owned and wall.to != label:
                order.add(wall.to, label)
    return [owned[label] for label in order.static_order()]


def deletable_by_person(model: type[Model]) -> bool:
    """Return whether a person's own role may delete from a table."""
    walls = (wall for wall in model._meta.constraints if isinstance(wall, Privileges) and wall.role == USER)
    return any(verb == "DELETE" for wall in walls for verb, _ in wall.verbs)


def delete_batch(model: type[Model], user_id: UUID) -> list[UUID]:
    """Delete up to BATCH rows of a person in their own scope. Return the ids; empty when none are left."""
    table = model._meta.db_table
    with as_user(user_id):
        gone = bulk.run(
            f"DELETE FROM {table} WHERE user_id = %b AND id IN "  # noqa: S608
            f"(SELECT id FROM {table} WHERE user_id = %b LIMIT %b) RETURNING id",
            [user_id, user_id, BATCH],
        )
    return [row_id for (row_id,) in gone]


def delete_admin_log_entries(ids: Iterable[UUID]) -> int:
    """Delete the entries of Django's admin log about rows. Return how many."""
    with as_system():
        return len(
            bulk.run("DELETE FROM django_admin_log WHERE object_id = ANY(%b) RETURNING id", [[str(row) for row in ids]])
        )


def delete_jobs(user_id: UUID) -> int:
    """Delete the jobs that name a person, except running ones. Return how many."""
    with as_system():
        return len(bulk.run(DROP_JOBS, [str(user_id)]))


def delete_rate_limits(user_id: UUID) -> int:
    """Delete the rate limit buckets of a person. Return how many."""
    with as_system():
        return len(bulk.run("DELETE FROM rate_limits WHERE position(%b in name) > 0 RETURNING name", [str(user_id)]))


def delete_sign_in_attempts(user_id: UUID) -> int:
    """Delete the failed sign-ins under a person's email or UID, with their addresses and agents. Return how many.

    Only those counted under their exact names are found: whoever mistyped theirs cannot be told from anybody else.
    """
    with as_system():
        known = User.objects.filter(pk=user_id).values_list("email", "firebase_uid").first() or ()
    names = [counted_as(name) for name in known if name]
    with as_support():
        return sum(model.objects.filter(username__in=names).delete()[0] for model in sign_in_tables())


def sign_in_tables() -> list[Any]:
    """Return the tables of django-axes that hold the name that somebody tried to sign in by."""
    return [model for model in apps.get_app_config("axes").get_models() if hasattr(model, "username")]


def jobs_running(user_id: UUID) -> int:
    """Return how many jobs still name a person."""
    with as_system():
        found = bulk.run("SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'user_id' = %b", [str(user_id)])
    return int(found[0][0])


def rows_left(user_id: UUID) -> dict[str, int]:
    """Return how many rows of a person are left in each table that still has any."""
    with as_system():
        counts = {table: count_rows(table, column, user_id) for table, column in tables_to_empty()}
    return {table: number for table, number in counts.items() if number}


def tables_to_empty() -> list[tuple[str, str]]:
    """Return every table whose rows are deleted with their person, and its person column, UserOwned or not."""
    found = {model._meta.db_table: "user_id" for model in owned_tables()}
    for model in apps.get_models():
        for wall in model._meta.constraints:
            if isinstance(wall, CompositeReference) and wall.to == PERSON:
                found[model._meta.db_table] = wall.columns[0]
    return list(found.items())


def count_rows(table: str, column: str, user_id: UUID) -> int:
    """Return how many rows of a person a table has."""
    return int(bulk.run(f"SELECT count(*) FROM {table} WHERE {column} = %b", [user_id])[0][0])  # noqa: S608
