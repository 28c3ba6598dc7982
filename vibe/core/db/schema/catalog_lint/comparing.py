"""A comparison of policies, grants and triggers of every role with those that models and migrations declare.

The server rewrites the condition of a policy, and the result differs by version. So the declared policies are made on
an empty temporary table with the same columns, by the statements of the migration, and read back the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, models, transaction

from vibe.core.db.roles import ALL
from vibe.core.db.schema.catalog_lint.expected import (
    FRAMEWORK_GRANTS,
    FUNCTIONS,
    IN_TWO_PHASES,
    OURS,
    OWN_TRIGGER,
    SYSTEM_SCHEMA,
    TRIGGERS,
    Finding,
)
from vibe.core.db.schema.constraints import Privileges, RowSecurity, declared

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

# A partition has its parent's triggers.
TABLES = """
SELECT c.oid::regclass::text, coalesce(inhparent, c.oid)::regclass::text FROM pg_class c
LEFT JOIN pg_inherits ON inhrelid = c.oid AND relispartition
WHERE $ours AND relkind IN ('r', 'p', 'v', 'f') AND relname NOT LIKE 'procrastinate\\_%%'
""".replace("$ours", OURS)
FOUND = """
SELECT c.oid::regclass::text, quote_ident(tgname), pg_get_triggerdef(t.oid, true)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE $ours AND $triggers
AND NOT (relname LIKE 'procrastinate\\_%%' AND tgfoid::regproc::text LIKE 'procrastinate\\_%%')
""".replace("$ours", OURS).replace("$triggers", OWN_TRIGGER)
BODIES = """
SELECT proname, encode(sha256(convert_to(prosrc, 'UTF8')), 'hex'), coalesce(array_to_string(proconfig, '; '), '')
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)
"""


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


def compare_triggers(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each trigger that is missing, changed, or made by no migration."""
    cursor.execute(TABLES, {"roles": list(ALL)})
    parents = dict(cursor.fetchall())
    wanted = {
        (table, name): definition.format(name=name, table=table)
        for table, parent in parents.items()
        for name, definition in TRIGGERS.get(parent, {}).items()
    }
    cursor.execute(FOUND, {"roles": list(ALL)})
    there = {(table, name): definition for table, name, definition in cursor.fetchall()}
    for (table, name), definition in wanted.items():
        found = there.pop((table, name), None)
        if found is None:
            if table != parents[table] and "FOR EACH ROW" in definition:
                continue  # a partition gets it from its parent
            yield Finding("the trigger is missing", f"{table}.{name}", f"{definition};")
        elif found != definition:
            anew = f"BEGIN; DROP TRIGGER {name} ON {table}; {definition}; COMMIT;"
            yield Finding("the trigger differs from its migration", f"{table}.{name}", anew)
    for (table, name), definition in there.items():
        if definition != IN_TWO_PHASES:
            yield Finding("a trigger that no migration makes", f"{table}.{name}", f"DROP TRIGGER {name} ON {table};")


def compare_functions(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each function of those triggers that is missing or has another body or settings."""
    cursor.execute(BODIES, [list(FUNCTIONS)])
    there = {name: (digest, settings) for name, digest, settings in cursor.fetchall()}
    for name, (migration, digest, settings) in FUNCTIONS.items():
        found = there.get(name)
        if found and found[0] == digest and found[1] != settings:
            anew = f"ALTER FUNCTION {name}() RESET ALL; ALTER FUNCTION {name}() SET {settings};"
            yield Finding("the trigger's function runs with other settings", f"{name}()", anew)
        elif found != (digest, settings):
            yield Finding(
                f"the trigger's function is not as migration {migration} makes it",
                f"{name}()",
                f"CREATE OR REPLACE FUNCTION {name}() ... as {migration.replace('.', '/migrations/')}.py has it, then "
                f"ALTER FUNCTION {name}() SET {settings};",
            )
