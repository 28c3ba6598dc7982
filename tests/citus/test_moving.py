"""Moving shards between workers: impossible for the owner, who would lose them; `manage.py rebalance` counts rows."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from tests.citus.conftest import Cluster, counted
from tests.citus.test_backup import written_to

pytestmark = pytest.mark.citus

ONE = """
SELECT shardid, its.nodename, its.nodeport, other.nodename, other.nodeport
FROM pg_dist_shard JOIN pg_dist_shard_placement its USING (shardid),
LATERAL (SELECT n.nodename, n.nodeport FROM pg_dist_node n WHERE n.shouldhaveshards AND n.isactive
    AND (n.nodename, n.nodeport) <> (its.nodename, its.nodeport) LIMIT 1) other
WHERE logicalrelid = 'encrypted_memories'::regclass ORDER BY shardid
"""
MOVE = "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, shard_transfer_mode => %s)"
ROWS = "SELECT shardid, result FROM run_command_on_shards('encrypted_memories', 'SELECT count(*) FROM %s')"

IN_BATCHES = """
import django
django.setup()
from django.apps import apps
from django.db import connection
from django.db.migrations.state import ProjectState
from vibe.core.db.schema.operations import RunInBatches
state = ProjectState.from_apps(apps)
change = RunInBatches("passages", set="length = 7", where="length <> 7", writes=["length"], size=5)
with connection.schema_editor(atomic=False) as editor:
    change.database_forwards("stories", editor, state, state)
"""


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[psycopg.Connection]:
    if not os.environ.get("BACKUP_DATABASE_URL"):
        pytest.skip("BACKUP_DATABASE_URL is not set: a superuser of the cluster's")
    with psycopg.connect(os.environ["BACKUP_DATABASE_URL"], autocommit=True) as session:
        yield session


@pytest.mark.parametrize("how", ["block_writes", "force_logical"])
def test_the_owner_cannot_move_a_shard_and_loses_no_row(cluster: Cluster, admin: psycopg.Connection, how: str) -> None:
    rows = dict(admin.execute(ROWS).fetchall())
    move = next(row for row in admin.execute(ONE).fetchall() if int(rows[row[0]]))
    with (
        psycopg.connect(cluster.url, autocommit=True) as owner,
        pytest.raises(psycopg.Error, match="row-level security"),
    ):
        owner.execute(MOVE, [*move, how])
    assert dict(admin.execute(ROWS).fetchall()) == rows


def test_without_that_the_copy_of_the_owner_is_empty(cluster: Cluster, admin: psycopg.Connection) -> None:
    rows = dict(admin.execute(ROWS).fetchall())
    move = next(row for row in admin.execute(ONE).fetchall() if int(rows[row[0]]))
    reset = "DO $$BEGIN SET LOCAL citus.enable_ddl_propagation = off; ALTER ROLE vibe IN DATABASE vibe RESET ALL; END$$"
    admin.execute("SELECT run_command_on_workers(%s)", [reset])
    try:
        with psycopg.connect(cluster.url) as owner:
            owner.execute(MOVE, [*move, "block_writes"])
            there = "SELECT result FROM master_run_on_worker(ARRAY[%s], ARRAY[%s]::int[], ARRAY[%s], false)"
            shard = f"SELECT count(*) FROM encrypted_memories_{move[0]}"
            assert admin.execute(there, [*move[1:3], shard]).fetchone() == (rows[move[0]],)
            assert admin.execute(there, [*move[3:5], shard]).fetchone() == ("0",)
            owner.rollback()
    finally:
        assert "1 steps done" in cluster.manage("distribute", "--apply")
    assert dict(admin.execute(ROWS).fetchall()) == rows


def test_shards_are_spread_evenly_again_and_nothing_is_lost(cluster: Cluster, admin: psycopg.Connection) -> None:
    before = counted(cluster)
    assert cluster.manage("rebalance").strip() == "Nothing to move: the workers hold about the same."
    target = admin.execute(ONE).fetchall()[0][1:3]
    for shard, *source in [row[:3] for row in admin.execute(ONE).fetchall() if row[1:3] != target]:
        admin.execute(MOVE, [shard, *source, *target, "auto"])
    planned = cluster.manage("rebalance", "--plan").splitlines()
    assert planned[-1] == f"{len(planned) - 1} shards to move: rebalance --apply"
    with written_to(cluster, 1):  # or PostgreSQL would refuse to apply what is written meanwhile
        done = cluster.manage("rebalance", "--apply").splitlines()
    assert done[-1] == f"{len(planned) - 1} shards moved."
    assert len({row[1:3] for row in admin.execute(ONE).fetchall()}) >= 2
    after = counted(cluster)
    assert {table: rows for table, rows in before.items() if after[table] < rows} == {}
    assert cluster.answer()[:3] == cluster.seen["answer"][:3]


def test_a_copy_with_other_rows_does_not_take_the_place_of_the_first(
    cluster: Cluster, admin: psycopg.Connection
) -> None:
    from vibe.core.db.errors import DatabaseNotReady
    from vibe.core.db.scale.distribution import rebalancing

    rows = dict(admin.execute(ROWS).fetchall())
    shard, *places = next(row for row in admin.execute(ONE).fetchall() if int(rows[row[0]]))
    move = rebalancing.Move(shard, tuple(places[:2]), tuple(places[2:]))
    with pytest.MonkeyPatch.context() as patched:
        counts = iter([2, 1])
        patched.setattr(rebalancing, "rows", lambda *given: [next(counts)] * len(given[-1]))  # the copy lacks rows
        with pytest.raises(DatabaseNotReady, match=f"Shard {shard} stays where it is"):
            rebalancing.moved(admin, move)
    assert dict(admin.execute(ROWS).fetchall()) == rows
    assert [row[1:3] for row in admin.execute(ONE).fetchall() if row[0] == shard] == [tuple(places[:2])]


def test_a_table_that_is_not_on_shards_is_named_and_migrate_places_it(
    cluster: Cluster, admin: psycopg.Connection
) -> None:
    admin.execute("ALTER TABLE last_changes DROP CONSTRAINT last_changes_user")
    admin.execute("SELECT undistribute_table('last_changes')")
    admin.execute("ALTER TABLE last_changes OWNER TO vibe")
    placed = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = 'last_changes'::regclass AND partmethod = 'h'"
    assert admin.execute(placed).fetchone() == (0,)
    assert "last_changes: onto shards by user_id" in cluster.manage("migrate")
    assert admin.execute(placed).fetchone() == (1,)
    assert cluster.manage("distribute", "--apply").splitlines()[-1].startswith("0 steps done")


def test_rows_of_several_shards_are_changed_in_batches(cluster: Cluster, admin: psycopg.Connection) -> None:
    left = "SELECT count(*) FROM passages WHERE length <> 7"
    [before] = admin.execute(left).fetchone() or (0,)
    assert before > 10
    cluster.run("-c", IN_BATCHES)
    assert admin.execute(left).fetchone() == (0,)
