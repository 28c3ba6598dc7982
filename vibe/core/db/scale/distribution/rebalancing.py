"""Spreading shards evenly over the workers, with rows counted on both before a shard leaves the first.

Citus copies a shard with the rights of the role that calls it. Forced row-level security hides every row from the
tables' owner, so these functions need a connection of a role that bypasses it: to the coordinator, in autocommit mode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.scale.distribution.applying import apply_step
from vibe.core.db.scale.distribution.placing import distributed
from vibe.core.db.scale.distribution.plan import moves_as_owner_refused

Node = tuple[str, int]
APART = 0.1  # seconds

MOVES = """
SELECT shardid, sourcename, sourceport, targetname, targetport
FROM get_rebalance_table_shards_plan(%s::regclass) WHERE table_name = %s::regclass
"""
TOGETHER = """
SELECT shard_name(beside.logicalrelid, beside.shardid) FROM pg_dist_shard moved
JOIN pg_dist_partition its ON its.logicalrelid = moved.logicalrelid
JOIN pg_dist_partition other ON other.colocationid = its.colocationid
JOIN pg_dist_shard beside ON beside.logicalrelid = other.logicalrelid AND beside.shardminvalue = moved.shardminvalue
WHERE moved.shardid = %s ORDER BY 1
"""
ACCOUNTS = "SELECT replicate_reference_tables('block_writes')"  # to workers that were added since
MOVE = "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, shard_transfer_mode => 'auto')"
# What is written while a shard is copied is applied by a role that Citus makes for it, and PostgreSQL refuses to apply
# rows to a table with row-level security as one that this holds.
APPLIES = r"""
DO $$ DECLARE role name; BEGIN
    SET LOCAL citus.enable_ddl_propagation = off;
    FOR role IN SELECT rolname FROM pg_roles
        WHERE rolname LIKE 'citus\_shard\_move\_subscription\_role%' AND NOT rolbypassrls
    LOOP EXECUTE format('ALTER ROLE %I BYPASSRLS', role); END LOOP;
END $$
"""
RUN_THERE = "SELECT success, result FROM master_run_on_worker(ARRAY[%s], ARRAY[%s]::int[], ARRAY[%s], false)"


@dataclass(frozen=True, slots=True)
class Move:
    """One group of shards, all rows of the same people, on its way from one worker to another."""

    shard: int
    source: Node
    target: Node


def moves(admin: psycopg.Connection[Any]) -> list[Move]:
    """Return what has to move for the workers to hold about the same."""
    first = distributed()[0]._meta.db_table
    rows = admin.execute(MOVES, [first, first]).fetchall()
    return [Move(shard, (source, at), (target, there)) for shard, source, at, target, there in rows]


def rebalance(admin: psycopg.Connection[Any], *, on_move: Callable[[Move, int, int], Any] = lambda *_: None) -> int:
    """Do every move that is due, each in a transaction of its own. Return how many.

    Rows are written meanwhile; a shard takes none for the moment in which its copy takes its place. `on_move` is called
    after each, with its rows and the number of moves left. Raises DatabaseNotReady where a move fails, and where a copy
    has other numbers of rows than the first, which then stays in its place.
    """
    refusing = moves_as_owner_refused()
    with connection.cursor() as cursor:
        if not refusing.done(cursor):  # on a worker that was added since
            apply_step(cursor, refusing)
    due = moves(admin)
    if due:
        admin.execute(ACCOUNTS)
    for left, move in zip(reversed(range(len(due))), due, strict=True):
        try:
            on_move(move, moved(admin, move), left)
        except psycopg.Error as problem:
            said = str(problem).partition("DETAIL")[0].strip()  # a DETAIL may quote a row
            raise DatabaseNotReady(f"Shard {move.shard} stays where it is: {said}") from None
    return len(due)


def moved(admin: psycopg.Connection[Any], move: Move) -> int:
    """Move one group of shards and compare both copies before either goes. Return the rows."""
    names = [name for (name,) in admin.execute(TOGETHER, [move.shard])]
    with admin.transaction(), writes_applied(admin):
        admin.execute(MOVE, [move.shard, *move.source, *move.target])
        # Nothing is written to the shard until the transaction ends, and Citus deletes the first copy after that.
        before, after = (rows(admin, node, names) for node in (move.source, move.target))
        if before != after:
            wrong = ", ".join(name for name, was, now in zip(names, before, after, strict=True) if was != now)
            raise DatabaseNotReady(f"Shard {move.shard} stays where it is: its copy holds other rows of {wrong}.")
    return sum(after)


@contextmanager
def writes_applied(admin: psycopg.Connection[Any]) -> Iterator[None]:
    """Let the role that applies writes to a copy pass row-level security, as soon as Citus has made it."""
    ended = threading.Event()

    def watch() -> None:
        with psycopg.connect(admin.info.dsn, password=admin.info.password or None, autocommit=True) as beside:
            while not ended.wait(APART):
                beside.execute("SELECT run_command_on_workers(%s)", [APPLIES])

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def rows(admin: psycopg.Connection[Any], node: Node, tables: list[str]) -> list[int]:
    """Count the rows of tables on one node."""
    question = "SELECT concat_ws(',', {})".format(", ".join(f"(SELECT count(*) FROM {table})" for table in tables))  # noqa: S608  # names that the catalog gives
    reached, said = admin.execute(RUN_THERE, [*node, question]).fetchone() or (False, "")
    if not reached:
        raise DatabaseNotReady(f"Worker {node[0]}:{node[1]} does not count its rows.")
    return [int(number) for number in said.split(",")]
