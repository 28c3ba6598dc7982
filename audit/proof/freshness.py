"""Comparison of people's rows with the audit log, to detect older copies and deleted rows that were put back.

The seal binds a value to its place and revision, but does not show which revision is newest. The audit log names every
row that was sealed under a new revision (vibe.core.db.statements.revisions). Prove the audit log first.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.apps import apps
from django.db import connection

from audit.errors import PeopleLost, RowPutBack
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_support, as_system

BEHIND = """
WITH known AS MATERIALIZED (
    SELECT subject, each.key::uuid AS id, max(each.value::bigint) AS revision
    FROM audit_logs, jsonb_each_text(details -> 'revisions' -> '{table}') AS each
    WHERE details -> 'revisions' ? '{table}' GROUP BY subject, each.key
)
SELECT now.id, now.revision, known.revision FROM known
JOIN {table} now ON now.user_id = known.subject AND now.id = known.id
WHERE now.revision < known.revision ORDER BY now.id
"""
# A service that deletes records `<thing>.delete` of `<things>/<id>`; ids are never reused.
BACK = """
WITH gone AS MATERIALIZED (
    SELECT subject, substring(resource from '[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$')::uuid AS id
    FROM audit_logs WHERE action LIKE '%.delete' AND outcome = 'ok' AND subject IS NOT NULL
)
SELECT now.id FROM gone JOIN {table} now ON now.user_id = gone.subject AND now.id = gone.id ORDER BY now.id
"""

# Whoever has an account was given a data key with it, and it goes only as an erasure ends.
LOST = """
SELECT count(*), min(id::text)::uuid FROM (
    SELECT id FROM users WHERE firebase_uid IS NOT NULL
    EXCEPT (SELECT user_id FROM user_keys UNION ALL SELECT person FROM erasures)
) AS lost
"""


def lost_people() -> tuple[int, UUID | None]:
    """Return how many people have an account and no rows, and one of them: all of a person's rows are on one shard."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(LOST)
        count, first = cursor.fetchone()
    return count, first


def require_people() -> None:
    """Raise PeopleLost if the rows of people are gone who were not erased."""
    count, first = lost_people()
    if first is not None:
        raise PeopleLost(count, first)


def require_fresh() -> int:
    """Return how many tables were compared. Raises RowPutBack for the first stale or restored row."""
    tables = list(revisioned_tables())
    with as_support(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(BEHIND.format(table=table))
            for row_id, revision, known in cursor:
                raise RowPutBack(table, row_id, f"it is at revision {revision}, and the trail knows revision {known}")
            cursor.execute(BACK.format(table=table))
            for (row_id,) in cursor:
                raise RowPutBack(table, row_id, "it is there, and the trail has its deletion")
    return len(tables)


def revisioned_tables() -> Iterator[str]:
    """Yield the tables of people's rows that have a revision."""
    for model in apps.get_models():
        if issubclass(model, UserOwned) and "revision" in {field.name for field in model._meta.get_fields()}:
            yield model._meta.db_table
