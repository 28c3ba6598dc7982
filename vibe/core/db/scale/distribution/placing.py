"""The placement of tables (on shards, on every node, or unchanged), and obstacles to it, each with what to do.

Obstacles are checked before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

from vibe.core.db.roles import ALL
from vibe.core.db.schema.constraints import CompositeReference
from vibe.core.db.schema.owned import UserOwned

TABLES = """
SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
AND NOT relispartition AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname
"""
DJANGO = "django_migrations"  # the one table of Django that has no model

OLDEST_SERVER, OLDEST_CITUS = 150000, (13, 1)  # from 13.1 on privileges on columns reach the shards

CITUS = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"
WORKERS = (
    "SELECT count(*) FROM pg_dist_node WHERE isactive AND noderole = 'primary' AND shouldhaveshards AND groupid <> 0"
)
COORDINATOR = "SELECT count(*) FROM pg_dist_node WHERE groupid = 0"
SETTING = "SELECT current_setting(%s)"
SUPERUSER_OR_ROLES = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
MISSING_ROLES = "SELECT array_agg(name) FROM unnest(%s::text[]) AS name WHERE to_regrole(name) IS NULL"
DATABASE_OWNER = "SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()"
OTHERS_TABLES = """
SELECT array_agg(relname) FROM pg_class WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
AND NOT pg_has_role(current_user, relowner, 'USAGE')
"""
OTHER_SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user
AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name NOT LIKE 'citus%%'
AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_stat_activity.pid AND locktype = 'advisory' AND objid = %s)
"""
SUB_SELECTS = """
SELECT array_agg(polrelid::regclass::text || '.' || polname) FROM pg_policy
WHERE polrelid::regclass::text = ANY(%s) AND (polqual::text LIKE '%%SUBLINK%%' OR polwithcheck::text LIKE '%%SUBLINK%%')
"""
UNIQUE_WITHOUT_OWNER = """
SELECT array_agg(indexrelid::regclass::text) FROM pg_index i WHERE indrelid::regclass::text = ANY(%s)
AND indisunique AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_attribute a
WHERE a.attrelid = indrelid AND a.attname = 'user_id' AND a.attnum = ANY(indkey::int2[]))
"""
ON_WORKERS = "SELECT nodename, nodeport, success, result FROM run_command_on_workers(%s)"
WORKER_LACKS = """
SELECT string_agg(what, ', ') FROM (
    SELECT 'the extension vector' AS what WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')
    UNION ALL SELECT 'wal_level = logical' WHERE current_setting('wal_level') <> 'logical'
) AS lacking
"""


def distributed() -> list[type[UserOwned]]:
    """Return the models of people's rows, those that others refer to first."""
    owned = {model._meta.label: model for model in apps.get_models() if issubclass(model, UserOwned)}
    order: TopologicalSorter[str] = TopologicalSorter()
    for label, model in sorted(owned.items()):
        order.add(label, *sorted({wall.to for wall in references(model)} & owned.keys() - {label}))
    return [owned[label] for label in order.static_order()]


def on_every_node() -> str:
    """Return the table of accounts, which every person's rows refer to."""
    return get_user_model()._meta.db_table


def unknown(cursor: Any) -> list[str]:
    """Return tables of the schema that belong to no model: whose rows they hold is unknown."""
    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {DJANGO}
    cursor.execute(TABLES)
    return [name for (name,) in cursor.fetchall() if name not in known]


def references(model: type[models.Model]) -> Iterator[CompositeReference]:
    """Yield the references of a table."""
    yield from (wall for wall in model._meta.constraints if isinstance(wall, CompositeReference))


def obstacles(cursor: Any) -> Iterator[str]:
    """Yield every obstacle, those of models and catalog first, which need no Citus."""
    yield from of_the_tables(cursor)
    yield from of_the_migrations()
    cursor.execute(CITUS)
    found = cursor.fetchone()
    if found is None:
        yield (
            "The extension Citus is not in this database. Put citus into shared_preload_libraries of coordinator and "
            "workers, and as superuser, in this database on each: CREATE EXTENSION citus; see docs/scaling.md."
        )
        return
    if tuple(int(part) for part in found[0].partition("-")[0].split(".")) < OLDEST_CITUS:
        yield f"Citus {found[0]} is too old: it does not carry privileges on columns to the shards. Update it to 13.1."
    yield from of_the_cluster(cursor)


def of_the_tables(cursor: Any) -> Iterator[str]:
    """Yield what is wrong with tables, policies and indexes."""
    people = [model._meta.db_table for model in distributed()]
    moving = [*people, on_every_node()]
    for table in unknown(cursor):
        yield f"Table {table} belongs to no model, so nobody can tell whose rows it holds. Move it to another schema."
    for question, names, what in (
        (OTHERS_TABLES, moving, "belongs to another role: ALTER TABLE ... OWNER TO the login role of Vibe"),
        (
            SUB_SELECTS,
            moving,
            "has a sub-select, which no policy on a shard may have: write it as a condition of the row",
        ),
        (UNIQUE_WITHOUT_OWNER, people, "is unique without user_id, which no shard could see to: add user_id"),
    ):
        yield from (f"{name} {what}." for name in names_of(cursor, question, names))
    for name in names_of(cursor, MISSING_ROLES, list(ALL)):
        yield f"Role {name} is missing. Run migrate."


def of_the_migrations() -> Iterator[str]:
    """Yield an obstacle for unapplied migrations: the plan follows the models, which are then ahead of the tables."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        yield f"{len(waiting)} migrations are not applied. Run: manage.py migrate"


def of_the_cluster(cursor: Any) -> Iterator[str]:
    """Yield what is wrong with servers, nodes, rights and connections."""
    if connection.pg_version < OLDEST_SERVER:  # type: ignore[attr-defined]
        yield "PostgreSQL is older than 15, which Citus with privileges on columns needs. Upgrade the server."
    if settings.DATABASE_POOLER:
        yield "DATABASE_URL leads through a pooler, which cannot keep a session. Point it at the coordinator for this."
    if value(cursor, SETTING, ["wal_level"]) != "logical":
        yield "wal_level is not logical, without which shards cannot be moved later. Set it, and restart the server."
    if not value(cursor, SUPERUSER_OR_ROLES) or not value(cursor, DATABASE_OWNER):
        yield "The login role must own the database and have CREATEROLE: see docs/configuration.md."
    if not value(cursor, COORDINATOR):
        yield "The coordinator does not know its own address: SELECT citus_set_coordinator_host('host', port);"
    if not value(cursor, WORKERS):
        yield "The cluster has no worker. As superuser, for each: SELECT citus_add_node('host', port);"
    cursor.execute(ON_WORKERS, [WORKER_LACKS])
    for host, port, reached, said in cursor.fetchall():
        if not reached:
            yield f"Worker {host}:{port} cannot be reached as the login role of Vibe: see its pg_hba.conf."
        elif said:
            yield f"Worker {host}:{port} lacks {said}."


def sessions(cursor: Any, lock: int) -> int:
    """Count the other sessions of the product; tables must not be moved while they are open."""
    return int(value(cursor, OTHER_SESSIONS, [lock]))


def names_of(cursor: Any, question: str, names: list[str]) -> list[str]:
    """Return what a query finds among names."""
    return value(cursor, question, [names]) or []


def value(cursor: Any, question: str, given: list[Any] | None = None) -> Any:
    """Return the single value of a query."""
    cursor.execute(question, given)
    return cursor.fetchone()[0]
