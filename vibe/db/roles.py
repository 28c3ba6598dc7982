"""The database roles that scopes take. They belong to the server, so several databases on one server share them."""

from __future__ import annotations

from typing import Any

USER = "vibe_user"
SUPPORT = "vibe_support"
STAFF = "vibe_staff"
SIGN_IN = "vibe_sign_in"
SYSTEM = "vibe_system"
ALL = (USER, SUPPORT, STAFF, SIGN_IN, SYSTEM)

# An advisory lock for what several databases of one server must not do at once.
ROLES_LOCK = 0x76696265

CREATE = """
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server made it at the same moment
END $$;
"""

# Membership lets the application take the role, never inherit it: policies of an inherited role would apply to the
# owner. PostgreSQL 16 says so per grant; before it, the login role itself must not inherit.
JOIN_16 = "GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE"
JOIN_14 = "GRANT {role} TO CURRENT_USER"
NOINHERIT_14 = "ALTER ROLE CURRENT_USER NOINHERIT"

DROP = """
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    EXECUTE 'DROP OWNED BY {role}';
    DROP ROLE {role};
EXCEPTION WHEN dependent_objects_still_exist OR undefined_object OR insufficient_privilege THEN
    NULL;  -- another database of this server still uses it
END $$;
"""


def create(_apps: Any, schema_editor: Any) -> None:
    """Make the roles that are missing, and let the login role take them."""
    connection = schema_editor.connection
    modern = connection.pg_version >= 160000
    with connection.cursor() as cursor:
        for role in ALL:
            cursor.execute(CREATE.format(role=role, lock=ROLES_LOCK))
            cursor.execute("SELECT pg_has_role(current_user, %s, 'MEMBER') AND NOT rolsuper FROM pg_roles "
                           "WHERE rolname = current_user", [role])  # fmt: skip
            if modern or not cursor.fetchone()[0]:
                cursor.execute((JOIN_16 if modern else JOIN_14).format(role=role))
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        if not modern:
            cursor.execute(NOINHERIT_14)


def drop(_apps: Any, schema_editor: Any) -> None:
    """Take the privileges back, and the roles too unless another database of this server needs them."""
    with schema_editor.connection.cursor() as cursor:
        for role in ALL:
            cursor.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
            cursor.execute(DROP.format(role=role, lock=ROLES_LOCK))
