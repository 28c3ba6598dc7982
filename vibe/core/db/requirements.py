"""What a database needs before the first migration, each with what to type when it is missing."""

from __future__ import annotations

from typing import Any

from django.db import ProgrammingError, transaction

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.roles import ALL

OLDEST_SERVER = 14
OLDEST_VECTOR = (0, 8)


def require(_apps: Any, schema_editor: Any) -> None:
    """Raise DatabaseNotReady when pgvector is absent or too old, or the user may not create roles."""
    with schema_editor.connection.cursor() as cursor:
        require_vector(cursor)
        require_role_creation(cursor)


def require_server(version: int) -> None:
    """Raise DatabaseNotReady for PostgreSQL older than 14; `version` as the server gives it, such as 180003."""
    if version // 10000 < OLDEST_SERVER:
        raise DatabaseNotReady(
            f"PostgreSQL {version // 10000} is too old: Vibe needs {OLDEST_SERVER} or newer. "
            "Upgrade the server, or point DATABASE_URL at another one."
        )


def require_schema(cursor: Any) -> None:
    """Raise DatabaseNotReady without the right to make tables, by default only the owner's from PostgreSQL 15 on."""
    cursor.execute(
        "SELECT has_schema_privilege(current_user, 'public', 'CREATE'), current_database(), quote_ident(current_user) "
        "FROM pg_namespace WHERE nspname = 'public'"
    )
    found = cursor.fetchone()
    if not found:
        raise DatabaseNotReady("The database has no schema 'public'. In this database: CREATE SCHEMA public;")
    allowed, database, user = found
    if not allowed:
        raise DatabaseNotReady(
            f"User {user} may not make tables in database '{database}'. As superuser, in this database: "
            f"GRANT ALL ON SCHEMA public TO {user} WITH GRANT OPTION;"
        )


def require_vector(cursor: Any) -> None:
    """Create the extension if it is missing. Raises DatabaseNotReady for one without iterative index scans."""
    cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    found = cursor.fetchone()
    if not found:
        create_vector(cursor)
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        found = cursor.fetchone()
    if tuple(int(part) for part in found[0].split(".")[:2]) < OLDEST_VECTOR:
        raise DatabaseNotReady(
            f"pgvector {found[0]} is too old: Vibe needs {'.'.join(map(str, OLDEST_VECTOR))} or newer. "
            "Install it on the server, then as its superuser in this database: ALTER EXTENSION vector UPDATE;"
        )


def create_vector(cursor: Any) -> None:
    """Create the extension. Raises DatabaseNotReady, with what is missing for it."""
    cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    if not cursor.fetchone():
        raise DatabaseNotReady(
            "The extension pgvector is not installed on the database server. Install it "
            "(Debian: postgresql-NN-pgvector, from apt.postgresql.org), then as superuser in this database: "
            "CREATE EXTENSION vector;"
        )
    try:
        with transaction.atomic(using=cursor.db.alias):
            cursor.execute("CREATE EXTENSION vector")
    except ProgrammingError:
        raise DatabaseNotReady(
            "This user may not create the extension pgvector. As superuser, in this database: CREATE EXTENSION vector;"
        ) from None


def require_role_creation(cursor: Any) -> None:
    """Raise DatabaseNotReady without the right to create roles, unless all of ours exist."""
    cursor.execute(
        "SELECT rolsuper OR rolcreaterole, quote_ident(current_user) FROM pg_roles WHERE rolname = current_user"
    )
    allowed, user = cursor.fetchone()
    if allowed:
        return
    cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [list(ALL)])
    if cursor.fetchone()[0] < len(ALL):
        raise DatabaseNotReady(
            f"User {user} may not create the roles Vibe works with. As superuser: ALTER ROLE {user} CREATEROLE; "
            f"(or create {', '.join(ALL)} yourself, each with NOLOGIN)."
        )
