"""A comparison of every policy of every role: command, kind, roles and both conditions.

The server rewrites a condition, and the result differs by version. So the declared policies are made on an empty
temporary table with the same columns, by the statements of the migration, and read back the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction

from vibe.core.db.schema.catalog_lint.finding import SYSTEM_SCHEMA, Finding
from vibe.core.db.schema.constraints import RowSecurity, declared

# An extension's own tables may have policies (pg_cron has).
POLICIES = """
SELECT c.oid::regclass::text, polname,
    ARRAY(SELECT coalesce(rolname, 'PUBLIC')::text FROM unnest(polroles) AS held LEFT JOIN pg_roles r ON r.oid = held
          ORDER BY 1),
    CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
    ELSE 'ALL' END,
    polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
FROM pg_policy JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace
"""
OF_ALL = f"""
{POLICIES} WHERE NOT {SYSTEM_SCHEMA} AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
OF_ONE = f"{POLICIES} WHERE polrelid = %s::regclass"
TWIN = "vibe_declared"


class Policy(NamedTuple):
    """A policy in the catalog."""

    roles: list[str]
    command: str
    permissive: bool
    using: str | None
    with_check: str | None


def compare_policies(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each policy that is missing, changed, or declared by no model."""
    quote = connection.ops.quote_name
    there = policies(cursor, OF_ALL)
    for model, wall in declared(RowSecurity):
        table = model._meta.db_table
        statements = wall.policies(table, quote)
        try:
            wanted = as_declared(cursor, table, wall)
        except DatabaseError as problem:  # a column, a role, or our own right to the table is gone
            what = f"its policies cannot be compared: {type(problem.__cause__).__name__}"
            yield Finding(what, table, "Mend what else is found of it and run manage.py migrate, then look again")
            continue
        for name, policy in wanted.items():
            found, where = there.pop((table, name), None), f"{table}.{name}"
            anew = f"BEGIN; DROP POLICY IF EXISTS {quote(name)} ON {quote(table)}; {statements[name]}; COMMIT;"
            if found is None:
                yield Finding(f"the policy of {role(policy)} is missing", where, anew)
            elif found != policy:
                differs = ", ".join(differences(found, policy))
                yield Finding(f"the policy of {role(policy)} differs from its model: {differs}", where, anew)
    for (table, name), policy in there.items():
        kind = "permissive" if policy.permissive else "restrictive"
        what = f"a {kind} policy of {role(policy)} that no model declares"
        yield Finding(what, f"{table}.{name}", f"DROP POLICY {quote(name)} ON {table};")


def as_declared(cursor: Any, table: str, wall: RowSecurity) -> dict[str, Policy]:
    """Return a model's policies as the server writes them. They are rolled back with the savepoint."""
    with transaction.atomic():
        twin = connection.ops.quote_name(TWIN)
        columns = f"LIKE public.{connection.ops.quote_name(table)}"
        cursor.execute(f"CREATE TEMPORARY TABLE {twin} ({columns})")
        for statement in wall.policies(TWIN, connection.ops.quote_name).values():
            cursor.execute(statement)
        made = {name: policy for (_, name), policy in policies(cursor, OF_ONE, f"pg_temp.{twin}").items()}
        transaction.set_rollback(True)
    return made


def policies(cursor: Any, statement: str, *values: Any) -> dict[tuple[str, str], Policy]:
    """Return policies by table and name."""
    cursor.execute(statement, values)
    return {(table, name): Policy(*rest) for table, name, *rest in cursor.fetchall()}


def differences(found: Policy, policy: Policy) -> Iterator[str]:
    """Yield what differs, in words: a condition itself could hold somebody's data."""
    if found.roles != policy.roles:
        yield f"it is of {role(found)}"
    if found.command != policy.command:
        yield f"it is for {found.command}, not {policy.command}"
    if found.permissive != policy.permissive:
        yield "it is restrictive" if policy.permissive else "it is permissive"
    if found.using != policy.using:
        yield "USING"
    if found.with_check != policy.with_check:
        yield "WITH CHECK"


def role(policy: Policy) -> str:
    """Return the roles of a policy as text."""
    return ", ".join(policy.roles)
