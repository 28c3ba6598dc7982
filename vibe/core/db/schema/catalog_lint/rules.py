"""Rules for every table, view, function, reference and role, each with what to type if it is broken."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template
from typing import Any, NamedTuple

from django.apps import apps

from vibe.core.db.roles import ALL
from vibe.core.db.schema.catalog_lint.expected import OURS, SEQUENCE_USERS, SYSTEM_SCHEMA, Finding
from vibe.core.db.schema.constraints import RowSecurity, declared
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.schema.statistics import SAMPLED, sealed_columns


class Rule(NamedTuple):
    """A query for the names of what breaks the rule, the object itself first; `do` is filled with them.

    Of its parameters `walled` are the tables with row security, `owned` those of people's rows, `known` those of models
    and `sealed` the sealed columns.
    """

    statement: str
    do: str


OWNER = "the user of DATABASE_URL"
NOT_OF_AN_EXTENSION = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = {}.oid AND d.deptype = 'e')"
THERE = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
KIND = (
    "CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' "
    "WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END"
)
REACHABLE = (  # functions of schemas that a scope's role could reach
    f"{NOT_OF_AN_EXTENSION.format('c')} AND EXISTS (SELECT FROM pg_namespace n, unnest(%(roles)s::text[]) AS scope "
    f"WHERE n.oid = pronamespace AND NOT {SYSTEM_SCHEMA} "
    "AND (nspname = 'public' OR has_schema_privilege(scope, n.oid, 'USAGE')))"
)

OF_A_SUPERUSER = "belongs to a role that scopes take, or to a superuser"
RULES: dict[str, Rule] = {
    "row security is not enabled and forced": Rule(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'p', 'f') "
        "AND NOT (relrowsecurity AND relforcerowsecurity) AND (c.oid = ANY(%(walled)s::regclass[]) "
        "OR EXISTS (SELECT FROM pg_inherits JOIN pg_class p ON p.oid = inhparent WHERE inhrelid = c.oid "
        "AND (p.relrowsecurity OR p.oid = ANY(%(walled)s::regclass[]))))",
        "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY;",
    ),
    "is a table that no model declares": Rule(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE $ours AND relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p', 'f') AND NOT relname = ANY(%(known)s) AND NOT EXISTS (SELECT FROM pg_inherits "
        "JOIN pg_class p ON p.oid = inhparent WHERE inhrelid = c.oid AND c.relispartition "
        "AND p.relname = ANY(%(known)s))",
        "ALTER TABLE {0} SET SCHEMA one that no scope may use; or DROP TABLE {0};",
    ),
    "inherits from a table of people's rows": Rule(
        "SELECT c.oid::regclass::text, p.oid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
        "JOIN pg_class p ON p.oid = inhparent WHERE c.relkind IN ('r', 'f') AND NOT c.relispartition "
        "AND p.oid = ANY(%(walled)s::regclass[])",
        "ALTER TABLE {0} NO INHERIT {1};",
    ),
    OF_A_SUPERUSER: Rule(
        "SELECT c.oid::regclass::text, $kind FROM pg_class c JOIN pg_roles o ON o.oid = relowner WHERE $ours "
        "AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
        "AND (o.rolname = ANY(%(roles)s) OR o.rolsuper OR o.rolbypassrls) "
        "UNION ALL SELECT oid::regprocedure::text, 'ROUTINE' FROM pg_proc "
        "WHERE proowner IN (SELECT oid FROM pg_roles WHERE rolname = ANY(%(roles)s)) "
        "UNION ALL SELECT quote_ident(nspname), 'SCHEMA' FROM pg_namespace "
        "WHERE nspowner IN (SELECT oid FROM pg_roles WHERE rolname = ANY(%(roles)s)) "
        "UNION ALL SELECT quote_ident(datname), 'DATABASE' FROM pg_database WHERE datname = current_database() "
        "AND datdba IN (SELECT oid FROM pg_roles WHERE rolname = ANY(%(roles)s))",
        f"ALTER {{1}} {{0}} OWNER TO {OWNER};",
    ),
    "is a view with its owner's rights, or keeps a copy of rows": Rule(
        "SELECT c.oid::regclass::text, $kind FROM pg_class c WHERE $ours AND (relkind = 'm' OR relkind = 'v' "
        "AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false))",
        "DROP {1} {0};",
    ),
    "has a rewrite rule": Rule(
        "SELECT c.oid::regclass::text, quote_ident(rulename) FROM pg_class c JOIN pg_rewrite w ON w.ev_class = c.oid "
        "WHERE $ours AND rulename <> '_RETURN'",
        "DROP RULE {1} ON {0};",
    ),
    "has a trigger that is off": Rule(
        "SELECT c.oid::regclass || '.' || tgname, c.oid::regclass::text, quote_ident(tgname) "
        "FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE $ours AND t.tgenabled NOT IN ('O', 'A')",
        "ALTER TABLE {1} ENABLE TRIGGER {2};",
    ),
    "runs with its owner's rights": Rule(
        "SELECT c.oid::regprocedure::text FROM pg_proc c WHERE prosecdef AND $reachable",
        "ALTER ROUTINE {0} SECURITY INVOKER;",
    ),
    "is a reference of people's rows without its owner": Rule(
        "SELECT f.conrelid::regclass || '.' || conname, f.conrelid::regclass::text, quote_ident(conname) "
        "FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = ANY(%(owned)s::regclass[]) "
        "AND NOT f.conkey @> ARRAY(SELECT attnum FROM pg_attribute WHERE attrelid = f.conrelid "
        "AND attname = 'user_id')",
        "ALTER TABLE {1} DROP CONSTRAINT {2};",
    ),
    "tells of other people's rows by a collision": Rule(
        "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = ANY(%(owned)s::regclass[]) "
        "AND i.indisunique AND NOT i.indisprimary AND NOT EXISTS (SELECT FROM pg_attribute a "
        "WHERE a.attrelid = i.indrelid AND a.attname = 'user_id' AND a.attnum = ANY(i.indkey::int2[]))",
        "DROP INDEX CONCURRENTLY {0};",
    ),
    "has an owner that may be absent": Rule(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attrelid = ANY(%(owned)s::regclass[]) "
        "AND attname = 'user_id' AND NOT attnotnull",
        "ALTER TABLE {0} ALTER COLUMN user_id SET NOT NULL;",
    ),
    "is sampled by ANALYZE, whose copies outlive an erasure": Rule(
        f"SELECT relname || '.' || attname FROM ({SAMPLED}) AS sampled",  # noqa: S608
        "manage.py migrate",
    ),
    "grants more of a sequence than its use": Rule(
        "SELECT c.oid::regclass::text, privilege_type, coalesce(quote_ident(rolname), 'PUBLIC') FROM pg_class c "
        "CROSS JOIN aclexplode(relacl) a LEFT JOIN pg_roles ON pg_roles.oid = grantee WHERE $ours AND relkind = 'S' "
        "AND grantee <> relowner AND NOT (privilege_type = 'USAGE' AND NOT is_grantable "
        "AND coalesce(rolname = ANY(%(sequence_users)s), false))",
        "REVOKE {1} ON SEQUENCE {0} FROM {2};",
    ),
    "is a role with more rights than its grants": Rule(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%(roles)s) "
        "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin "
        "AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'))",  # which connects to shards as that role
        "ALTER ROLE {0} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION; without Citus also: NOLOGIN",
    ),
    "is a role that is a member of another": Rule(
        "SELECT m.member::regrole::text, m.roleid::regrole::text FROM pg_auth_members m "
        "JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = ANY(%(roles)s)",
        "REVOKE {1} FROM {0};",
    ),
    # Databases of one server share the roles, so the owner of another database may take them too.
    "may take the role of a scope, and owns no database": Rule(
        "SELECT m.member::regrole::text, m.roleid::regrole::text FROM pg_auth_members m "
        "JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles taker ON taker.oid = m.member "
        "WHERE r.rolname = ANY(%(roles)s) AND taker.rolname NOT IN (current_user, session_user) "
        # From PostgreSQL 16 on, who makes a role may hand it on without taking it.
        "AND coalesce((to_jsonb(m) ->> 'set_option')::bool, true) "
        "AND NOT taker.rolsuper AND NOT EXISTS (SELECT FROM pg_database WHERE datdba = m.member)",
        "REVOKE {1} FROM {0};",
    ),
    "may make tables": Rule(
        "SELECT quote_ident(rolname), 'SCHEMA ' || quote_ident(nspname) FROM pg_roles r, pg_namespace n "
        "WHERE rolname = ANY(%(roles)s) AND has_schema_privilege(r.oid, n.oid, 'CREATE') "
        "UNION ALL SELECT quote_ident(rolname), 'DATABASE ' || quote_ident(current_database()) FROM pg_roles r "
        "WHERE rolname = ANY(%(roles)s) AND has_database_privilege(r.oid, current_database(), 'CREATE')",
        "REVOKE CREATE ON {1} FROM {0}, PUBLIC;",
    ),
    "may make temporary tables": Rule(
        "SELECT quote_ident(rolname), quote_ident(current_database()), quote_ident(current_user) FROM pg_roles r "
        "WHERE rolname = ANY(%(roles)s) AND has_database_privilege(r.oid, current_database(), 'TEMPORARY')",
        "REVOKE TEMPORARY ON DATABASE {1} FROM {0}, PUBLIC; GRANT TEMPORARY ON DATABASE {1} TO {2};",
    ),
    "has more than the use of public": Rule(
        "SELECT quote_ident(rolname), privilege_type, quote_ident(nspname) FROM pg_namespace n "
        "CROSS JOIN aclexplode(nspacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE rolname = ANY(%(roles)s) "
        "AND NOT (nspname = 'public' AND privilege_type = 'USAGE' AND NOT is_grantable) "
        "AND NOT EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)",
        "REVOKE {1} ON SCHEMA {2} FROM {0};",
    ),
    "grants what is not there yet": Rule(
        "SELECT 'default privileges of ' || defaclrole::regrole, defaclrole::regrole::text, "
        "CASE WHEN defaclnamespace = 0 THEN '' ELSE 'IN SCHEMA ' || defaclnamespace::regnamespace || ' ' END, "
        "CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' "
        "WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END, "
        "coalesce(quote_ident(rolname), 'PUBLIC') "
        "FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE a.grantee <> defaclrole AND NOT (defaclobjtype IN ('f', 'T') AND a.grantee = 0)",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {1} {2}REVOKE ALL ON {3} FROM {4};",
    ),
}


def broken_rules(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for everything that breaks a rule."""
    cursor.execute(THERE)
    there = {name for (name,) in cursor.fetchall()}
    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    known = {"django_migrations", *(model._meta.db_table for model in models)}
    yield from (Finding("the table is missing", name, "manage.py migrate") for name in known - there)
    given = {
        "walled": list(there & {model._meta.db_table for model, _ in declared(RowSecurity)}),
        "owned": list(there & {model._meta.db_table for model in models if issubclass(model, UserOwned)}),
        "known": list(known),
        "sealed": sealed_columns(),
        "roles": list(ALL),
        "sequence_users": list(SEQUENCE_USERS),
    }
    for what, rule in RULES.items():
        cursor.execute(Template(rule.statement).substitute(ours=OURS, kind=KIND, reachable=REACHABLE), given)
        yield from (Finding(what, name, rule.do.format(name, *more)) for name, *more in cursor.fetchall())
