"""A comparison of grants on tables and columns, of any role, with those that models and migrations declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, models

from vibe.core.db.roles import ALL
from vibe.core.db.schema.catalog_lint.expected import FRAMEWORK_GRANTS
from vibe.core.db.schema.catalog_lint.finding import OURS, Finding
from vibe.core.db.schema.constraints import Privileges, declared

Grant = tuple[str, str, str, str]  # table, role, verb, column or ""

HELD = """
SELECT c.oid::regclass::text, coalesce(r.rolname, 'PUBLIC'),
    a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, coalesce(attname, '')
FROM pg_class c JOIN (
    SELECT oid AS attrelid, NULL AS attname, relacl AS acl FROM pg_class
    UNION ALL SELECT attrelid, attname, attacl FROM pg_attribute WHERE NOT attisdropped
) AS held ON attrelid = c.oid CROSS JOIN aclexplode(acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE $ours AND relkind IN ('r', 'p', 'v', 'm', 'f') AND a.grantee <> relowner
""".replace("$ours", OURS)


def compare_privileges(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each grant that is declared and not held, or held and not declared."""
    wanted = {
        grant for model, wall in declared(Privileges) for grant in declared_grants(model, wall)
    } | FRAMEWORK_GRANTS
    cursor.execute(HELD, {"roles": list(ALL)})
    held: set[Grant] = set(cursor.fetchall())
    for table, role, verb, column in wanted - held:
        yield Finding(
            f"{role} lacks {verb}", column_name(table, column), f"GRANT {clause(table, verb, column)} TO {role};"
        )
    for table, role, verb, column in held - wanted:
        right = verb.partition(" WITH ")[0]
        taken_too = {  # REVOKE on a table also revokes those on its columns
            f" GRANT {clause(table, right, given)} TO {role};"
            for *key, given in wanted
            if key == [table, role, right] and column in ("", given)
        }
        yield Finding(
            f"{role} has {verb}, which no model declares",
            column_name(table, column),
            f"REVOKE {clause(table, right, column)} FROM {grantee(role)};{''.join(sorted(taken_too))}",
        )


def declared_grants(model: type[models.Model], wall: Privileges) -> Iterator[Grant]:
    """Yield what a declaration grants, in the form of the catalog."""
    for verb, columns in wall.verbs:
        yield from (
            (model._meta.db_table, wall.role, verb, column) for column in (("",) if columns is None else columns)
        )


def column_name(table: str, column: str) -> str:
    """Return the name of a table, or of a column with its table."""
    return f"{table}.{column}" if column else table


def clause(table: str, verb: str, column: str) -> str:
    """Return what is granted, in the syntax of GRANT and REVOKE."""
    return f"{verb} ({connection.ops.quote_name(column)}) ON {table}" if column else f"{verb} ON {table}"


def grantee(role: str) -> str:
    """Return a role in the syntax of a statement."""
    return role if role == "PUBLIC" else connection.ops.quote_name(role)
