"""What takes protections of the database away for a test, and puts them back."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.people.services.people import Profile, ensure_person
from tests.cast import TESTER
from tests.protections import unprotected


def protections():
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid::regclass::text, relforcerowsecurity FROM pg_class WHERE relkind IN ('r', 'p')")
        forced = dict(cursor.fetchall())
        cursor.execute("SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger")
        return forced, sorted(cursor.fetchall())


@pytest.mark.parametrize("failing", [False, True])
def test_every_protection_is_put_back(ada, failing):
    before = protections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [table for (table,) in cursor.fetchall()]
    try:
        with unprotected(*tables, triggers="USER") as cursor:
            assert protections() != before
            cursor.execute("UPDATE user_keys SET wrapped = ''")
            if failing:
                cursor.execute("SELECT 1 / 0")
    except DatabaseError:
        assert failing
    assert protections() == before


def test_they_are_put_back_for_real(committed):
    ensure_person(profile=Profile("ada"), actor=TESTER)
    before = protections()
    with pytest.raises(DatabaseError), unprotected("users", "user_keys", triggers="USER") as cursor:
        cursor.execute("SELECT 1 / 0")
    assert protections() == before
    with pytest.raises(DatabaseError, match="append-only"), unprotected("audit_logs") as cursor, transaction.atomic():
        cursor.execute("DELETE FROM audit_logs")
    assert protections() == before
