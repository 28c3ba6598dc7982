"""What is held back goes ahead of whatever is sent next, on every way there is, and with no transaction but its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from pgvector import HalfVector
from psycopg import sql

from audit.proof import wire
from vibe.core.db.scopes import OUTSIDE, as_support, as_system, as_user, current_scope
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import execute_literal_batch

ADA = UUID(int=7)
ASKED = "SELECT current_user::text, current_setting('vibe.user_id')"
AS_ADA = ("vibe_user", str(ADA))


def django(statement: str = ASKED, parameters: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()


def on_the_server(statement: str = ASKED) -> Any:
    with connection.cursor() as cursor, connection.create_cursor(name="rows") as rows:
        del cursor
        rows.execute(statement)
        return rows.fetchone()


def by_copy() -> Any:
    [row] = wire.copy(ASKED)
    (first, at), parts = wire.field(row, 2), []
    for part in (first, wire.field(row, at)[0]):
        parts.append((part or b"").decode())
    return tuple(parts)


WAYS: dict[str, Callable[[], Any]] = {
    "django": django,
    "parameters": lambda: django(f"{ASKED} WHERE %s = 'a%%;'", ["a%;"]),
    "named parameters": lambda: django(f"{ASKED} WHERE %(word)s = 'a%%;'", {"word": "a%;"}),
    "no parameters, and a sign of one": lambda: django(f"{ASKED} WHERE 'a%' LIKE 'a%%' AND 5 % 3 = 2"),
    "composed": lambda: execute_literal_batch([sql.SQL("SELECT {}").format("a%;"), sql.SQL(ASKED)])[1][0],  # type: ignore[arg-type]
    "bound by the server": lambda: bulk.run(f"{ASKED} WHERE %b = %b", [ADA, ADA])[0],
    "vectors": lambda: bulk.run(f"{ASKED} WHERE %b::halfvec IS NOT NULL", [HalfVector([1.0, 2.0])], vectors=True)[0],
    "a cursor on the server": on_the_server,
    "COPY": by_copy,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_scope_is_told_before_the_first_statement_whatever_that_is(between_transactions: None, way: str) -> None:
    with as_user(ADA):
        assert WAYS[way]() == AS_ADA
        with as_system():
            assert WAYS[way]() == ("vibe_system", "")
        assert WAYS[way]() == AS_ADA
    assert django("SELECT current_user = session_user") == (True,)


@pytest.mark.parametrize(
    "refused", [("SELECT %s", [object()]), ("SELECT %s", ["\0"]), ("SELECT %s", []), ("%(x)s", {})]
)
def test_what_the_driver_refuses_to_send_loses_no_scope(between_transactions: None, refused: tuple[str, Any]) -> None:
    with as_user(ADA):
        with connection.cursor() as cursor, pytest.raises((psycopg.Error, KeyError)) as problem:
            cursor.cursor.execute(*refused)
        assert getattr(problem.value, "sqlstate", None) is None
        assert django() == AS_ADA
    assert django("SELECT current_user = session_user") == (True,)


def test_many_at_once_are_sent_after_it(between_transactions: None) -> None:
    with as_user(ADA):
        with connection.cursor() as cursor:
            cursor.executemany("SELECT set_config('vibe.firebase_uid', current_user || %s, true)", [["1"], ["2"]])
        assert django("SELECT current_setting('vibe.firebase_uid')") == ("vibe_user2",)


def test_what_was_held_goes_with_the_transaction_that_held_it(between_transactions: None) -> None:
    with as_user(ADA):
        pass  # nothing was asked, so nothing is sent
    with pytest.raises(RuntimeError), as_user(ADA):
        raise RuntimeError
    with pytest.raises(RuntimeError), transaction.atomic():
        connection.hold("SET LOCAL vibe.user_id = 'left over'")  # type: ignore[attr-defined]
        raise RuntimeError
    assert django("SELECT current_user = session_user, coalesce(current_setting('vibe.user_id', true), '')") == (
        True,
        "",
    )


def test_a_connection_that_is_closed_takes_it_along(between_transactions: None) -> None:
    before = connection.connection
    with pytest.raises(OperationalError), as_user(ADA):
        connection.close()
        django()
    assert not before.held and current_scope() is OUTSIDE
    assert django("SELECT current_user = session_user") == (True,)


def test_what_was_held_since_a_savepoint_goes_back_with_it(between_transactions: None) -> None:
    with as_support():
        with pytest.raises(RuntimeError), transaction.atomic():
            connection.hold("SELECT 1 / 0")  # type: ignore[attr-defined]
            raise RuntimeError
        assert django("SELECT current_user::text") == ("vibe_support",)


def test_rows_for_later_are_there_at_the_end_and_before_the_next_statement(committed: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id int8 PRIMARY KEY, word text)")
    try:
        with transaction.atomic():
            assert bulk.insert("later", {"id": ("int8", [1])}, later=True) == []
            assert django("SELECT count(*) FROM later") == (1,)
            bulk.insert("later", {"id": ("int8", [2, 3])}, later=True)
            bulk.insert("later", {"id": ("int8", [4])}, same={"word": ("text", "four%s")}, later=True)
        assert django("SELECT count(*), min(word) FROM later") == (4, "four%s")
        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.insert("later", {"id": ("int8", [4])}, later=True)
            django()
        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.insert("later", {"id": ("int8", [4])}, later=True)
        assert django("SELECT count(*) FROM later") == (4,)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE later")


def test_nothing_is_held_in_a_transaction_that_is_to_be_given_up(between_transactions: None) -> None:
    with as_user(uuid4()):
        with pytest.raises(DatabaseError):
            django("SELECT 1 / 0")
        connection.needs_rollback = True
        with pytest.raises(transaction.TransactionManagementError):
            connection.hold("SELECT 1")  # type: ignore[attr-defined]


def test_no_other_cursor_is_made_of_djangos_connection() -> None:
    """One of the driver's own would run its statement under the role of the scope before."""
    root = Path(__file__).resolve().parent.parent
    product = [
        path for part in ("accounts", "audit", "memories", "stories", "vibe") for path in (root / part).rglob("*.py")
    ]
    makers = {
        str(path.relative_to(root))
        for path in product
        if re.search(r"psycopg\.(Client|Server|RawServer|Raw)?Cursor\b(?!\[)", path.read_text())
    }
    # The first sends what is held first, the second is of a connection of its own.
    assert makers == {"vibe/core/db/statements/bulk.py", "vibe/core/db/citus_nodes.py"}
