"""The SQL that a server's administrator runs once, so that Vibe works with the lowest privileges: no superuser, no
CREATEROLE. Only what is missing is printed, and nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vibe.core.db.requirements import OLDEST_VECTOR
from vibe.core.db.roles import ALL, LARGE_OBJECTS, PER_GRANT, REVOKE_LARGE_OBJECTS

DEFAULT_LOGIN = "vibe"
LOGIN = """
SELECT session_user, rolsuper OR rolbypassrls, current_database(), current_setting('server_version_num')::int
FROM pg_roles WHERE rolname = session_user
"""
TRAITS = "SELECT quote_ident(%s), (SELECT row_to_json(r) FROM pg_roles r WHERE rolname = %s)"
ROLES = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
MEMBERSHIPS = """
SELECT r.rolname, coalesce((to_jsonb(m) ->> 'inherit_option')::bool, false),
    coalesce((to_jsonb(m) ->> 'set_option')::bool, true)
FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = %s::regrole
"""
DATABASE = "SELECT quote_ident(datname), pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
SCHEMA = "SELECT has_schema_privilege(%s, 'public', 'CREATE WITH GRANT OPTION')"
VECTOR = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
SIDE_DOORS = "SELECT bool_or(has_function_privilege('public', to_regprocedure(f), 'EXECUTE')) FROM unnest(%s::text[]) f"
# Sequences of a column follow their table.
FOREIGN = """
SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
       WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name, relowner AS owner,
       'pg_class'::regclass AS catalog, c.oid AS object
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')))
UNION ALL SELECT 'ROUTINE', oid::regprocedure::text, proowner, 'pg_proc'::regclass, oid
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'TYPE', oid::regtype::text, typowner, 'pg_type'::regclass, oid
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
"""
OF_OTHERS = f"""
SELECT kind, name FROM ({FOREIGN}) AS each
WHERE owner IS DISTINCT FROM (SELECT oid FROM pg_roles WHERE rolname = %s) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = each.catalog AND d.objid = each.object AND d.deptype = 'e')
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Step:
    """Statements, and why they are needed. An optional one may be refused: the product works without."""

    why: str
    statements: tuple[str, ...]
    optional: bool = False


def login_of(cursor: Any) -> str:
    """Return the role to prepare: that of DATABASE_URL, or `vibe` where that is a superuser's or has BYPASSRLS."""
    cursor.execute(LOGIN)
    login, passes, _, _ = cursor.fetchone()
    return DEFAULT_LOGIN if passes else str(login)


def steps(cursor: Any, login: str) -> Iterator[Step]:
    """Yield what this server and this database lack for a login role, in the order in which to run it."""
    cursor.execute(LOGIN)
    version = cursor.fetchone()[3]
    cursor.execute(TRAITS, [login, login])
    name, traits = cursor.fetchone()
    yield from _login(name, traits, version)
    yield from _roles(cursor, name, traits, version)
    yield from _vector(cursor)
    yield from _schema(cursor, name, traits, version)
    given = [*_database(cursor, login, name), *_objects(cursor, login, name)]
    if given:
        why = "Only a member of a role may give to it. A superuser needs neither this nor the last line."
        yield Step(why, (f"GRANT {name} TO CURRENT_USER",))
        yield from given
    yield from _side(cursor, name, traits, version)
    if given:
        yield Step("Nobody else is to act as that role.", (f"REVOKE {name} FROM CURRENT_USER",))


def _login(name: str, traits: dict[str, Any] | None, version: int) -> Iterator[Step]:
    """Yield what makes the login role, or takes from it what passes row-level security."""
    inherits = "" if version >= PER_GRANT else " NOINHERIT"
    if traits is None:
        yield Step(
            "Vibe logs in as this role. Choose a password.", (f"CREATE ROLE {name} LOGIN{inherits} PASSWORD '…'",)
        )
        return
    wrong = [word for word, has in (("NOSUPERUSER", "rolsuper"), ("NOBYPASSRLS", "rolbypassrls")) if traits[has]]
    if wrong:
        yield Step("It would pass row-level security.", (f"ALTER ROLE {name} {' '.join(wrong)}",))
    if inherits and traits["rolinherit"]:
        yield Step("It takes roles, and is not to hold their rights without.", (f"ALTER ROLE {name} NOINHERIT",))


def _roles(cursor: Any, name: str, traits: dict[str, Any] | None, version: int) -> Iterator[Step]:
    """Yield what makes the roles of scopes, and lets the login role take them without inheriting them."""
    cursor.execute(ROLES, [list(ALL)])
    there = {role for (role,) in cursor.fetchall()}
    if missing := [role for role in ALL if role not in there]:
        yield Step("Every request takes one of these roles.", tuple(f"CREATE ROLE {role} NOLOGIN" for role in missing))
    held = {}
    if traits is not None:
        cursor.execute(MEMBERSHIPS, [name])
        held = {role: (inherits, may_set) for role, inherits, may_set in cursor.fetchall()}
    lacking = ", ".join(role for role in ALL if held.get(role) != (False, True))
    if lacking:
        how = " WITH INHERIT FALSE, SET TRUE" if version >= PER_GRANT else ""
        yield Step("The login role takes them, and does not inherit them.", (f"GRANT {lacking} TO {name}{how}",))


def _database(cursor: Any, login: str, name: str) -> Iterator[Step]:
    """Yield what makes the login role the owner of the database."""
    cursor.execute(DATABASE)
    database, owner = cursor.fetchone()
    if owner != login:
        yield Step(
            "Migrations make tables in it, and take the right to make temporary ones from everybody.",
            (f"ALTER DATABASE {database} OWNER TO {name}",),
        )


def _vector(cursor: Any) -> Iterator[Step]:
    """Yield what makes pgvector, or brings it to a version that is new enough."""
    cursor.execute(VECTOR)
    found = cursor.fetchone()
    if not found:
        yield Step("Vectors are stored in columns of the extension pgvector.", ("CREATE EXTENSION vector",))
    elif tuple(int(part) for part in found[0].split(".")[:2]) < OLDEST_VECTOR:
        yield Step("Search needs pgvector 0.8.", ("ALTER EXTENSION vector UPDATE",))


def _schema(cursor: Any, name: str, traits: dict[str, Any] | None, version: int) -> Iterator[Step]:
    """Yield what lets the login role make tables, where owning the database does not."""
    if version >= PER_GRANT:
        return  # inherited from pg_database_owner
    held = False
    if traits is not None:
        cursor.execute(SCHEMA, [name])
        held = cursor.fetchone()[0]
    if not held:
        yield Step(
            "Migrations make tables. Only the schema's owner or a superuser can grant this; others get a warning.",
            (f"GRANT ALL ON SCHEMA public TO {name} WITH GRANT OPTION",),
        )
    cursor.execute("SELECT has_schema_privilege('public', 'public', 'CREATE')")
    if cursor.fetchone()[0]:  # as PostgreSQL 14 makes it
        yield Step("Nobody else makes tables there.", ("REVOKE CREATE ON SCHEMA public FROM PUBLIC",))


def _objects(cursor: Any, login: str, name: str) -> Iterator[Step]:
    """Yield what hands over tables that were made as another role."""
    cursor.execute(OF_OTHERS, [login])
    found = cursor.fetchall()
    if found:
        yield Step(
            "What another role has made in this database becomes the login role's.",
            tuple(f"ALTER {kind} {each} OWNER TO {name}" for kind, each in found),
        )


def _side(cursor: Any, name: str, traits: dict[str, Any] | None, version: int) -> Iterator[Step]:
    """Yield what is worth having: monitoring, and what everybody may do that only a superuser takes away."""
    monitors = False
    if traits is not None:
        cursor.execute("SELECT pg_has_role(%s, 'pg_monitor', 'USAGE')", [traits["rolname"]])
        monitors = cursor.fetchone()[0]
    if not monitors and version >= PER_GRANT:
        monitor = f"GRANT pg_monitor TO {name} WITH INHERIT TRUE"
        yield Step("doctor and /metrics see other sessions, and replicas.", (monitor,), optional=True)
    cursor.execute(SIDE_DOORS, [list(LARGE_OBJECTS)])
    if cursor.fetchone()[0]:
        yield Step(
            "No policy covers large objects. Only a superuser can take them away.",
            (REVOKE_LARGE_OBJECTS,),
            optional=True,
        )
