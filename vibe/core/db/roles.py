"""The database roles that scopes take. They belong to the server, so several databases on one server share them."""

from __future__ import annotations

from typing import Any

from django.db import ProgrammingError, transaction

from vibe.core.db.errors import DatabaseNotReady

USER = "vibe_user"
SUPPORT = "vibe_support"
STAFF = "vibe_staff"
SIGN_IN = "vibe_sign_in"
SYSTEM = "vibe_system"
WORDS = "vibe_words"  # one person's passages that hold given words: see stories.search.word_index
ALL = (USER, SUPPORT, STAFF, SIGN_IN, SYSTEM, WORDS)

# An advisory lock for what several databases of one server must not do at the same time.
ROLES_LOCK = 0x76696265
PER_GRANT = 160000  # from this server version on, each grant of a role says whether it is inherited

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

# Whether the login role may take a role already, and whether it has that role's privileges without taking it.
# Policies of an inherited role would apply to the owner, so it must not.
MAY_TAKE = "SELECT pg_has_role(current_user, %s, '{privilege}')"
INHERITS = "SELECT pg_has_role(current_user, %s, 'USAGE')"

# Who owns the schema, whether the login role may take that role, and whether it can grant the schema without that.
SCHEMA_OWNER = """
SELECT quote_ident(rolname), pg_has_role(owner.oid, 'MEMBER'), quote_ident(current_user),
    has_schema_privilege(schema.oid, 'CREATE WITH GRANT OPTION')
    AND has_schema_privilege(schema.oid, 'USAGE WITH GRANT OPTION')
FROM pg_namespace schema JOIN pg_roles owner ON owner.oid = nspowner WHERE nspname = 'public'
"""

# Everything a role holds in this database is on our own tables and sequences, or on the schema.
REVOKE = """
DO $$
DECLARE held regclass;
BEGIN
    FOR held IN
        SELECT DISTINCT objid::regclass FROM pg_shdepend JOIN pg_database ON pg_database.oid = dbid
        WHERE datname = current_database() AND classid = 'pg_class'::regclass AND refobjid = '{role}'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM {role}', held);
    END LOOP;
    REVOKE USAGE ON SCHEMA public FROM {role};
END $$;
"""

# PUBLIC may make temporary tables in a new database. The owner may always.
TEMPORARY = """
DO $$
BEGIN
    IF (SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
        EXECUTE format('{verb} TEMPORARY ON DATABASE %I {whom} PUBLIC', current_database());
    END IF;
END $$;
"""

# What PUBLIC may do in each database and only a superuser can take away: keep data in large objects, which no policy
# covers, and read everybody's statements.
LARGE_OBJECTS = ("lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")
STATISTICS = "pg_stat_statements(boolean)"  # the function of the view
REVOKE_LARGE_OBJECTS = f"REVOKE EXECUTE ON FUNCTION {', '.join(LARGE_OBJECTS)} FROM PUBLIC"
RESTRICT_STATISTICS = (
    f"REVOKE EXECUTE ON FUNCTION {STATISTICS} FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION {STATISTICS} TO pg_read_all_stats",
)

DROP = """
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    DROP ROLE {role};
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    NULL;  -- another database of this server still uses it, or somebody else made it
END $$;
"""


def create(_apps: Any, schema_editor: Any) -> None:
    """Make the roles that are missing, and let the login role take them without inheriting them."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        for role in ALL:
            cursor.execute(CREATE.format(role=role, lock=ROLES_LOCK))
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:  # a superuser may take every role, and nothing is to be changed for it
            grant_membership(cursor, connection.pg_version)
        hold_schema(cursor)
        for role in ALL:
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        revoke_temporary(cursor)


def revoke_temporary(cursor: Any) -> None:
    """Take the right to make temporary tables from everybody but the database's owner.

    Guards look names up there too. Without the right to do so, leave it: the lint of the catalog says what to type.
    """
    cursor.execute(TEMPORARY.format(verb="REVOKE", whom="FROM"))


def grant_temporary(cursor: Any) -> None:
    """Grant it again, as PostgreSQL does in a new database."""
    cursor.execute(TEMPORARY.format(verb="GRANT", whom="TO"))


def hold_schema(cursor: Any) -> None:
    """Grant the login role the schema of a database that it owns, where it does not inherit that.

    From PostgreSQL 15 on the schema is pg_database_owner's. On 15 a login role with NOINHERIT has what that has only by
    taking it, in each database that is made after the first.
    """
    cursor.execute(SCHEMA_OWNER)
    owner, may_take, login, held = cursor.fetchone() or ("", False, "", False)
    if may_take and not held:
        with transaction.atomic(using=cursor.db.alias):
            cursor.execute(f"SET LOCAL ROLE {owner}")
            cursor.execute(f"GRANT ALL ON SCHEMA public TO {login} WITH GRANT OPTION")
            cursor.execute("SET LOCAL ROLE NONE")


def grant_membership(cursor: Any, version: int) -> None:
    """Grant membership in each role. Raises DatabaseNotReady, with what to type, when we may not grant it ourselves."""
    if all(is_member(cursor, role, version) for role in ALL):
        return
    cursor.execute("SELECT rolinherit, quote_ident(current_user) FROM pg_roles WHERE rolname = current_user")
    inherits, login = cursor.fetchone()
    try:
        with transaction.atomic(using=cursor.db.alias):
            for statement in membership_sql(version, "CURRENT_USER", inherits=inherits):
                cursor.execute(statement)
    except ProgrammingError:
        typed = "; ".join(membership_sql(version, login, inherits=inherits))
        raise DatabaseNotReady(
            f"User {login} may not take the roles Vibe works with, which are there already. As superuser: {typed};"
        ) from None


def is_member(cursor: Any, role: str, version: int) -> bool:
    """Return whether the login role can take a role and does not inherit it."""
    cursor.execute(MAY_TAKE.format(privilege="SET" if version >= PER_GRANT else "MEMBER"), [role])
    may_take = cursor.fetchone()[0]
    cursor.execute(INHERITS, [role])
    return bool(may_take and not cursor.fetchone()[0])


def membership_sql(version: int, login: str, *, inherits: bool) -> list[str]:
    """Return the statements that make a login role a member that does not inherit.

    Before PostgreSQL 16 that is a trait of the login role itself. Its right to make tables is inherited too, from being
    the database's owner, so that is granted first.
    """
    roles = ", ".join(ALL)
    if version >= PER_GRANT:
        return [f"GRANT {roles} TO {login} WITH INHERIT FALSE, SET TRUE"]
    grant = f"GRANT {roles} TO {login}"
    if not inherits:
        return [grant]
    return [f"GRANT ALL ON SCHEMA public TO {login} WITH GRANT OPTION", grant, f"ALTER ROLE {login} NOINHERIT"]


def drop(_apps: Any, schema_editor: Any) -> None:
    """Revoke the privileges, and drop the roles unless another database of this server needs them."""
    with schema_editor.connection.cursor() as cursor:
        for role in ALL:
            cursor.execute(REVOKE.format(role=role))
            cursor.execute(DROP.format(role=role, lock=ROLES_LOCK))
