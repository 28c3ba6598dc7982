"""The catalog against what the models declare: every table, view, function, policy and grant, as the server has it.

Migrations put the walls up; this looks whether they stand. Somebody may have taken one down by hand, restored a dump
without it, or added a table beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models

from vibe.db.constraints import Privileges, RowSecurity
from vibe.db.owned import UserOwned
from vibe.db.roles import ALL, SIGN_IN, USER, WORDS
from vibe.db.unsampled import SAMPLED, sealed_columns


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something in the catalog that is not as it should be."""

    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


Grant = tuple[str, str, str, str]  # table, role, verb, column or ""
PEOPLE = (USER, SIGN_IN, WORDS)  # the roles that people act under: they have nothing but what is declared

# What stands for $ours below: tables and views of the schema that no extension brought.
OURS = (
    "relnamespace = 'public'::regnamespace "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
)
# Each gives the names of what is at fault. `walled` are the tables with row security, `owned` those of people's rows,
# `sealed` the sealed columns.
RULES: dict[str, str] = {
    "row security is not enabled and forced": (
        "SELECT relname FROM pg_class c WHERE relname = ANY(%(walled)s) "
        "AND NOT (relrowsecurity AND relforcerowsecurity)"
    ),
    "belongs to a role that scopes take, or to a superuser": (
        "SELECT relname FROM pg_class c JOIN pg_roles o ON o.oid = relowner WHERE $ours "
        "AND (o.rolname = ANY(%(roles)s) OR o.rolsuper OR o.rolbypassrls)"
    ),
    "is a view with its owner's rights, or keeps a copy of rows": (
        "SELECT relname FROM pg_class c WHERE $ours AND (relkind = 'm' OR relkind = 'v' "
        "AND NOT coalesce('security_invoker=true' = ANY(reloptions), false))"
    ),
    "has a rewrite rule": (
        "SELECT relname FROM pg_class c JOIN pg_rewrite w ON w.ev_class = c.oid WHERE $ours AND w.rulename <> '_RETURN'"
    ),
    "has a trigger that is off": (
        "SELECT relname || '.' || tgname FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid "
        "WHERE $ours AND t.tgenabled NOT IN ('O', 'A')"
    ),
    "runs with its owner's rights": (
        "SELECT proname FROM pg_proc c WHERE pronamespace = 'public'::regnamespace AND prosecdef "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ),
    "is a trigger of the trail's without a search_path of its own": (
        "SELECT proname FROM pg_proc c WHERE proname LIKE 'audit_%%' AND pronamespace = 'public'::regnamespace "
        "AND NOT coalesce(array_to_string(proconfig, ',') LIKE '%%search_path=%%', false)"
    ),
    "has a policy for everybody, that only restricts, or without both conditions alike": (
        "SELECT tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'public' AND (permissive <> "
        "'PERMISSIVE' OR cmd <> 'ALL' OR 'public' = ANY(roles) OR qual IS DISTINCT FROM with_check)"
    ),
    "is a reference of people's rows without its owner": (
        "SELECT f.conname FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = ANY(%(owned)s::regclass[]) "
        "AND NOT f.conkey @> ARRAY(SELECT attnum FROM pg_attribute WHERE attrelid = f.conrelid AND attname = 'user_id')"
    ),
    "tells of other people's rows by a collision": (
        "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = ANY(%(owned)s::regclass[]) "
        "AND i.indisunique AND NOT i.indisprimary AND NOT EXISTS (SELECT FROM pg_attribute a "
        "WHERE a.attrelid = i.indrelid AND a.attname = 'user_id' AND a.attnum = ANY(i.indkey::int2[]))"
    ),
    "has an owner that may be absent": (
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attrelid = ANY(%(owned)s::regclass[]) "
        "AND attname = 'user_id' AND NOT attnotnull"
    ),
    "is sampled by ANALYZE, whose copies outlive an erasure (manage.py migrate ends it)": (
        f"SELECT relname || '.' || attname FROM ({SAMPLED}) AS sampled"  # noqa: S608
    ),
    "is a role with more rights than its grants": (
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%(roles)s) "
        "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin "
        "AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'))"  # which goes to the shards as that role
    ),
    "is a role that is a member of another": (
        "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = ANY(%(roles)s)"
    ),
    "may make tables": (
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%(roles)s) AND has_schema_privilege(oid, 'public', 'CREATE')"
    ),
    "grants what is not there yet": "SELECT 'default privileges of ' || defaclrole::regrole FROM pg_default_acl",
}
HELD = """
SELECT relname, coalesce(r.rolname, 'public'), a.privilege_type, '' FROM pg_class c
CROSS JOIN aclexplode(relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE $ours AND relkind IN ('r', 'p', 'v', 'm', 'f') AND a.grantee <> relowner
UNION ALL
SELECT relname, coalesce(r.rolname, 'public'), a.privilege_type, attname FROM pg_class c
JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN aclexplode(attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE $ours AND a.grantee <> relowner
"""
POLICIES = "SELECT tablename, policyname, roles[1], qual FROM pg_policies WHERE schemaname = 'public'"
# How the server writes vibe.db.constraints.OWN.
OWN_ROWS = "({} = (NULLIF(current_setting('vibe.user_id'::text, true), ''::text))::uuid)"


def findings() -> list[Finding]:
    """Everything that is not as the models declare it; empty when the walls stand. As the login role."""
    with connection.cursor() as cursor:
        return sorted({*broken_rules(cursor), *policies_apart(cursor), *grants_apart(cursor)})


def broken_rules(cursor: Any) -> Iterator[Finding]:
    """What breaks a rule that holds of every table, view, function, policy and role."""
    walled = [model._meta.db_table for model, wall in walls() if isinstance(wall, RowSecurity)]
    owned = [model._meta.db_table for model in apps.get_models() if issubclass(model, UserOwned)]
    given = {"walled": walled, "owned": owned, "roles": list(ALL), "sealed": sealed_columns()}
    for what, statement in RULES.items():
        cursor.execute(statement.replace("$ours", OURS), given)
        yield from (Finding(what, name) for (name,) in cursor.fetchall())


def policies_apart(cursor: Any) -> Iterator[Finding]:
    """Policies that are declared and not there, there and not declared, or for other rows than a person's own."""
    declared = {
        (model._meta.db_table, wall.policy(role), role): wall.owner
        for model, wall in walls()
        if isinstance(wall, RowSecurity)
        for role in (USER, *(role for role, _ in wall.others))
    }
    cursor.execute(POLICIES)
    there = {(table, name, role): rows for table, name, role, rows in cursor.fetchall()}
    for policy in declared.keys() ^ there.keys():
        what = "has a policy that no model declares" if policy in there else "lacks its policy"
        yield Finding(what, f"{policy[0]}.{policy[1]}")
    for policy, rows in there.items():
        if policy[2] == USER and rows != OWN_ROWS.format(declared.get(policy)):
            yield Finding("has a policy of another person's rows", f"{policy[0]}.{policy[1]}")


def grants_apart(cursor: Any) -> Iterator[Finding]:
    """Grants that are declared and not held, or held and not declared.

    Tables of frameworks have no declaration: there only the roles that people act under are held to have nothing.
    """
    declared = {grant for model, wall in walls() if isinstance(wall, Privileges) for grant in granted(model, wall)}
    ours = {table for table, _, _, _ in declared}
    cursor.execute(HELD.replace("$ours", OURS))
    held: set[Grant] = set(cursor.fetchall())
    yield from (Finding(f"{role} lacks {verb}", place(table, column)) for table, role, verb, column in declared - held)
    for table, role, verb, column in held - declared:
        if table in ours or role in (*PEOPLE, "public"):
            yield Finding(f"{role} has {verb}, which no model declares", place(table, column))


def granted(model: type[models.Model], wall: Privileges) -> Iterator[Grant]:
    """What a declaration grants, as the catalog tells it."""
    for verb, columns in wall.verbs:
        yield from (
            (model._meta.db_table, wall.role, verb, column) for column in (("",) if columns is None else columns)
        )


def place(table: str, column: str) -> str:
    """A table, or a column of it."""
    return f"{table}.{column}" if column else table


def walls() -> Iterator[tuple[type[models.Model], Any]]:
    """Every constraint of every model."""
    for model in apps.get_models():
        yield from ((model, wall) for wall in model._meta.constraints)
