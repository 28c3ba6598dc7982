"""What tests do to the whole test database."""

from __future__ import annotations

from django.db import connection

from tests.protections import unprotected


def empty_the_database() -> None:
    """As the owner, with the trail's protection off: no role of the application could do this."""
    assert connection.settings_dict["NAME"].startswith("test_"), "this would empty a database that is not the tests'"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        )
        tables = [name for (name,) in cursor.fetchall()]
    trail = [name for name in tables if name.startswith("audit_")]
    with unprotected(*trail, row_security=False, triggers="USER") as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
