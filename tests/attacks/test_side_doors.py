"""Attack: a statement run in a scope, as by an injection, uses what PostgreSQL lets everybody do.

Large objects and temporary tables keep rows where no policy and no erasure reaches, a temporary table stands in for one
that a guard looks up, and the server's statistics show everybody's statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.errors import InsufficientPrivilege

from accounts.models import UserKey
from accounts.people.services.people import Profile, ensure_person
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.core.db.configured import embedded_server
from vibe.core.db.roles import ALL, grant_temporary
from vibe.core.db.scopes import as_system

DOORS = {
    "SELECT lo_creat(-1)": "GRANT EXECUTE ON FUNCTION lo_creat(integer) TO PUBLIC",
    "SELECT lo_create(0)": "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC",
    "SELECT lo_from_bytea(0, 'kept')": "GRANT EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) TO PUBLIC",
    "SELECT query FROM pg_stat_statements": "GRANT EXECUTE ON FUNCTION pg_stat_statements(boolean) TO PUBLIC",
    "CREATE TEMPORARY TABLE kept ()": "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
}
FORGED = "CREATE TEMPORARY TABLE erasures (person uuid, begun_at timestamptz); INSERT INTO erasures VALUES (%s, now())"


@contextmanager
def superuser() -> Iterator[Any]:
    """A session of the superuser's whose changes are rolled back; ours sees none of them, so it tries there."""
    if not embedded_server():
        pytest.skip("needs the superuser of the embedded server")
    database = connection.settings_dict["NAME"]
    with embedded_server().connect(database) as session, session.transaction(force_rollback=True):
        yield session


def attempt(session: Any, role: str, statement: str) -> bool:
    """Whether a role may run a statement."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(f"SET LOCAL ROLE {role}")
            session.execute(statement)
    except InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize("statement", DOORS)
def test_no_scope_may(db: None, role: str, statement: str) -> None:
    with superuser() as session:
        assert not attempt(session, role, statement)
        session.execute(DOORS[statement].format(database=connection.ops.quote_name(connection.settings_dict["NAME"])))
        assert attempt(session, role, statement), "the control"


@pytest.fixture
def ada(db: None) -> UUID:
    return ensure_person(profile=Profile("ada"), actor=TESTER)


def deleted_with_a_forged_erasure(person: UUID) -> int:
    """How many people the system's role deletes that has a temporary table beside it. Keys are destroyed before."""
    with connection.cursor() as cursor:
        grant_temporary(cursor)
    with unprotected("user_keys", triggers="user_keys_destroyed_first"):
        UserKey.objects.filter(user_id=person).delete()
    with as_system(), connection.cursor() as cursor:
        cursor.execute(FORGED, [person])
        cursor.execute("DELETE FROM users WHERE id = %s", [person])
        return int(cursor.rowcount)


def test_a_guard_does_not_take_a_temporary_table_for_its_own(ada: UUID) -> None:
    with pytest.raises(DatabaseError, match="goes by an erasure"), transaction.atomic():
        deleted_with_a_forged_erasure(ada)


def test_control_with_temporary_tables_first_it_does(ada: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION users_leave_by_erasure() SET search_path = pg_catalog, public")
    assert deleted_with_a_forged_erasure(ada) == 1
