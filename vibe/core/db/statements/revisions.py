"""Rows that were sealed anew, until the audit log names them.

A row's revision is bound into its seals, so that no older value opens under the newer number. Somebody who writes to
the database could put a whole row back, the number with it. Only the trail can tell, which says how far each row has
come. So whatever is sealed under a further revision must be recorded before its scope ends (`audit.services.record`
names the rows by itself), and `audit.proof.freshness` compares rows and trail.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from vibe.core.db.errors import Unrecorded
from vibe.core.db.statements import bulk

Row = tuple[str, UUID, UUID]  # table, person, id


def note_sealed(table: str, user_id: UUID, row_id: UUID, revision: int) -> None:
    """Note that a value of a row was sealed under a new revision."""
    unrecorded_rows()[table, user_id, row_id] = revision


def unrecorded_rows() -> dict[Row, int]:
    """Return the rows that were sealed anew on this connection and are not recorded yet."""
    if not hasattr(connection, "vibe_revisions"):
        connection.vibe_revisions = {}  # type: ignore[attr-defined]
    return connection.vibe_revisions  # type: ignore[attr-defined, no-any-return]


def take_stored_revisions(user_id: UUID) -> dict[str, dict[str, int]]:
    """Return and forget the noted revisions of a person that are stored: table -> id -> revision.

    These are no longer noted. The database is asked, for what was sealed may never have been written.
    """
    taken: dict[str, dict[str, int]] = {}
    for table in sorted({table for table, owner, _ in unrecorded_rows() if owner == user_id}):
        for row_id, revision in stored_revisions(table, user_id):
            if unrecorded_rows().get((table, user_id, row_id)) == revision:
                del unrecorded_rows()[table, user_id, row_id]
                taken.setdefault(table, {})[str(row_id)] = revision
    return taken


def stored_revisions(table: str, user_id: UUID) -> list[tuple[UUID, int]]:
    """Return the stored revisions of the noted rows of a table."""
    ids = [row_id for name, owner, row_id in unrecorded_rows() if (name, owner) == (table, user_id)]
    return bulk.run(f"SELECT id, revision FROM {table} WHERE user_id = %b AND id = ANY(%b)", [user_id, ids])  # type: ignore[return-value]  # noqa: S608


def require_recorded(user_id: UUID) -> None:
    """Raise Unrecorded when rows of a person were changed that the audit log does not name."""
    if any(owner == user_id for _, owner, _ in unrecorded_rows()) and (left := take_stored_revisions(user_id)):
        named = ", ".join(f"{table}/{row_id}" for table, rows in left.items() for row_id in rows)
        raise Unrecorded(f"Changed without a row in the trail: {named}. Call record() in the scope of the change.")


def discard(user_id: UUID) -> None:
    """Forget what is noted of a person whose scope has ended."""
    for row in [row for row in unrecorded_rows() if row[1] == user_id]:
        del unrecorded_rows()[row]
