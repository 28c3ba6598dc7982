"""Every statement of the distribution, in order: a step is a transaction, and the catalog shows whether it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model
from pgvector.django import HnswIndex

from vibe.core.db.backend.schema import Whole
from vibe.core.db.citus_session import CLUSTER
from vibe.core.db.roles import ALL
from vibe.core.db.scale.distribution import placing
from vibe.core.db.schema.catalog_lint.expected import IN_TWO_PHASES, TWO_PHASES
from vibe.core.db.schema.constraints import RowSecurity, declared

Done = Callable[[Any], bool]
quote = connection.ops.quote_name

# partmethod h: on shards by a hash; repmodel t: a copy on every node. Tables that are neither are local.
MOVED = """
SELECT partmethod::text FROM pg_dist_partition
WHERE logicalrelid = to_regclass(%s) AND (partmethod = 'h' OR repmodel = 't')
"""
SETTING = """
SELECT FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
WHERE d.datname = current_database() AND setrole = 0 AND %s = ANY(setconfig)
"""
KEY_COLUMNS = """
SELECT array_agg(a.attname::text ORDER BY array_position(c.conkey, a.attnum)) FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
WHERE c.conrelid = to_regclass(%s) AND c.contype = 'p'
"""
REFERENCE = "SELECT FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s AND convalidated"
INDEX = "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid"
UNLOGGED = "SELECT FROM pg_class WHERE oid = to_regclass(%s) AND relpersistence = 'u'"
REFUSES = """
SELECT EXISTS (SELECT FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
WHERE d.datname = current_database() AND setrole = current_user::regrole AND 'row_security=off' = ANY(setconfig))
"""
MAKES_TABLES = """
SELECT EXISTS (SELECT FROM pg_namespace, aclexplode(nspacl) AS given
WHERE nspname = 'public' AND given.grantee = current_user::regrole AND given.privilege_type = 'CREATE')
"""
ON_EVERY_WORKER = "SELECT bool_and(success AND result = 't') FROM run_command_on_workers(%s)"
LOCAL_BYTES = "SELECT pg_relation_size(to_regclass(%s))"
LOGS_IN = "SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'"
CLUSTER_SCHEMA = "vibe_cluster"  # of tables and functions that a cluster alone needs; no scope may use it
TOUCH = f"BEGIN DELETE FROM {CLUSTER_SCHEMA}.two_phases; RETURN NULL; END"  # noqa: S608
TOUCHES = f"""
SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('{CLUSTER_SCHEMA}.two_phases'))
AND EXISTS (SELECT FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid WHERE tgrelid = to_regclass('audit_logs')
    AND tgname = %s AND tgenabled = 'O' AND prosrc = %s AND prosecdef)
"""  # noqa: S608
COUNTERS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
AND NOT a.attisdropped
AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: its purpose, its statements, and a check whether it is done already."""

    what: str
    statements: tuple[str, ...]
    done: Done


def steps(cursor: Any) -> Iterator[Step]:
    """Yield every step, from the tables of one machine to those of a cluster."""
    people = placing.distributed()
    accounts = placing.on_every_node()
    yield from settings()
    yield schema_held()
    yield moves_as_owner_refused()
    yield from (logged(model) for model in people if there(UNLOGGED, model._meta.db_table)(cursor))
    yield from (owner_into_key(model) for model in people)
    yield from (index_dropped(model, index) for model, index in graphs(people))
    yield from (reference_dropped(model, wall) for model in people for wall in placing.references(model))
    yield copied_to_every_node(accounts)
    for model in people:
        yield onto_shards(model, beside=people[0])
    for table in (accounts, *(model._meta.db_table for model in people)):
        yield copy_left_behind(table)
    yield from logins()  # by now each role is on every node, because of its grants
    yield from (reference_added(model, wall) for model in people for wall in placing.references(model))
    yield from (index_built(model, index) for model, index in graphs(people))
    yield from counters(cursor)
    yield committed_in_two_phases()


def settings() -> Iterator[Step]:
    """Set the session settings on the database, for connections through a pooler whose sessions we do not set up."""
    database = quote(connection.settings_dict["NAME"])
    for name, value in CLUSTER.items():
        yield Step(
            f"every session: {name}",
            (f"ALTER DATABASE {database} SET {name} = '{value}'",),
            there(SETTING, f"{name}={value}"),
        )


def moves_as_owner_refused() -> Step:
    """Make copying a shard as the owner fail on the workers.

    Forced row-level security shows the owner no row, so a shard that it moves would arrive empty. With `row_security`
    off a statement fails instead where a policy would hold rows back (PostgreSQL, "Row Security Policies").
    """
    return on_workers(
        "workers: copying rows as the owner fails, instead of copying none",
        "EXECUTE format('ALTER ROLE %I IN DATABASE %I SET row_security = off', session_user, current_database())",
        REFUSES,
    )


def schema_held() -> Step:
    """Grant the owner the schema on the workers, which it has there as the database's owner alone.

    Before PostgreSQL 16 its own role is NOINHERIT, there too once Citus has brought the role's traits to the workers,
    and so holds that only where it takes it.
    """
    return on_workers(
        "workers: the owner may make tables",
        "SET LOCAL ROLE pg_database_owner; "
        "EXECUTE format('GRANT ALL ON SCHEMA public TO %I WITH GRANT OPTION', session_user)",
        MAKES_TABLES,
    )


def on_workers(what: str, statements: str, is_done: str) -> Step:
    """Run statements of PL/pgSQL on every worker, for that worker alone, until a query says on each that it is done."""
    alone = f"DO $$BEGIN SET LOCAL citus.enable_ddl_propagation = off; {statements}; END$$"
    return Step(
        what,
        (
            f"DO $_$ BEGIN IF NOT (SELECT bool_and(success) FROM run_command_on_workers({literal(alone)})) "  # noqa: S608
            "THEN RAISE 'a worker refused it'; END IF; END $_$",
        ),
        lambda cursor: fetch_value(cursor, ON_EVERY_WORKER, is_done, unless="pg_dist_node") is True,
    )


def logged(model: type[Model]) -> Step:
    """Put a table into the write-ahead log: from an unlogged one no shard could be moved to another worker."""
    table = model._meta.db_table
    return Step(
        f"{table}: in the write-ahead log, so that its shards can be moved",
        (*on_shards(), f"ALTER TABLE {quote(table)} SET LOGGED"),
        lambda cursor: not there(UNLOGGED, table)(cursor),
    )


def committed_in_two_phases() -> Step:
    """Commit a change on a shard and its row of the audit log, which is on the coordinator, together or not at all.

    Left to itself Citus commits a single worker first, and then the coordinator. Once a statement changes a table that
    Citus has placed on the coordinator, it prepares the worker and commits it after (two-phase commit). So such a
    statement, which finds no row, runs with each row of the log.
    """
    table, function = literal(f"{CLUSTER_SCHEMA}.two_phases"), f"{CLUSTER_SCHEMA}.commit_in_two_phases"
    return Step(
        "audit_logs: its rows and the changes that they are of in two phases",
        (
            *on_shards(),
            f"CREATE SCHEMA IF NOT EXISTS {CLUSTER_SCHEMA}",
            f"CREATE TABLE IF NOT EXISTS {CLUSTER_SCHEMA}.two_phases (id int PRIMARY KEY)",
            f"SELECT citus_add_local_table_to_metadata({table}) WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT FROM pg_dist_partition WHERE logicalrelid = {table}::regclass)",
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = '' AS $${TOUCH}$$",
            f"DROP TRIGGER IF EXISTS {TWO_PHASES} ON audit_logs",
            IN_TWO_PHASES,
        ),
        lambda cursor: fetch_value(cursor, TOUCHES, TWO_PHASES, TOUCH, unless="pg_dist_partition") is True,
    )


def logins() -> Iterator[Step]:
    """Let each role log in: Citus connects to the shards as the role that a scope has set."""
    for role in ALL:
        yield Step(
            f"{role} may log in to the workers",
            (*on_shards(), f"ALTER ROLE {role} LOGIN"),
            logs_in(LOGS_IN.format(role=role)),
        )


def logs_in(question: str) -> Done:
    return lambda cursor: (
        fetch_value(cursor, question) is True
        and fetch_value(cursor, ON_EVERY_WORKER, question, unless="pg_dist_partition") is True
    )


def owner_into_key(model: type[Model]) -> Step:
    """Add the owner to the primary key: Citus can enforce a key only if it includes the distribution column."""
    table = model._meta.db_table
    name = quote(f"{table}_pkey")
    return Step(
        f"{table}: owner into the primary key",
        (  # two statements: of a table that it knows already Citus takes only one change in each
            f"ALTER TABLE {quote(table)} DROP CONSTRAINT {name}",
            f"ALTER TABLE {quote(table)} ADD CONSTRAINT {name} PRIMARY KEY (user_id, id)",
        ),
        lambda cursor: fetch_value(cursor, KEY_COLUMNS, table) == ["user_id", "id"],
    )


def graphs(people: list[Any]) -> list[tuple[Any, Any]]:
    """Return the HNSW indexes: built row by row, while a table is copied, they take longer than all the rest."""
    return [(model, index) for model in people for index in model._meta.indexes if isinstance(index, HnswIndex)]


def index_dropped(model: type[Model], index: Any) -> Step:
    table, name = model._meta.db_table, index.name
    return Step(
        f"{table}: without {name} while it is copied",
        (f"DROP INDEX IF EXISTS {quote(name)}",),
        lambda cursor: is_placed(cursor, table) or not there("SELECT to_regclass(%s)::oid::int8", name)(cursor),
    )


def reference_dropped(model: type[Model], wall: Any) -> Step:
    """Drop a reference until both tables have moved: none may connect a moved table with one that has not moved."""
    table = model._meta.db_table
    return Step(
        f"{table}: without {wall.name} until both ends have moved",
        tuple(wall.drop_statements(table, quote)),
        lambda cursor: is_placed(cursor, table) or not there(REFERENCE, table, wall.name)(cursor),
    )


def copied_to_every_node(table: str) -> Step:
    return Step(
        f"{table}: a copy on every node",
        moving(table, f"SELECT create_reference_table({literal(table)})"),
        lambda cursor: is_placed(cursor, table),
    )


def onto_shards(model: type[Model], *, beside: type[Model]) -> Step:
    """Distribute a table, colocated so that all rows of one person are on one shard group."""
    table = model._meta.db_table
    where = "'none'" if model is beside else literal(beside._meta.db_table)
    call = f"SELECT create_distributed_table({literal(table)}, 'user_id', colocate_with => {where})"
    return Step(f"{table}: onto shards by user_id", moving(table, call), lambda cursor: is_placed(cursor, table))


def moving(table: str, call: str) -> tuple[str, ...]:
    """Return the statements that move a table. The owner copies the rows, and forced row-level security would show it
    none; the table is locked until the transaction ends. Policies, privileges and triggers are moved too."""
    forced = table in {model._meta.db_table for model, _ in declared(RowSecurity)}
    return (
        *on_shards(),
        "SET LOCAL citus.enable_unsafe_triggers = on",
        *([f"ALTER TABLE {quote(table)} NO FORCE ROW LEVEL SECURITY"] if forced else []),
        call,
        *([f"ALTER TABLE {quote(table)} FORCE ROW LEVEL SECURITY"] if forced else []),
    )


def copy_left_behind(table: str) -> Step:
    """Delete the local rows of a copied table, which remain here, unseen, until then."""
    return Step(
        f"{table}: the copy left behind goes",
        (
            *on_shards(),
            f"SELECT truncate_local_data_after_distributing_table({literal(table)})",
            f"ANALYZE {quote(table)}",
        ),
        lambda cursor: is_placed(cursor, table) and fetch_value(cursor, LOCAL_BYTES, table) == 0,
    )


def reference_added(model: type[Model], wall: Any) -> Step:
    table = model._meta.db_table
    return Step(
        f"{table}: {wall.name} again",
        (*on_shards(), *wall.create_statements(table, quote)),
        lambda cursor: is_placed(cursor, table) and there(REFERENCE, table, wall.name)(cursor),
    )


def index_built(model: type[Model], index: Any) -> Step:
    table = model._meta.db_table
    statement = str(index.create_sql(model, Whole(connection, collect_sql=True)))
    return Step(
        f"{table}: {index.name} on every shard",
        (*on_shards(), statement),
        lambda cursor: is_placed(cursor, table) and there(INDEX, index.name)(cursor),
    )


def on_shards() -> tuple[str, ...]:
    """Return the settings to change tables on shards in a session that began when there were none.

    Adding a reference reads both tables as the owner, which `moves_as_owner_refused` would stop.
    """
    return (
        "SET LOCAL citus.enable_ddl_propagation = on",
        "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
        "SET LOCAL citus.propagate_set_commands = 'local'",
        "SET LOCAL row_security = on",
    )


def counters(cursor: Any) -> Iterator[Step]:
    """Yield steps that restore counters: a table that refers to `users` is recreated, and its counter begins at 1."""
    cursor.execute(COUNTERS)
    for table, column in cursor.fetchall():
        last = f"SELECT coalesce(max({quote(column)}), 0) FROM {quote(table)}"  # noqa: S608  # names that the catalog gives
        sequence = f"pg_get_serial_sequence({literal(quote(table))}, {literal(column)})"
        yield Step(
            f"{table}: the counter of {column} goes on where it was",
            (f"SELECT setval({sequence}, greatest(({last}), 1), ({last}) > 0)",),
            counted_on(table, column, last),
        )


def counted_on(table: str, column: str, last: str) -> Done:
    def done(cursor: Any) -> bool:
        if not is_placed(cursor, placing.on_every_node()):
            return False
        sequence = fetch_value(cursor, "SELECT pg_get_serial_sequence(%s, %s)", quote(table), column)
        at = fetch_value(cursor, f"SELECT last_value FROM {sequence}")  # noqa: S608  # a name that the catalog gives
        return bool(at >= fetch_value(cursor, last))

    return done


def is_placed(cursor: Any, table: str) -> bool:
    """Return whether a table is on shards or on every node."""
    return fetch_value(cursor, MOVED, table, unless="pg_dist_partition") is not None


def there(query: str, *values: Any) -> Done:
    """Return a check that a query of the catalog has a result."""

    def done(cursor: Any) -> bool:
        cursor.execute(query, values)
        row = cursor.fetchone()
        return row is not None and row != (None,)

    return done


def fetch_value(cursor: Any, query: str, *values: Any, unless: str = "") -> Any:
    """Return the single value of a query; None without a row, or without the relation `unless`."""
    if unless:
        cursor.execute("SELECT to_regclass(%s)", [unless])
        if cursor.fetchone()[0] is None:
            return None
    cursor.execute(query, values)
    row = cursor.fetchone()
    return row[0] if row else None


def literal(text: str) -> str:
    """Return a name of ours as a literal."""
    return "'" + text.replace("'", "''") + "'"
