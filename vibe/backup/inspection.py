"""Contents and access rules of a database, read from its catalog by a role that sees everything."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from vibe.core.db.roles import ALL
from vibe.core.db.schema.catalog_lint.expected import OWN_TRIGGER

SCHEMA = "schema public"  # the key for grants on the schema, among the table names of `walls`
EVERYBODY = "public"  # in place of a role's name; no role can have that name
OURS = """
SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass AND deptype = 'e')
"""
TABLES = f"SELECT nspname, relname FROM ({OURS}) ours WHERE relkind = 'r' ORDER BY 1, 2"  # noqa: S608

# Row-level security and its policies, privileges of our roles on tables and columns, triggers and constraints.
# The table's owner is left out: it may have another name where the backup is restored.
# On the schema: whether each of our roles may use it, directly or not; and all other grants, except PUBLIC's right to
# create tables, which PostgreSQL 14 grants by default and nothing needs.
WALLS = f"""
WITH ours AS ({OURS}), held AS (
    SELECT oid, '' AS attname, relacl AS acl FROM pg_class WHERE relacl IS NOT NULL
    UNION ALL SELECT attrelid, attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped
), on_schema AS (
    SELECT coalesce(rolname, '{EVERYBODY}') AS name, grantee, privilege_type, is_grantable
    FROM pg_namespace JOIN pg_database ON datname = current_database()
    CROSS JOIN aclexplode(coalesce(nspacl, acldefault('n', nspowner))) LEFT JOIN pg_roles ON pg_roles.oid = grantee
    WHERE nspname = 'public' AND grantee NOT IN (nspowner, datdba)
)
SELECT relname, 'row-level security ' || CASE WHEN relforcerowsecurity THEN 'forced' ELSE 'enabled' END
FROM ours JOIN pg_class USING (oid, relname, relkind) WHERE relrowsecurity
UNION ALL
SELECT relname, format('policy %s for %s to %s using (%s) check (%s)', polname, polcmd,
    ARRAY(SELECT rolname FROM pg_roles WHERE pg_roles.oid = ANY (polroles) ORDER BY 1),
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM ours JOIN pg_policy ON polrelid = ours.oid
UNION ALL
SELECT relname, format('%s may %s %s', rolname, privilege_type, attname)
FROM ours JOIN held USING (oid), aclexplode(acl) JOIN pg_roles ON pg_roles.oid = grantee
WHERE rolname ~ '^vibe_'
UNION ALL
SELECT relname, format('trigger %s %s', tgname, tgenabled)
FROM ours JOIN pg_trigger t ON tgrelid = ours.oid AND {OWN_TRIGGER}
UNION ALL
SELECT relname, format('constraint %s %s', conname, CASE WHEN convalidated THEN '' ELSE 'not validated' END)
FROM ours JOIN pg_constraint ON conrelid = ours.oid AND contype <> 'n'
UNION ALL
SELECT '{SCHEMA}', format('%s may USAGE', rolname)
FROM pg_roles WHERE rolname IN {ALL} AND has_schema_privilege(oid, 'public', 'USAGE')
UNION ALL
SELECT '{SCHEMA}', format('%s may %s%s', name, privilege_type, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
FROM on_schema WHERE NOT (name IN {ALL} AND privilege_type = 'USAGE')
AND (name, privilege_type) <> ('{EVERYBODY}', 'CREATE')
AND grantee NOT IN (SELECT relowner FROM ours JOIN pg_class USING (oid))
ORDER BY 1, 2
"""  # noqa: S608

WRAPPED = """
SELECT DISTINCT encode(substring(value FROM 2 FOR 8), 'hex')
FROM (SELECT wrapped AS value FROM user_keys UNION ALL SELECT name FROM users) AS values
WHERE value IS NOT NULL ORDER BY 1
"""


def counts(here: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the rows of each table. Partitions count as tables; a partitioned table has no rows of its own."""
    return {name: count(here, schema, name) for schema, name in here.execute(TABLES).fetchall()}


def count(here: psycopg.Connection[Any], schema: str, name: str) -> int:
    """Count the rows of one table."""
    found = here.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
    return int(found[0]) if found else 0


def walls(here: psycopg.Connection[Any]) -> dict[str, tuple[str, ...]]:
    """Return the access rules, triggers and constraints of each table, one a line."""
    found: dict[str, tuple[str, ...]] = {}
    for table, line in here.execute(WALLS).fetchall():
        found[table] = (*found.get(table, ()), line.strip())
    return found


def migrations(here: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the applied migrations, as app.name."""
    found = here.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1").fetchall()
    return tuple(sorted(name for (name,) in found))


def masters(here: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the ids of the master keys of data keys and names, from the header of each value."""
    return tuple(name for (name,) in here.execute(WRAPPED).fetchall())


def vector(here: psycopg.Connection[Any]) -> str:
    """Return the version of pgvector, or an empty string."""
    found = here.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return str(found[0]) if found else ""


def is_empty(here: psycopg.Connection[Any]) -> bool:
    """Return whether the database has no tables of ours."""
    return here.execute(TABLES).fetchone() is None
