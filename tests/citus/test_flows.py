"""The main flows on a real Citus cluster, and what distributing kept. Skipped without CITUS_DATABASE_URL."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.citus.conftest import ASKER, SAMPLE, Cluster, counted
from vibe.core.db.schema.statistics import sealed_columns

pytestmark = pytest.mark.citus


def test_every_table_is_where_the_plan_puts_it_and_nothing_is_left_behind(cluster: Cluster) -> None:
    assert "nothing stands in the way" in cluster.seen["plan"]
    placed = dict(cluster.ask("SELECT logicalrelid::text, partmethod::text || repmodel::text FROM pg_dist_partition"))
    assert placed["users"] == "nt"
    assert {table for table, how in placed.items() if how == "hs"} >= {
        "conversations",
        "stories",
        "passages",
        "user_keys",
    }
    assert not {"audit_logs", "procrastinate_jobs", "django_session", "erasures"} & placed.keys()
    assert cluster.ask("SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE partmethod = 'h'") == [(1,)]
    left = "SELECT logicalrelid FROM pg_dist_partition WHERE partmethod = 'h' AND pg_relation_size(logicalrelid) > 0"
    assert cluster.ask(left) == []


def test_no_row_is_lost_and_a_question_is_answered_as_before(cluster: Cluster) -> None:
    assert {table: rows for table, rows in counted(cluster).items() if rows < cluster.seen["rows"][table]} == {}
    assert cluster.answer()[:3] == cluster.seen["answer"][:3]


def test_applied_again_it_finds_everything_done(cluster: Cluster) -> None:
    assert cluster.manage("distribute", "--apply").splitlines()[-1].startswith("0 steps done")


def test_a_step_that_was_undone_is_done_again_alone(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as session:
        session.execute("SET citus.multi_shard_modify_mode = sequential")
        session.execute("DROP INDEX passages_embedding")
    assert cluster.manage("distribute", "--apply").splitlines()[-1].startswith("1 steps done")
    assert cluster.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'passages_embedding'::regclass") == [(True,)]


def test_a_person_sees_their_own_rows_on_every_shard_and_nobody_sees_any_without_a_scope(cluster: Cluster) -> None:
    owners = cluster.ask("SELECT user_id, count(id) FROM conversations GROUP BY 1", role="vibe_system")
    assert len(owners) > 1
    for owner, rows in owners:
        seen = cluster.ask("SELECT DISTINCT user_id FROM conversations", role="vibe_user", user_id=str(owner))
        assert seen == [(owner,)]
        assert len(cluster.ask("SELECT id FROM conversations", role="vibe_user", user_id=str(owner))) == rows
    assert cluster.ask("SELECT id FROM conversations", role="vibe_user") == []
    assert cluster.ask("SELECT id FROM conversations") == []


@pytest.mark.parametrize("column", ["payload"])
def test_support_reads_no_sealed_column_on_any_shard(cluster: Cluster, column: str) -> None:
    assert cluster.ask("SELECT message_ids FROM encrypted_memories LIMIT 1", role="vibe_support")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        cluster.ask(f"SELECT {column} FROM encrypted_memories LIMIT 1", role="vibe_support")


def test_what_is_imported_again_is_there_already_and_new_people_come_in(cluster: Cluster, tmp_path) -> None:
    again = cluster.manage("import_conversations", str(SAMPLE))
    assert again.startswith("0 conversations and 0 memories added")
    lines = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    line = next(each for each in lines if each["user"]["firebase_uid"] == ASKER)
    line["user"] = {"firebase_uid": "new", "email": "new@example.com", "name": "Noor"}
    (tmp_path / "new.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert cluster.manage("import_conversations", str(tmp_path / "new.jsonl")).startswith("1 conversations")
    built = cluster.manage("build_stories", "--user", "new")
    assert not built.startswith("0 ") and built.rstrip().endswith("stories built; 0 were put off."), built


def test_people_and_staff_are_served(cluster: Cluster) -> None:
    answers = json.loads(cluster.run("-m", "tests.citus.pages").splitlines()[-1])
    assert {name: said for name, said in answers.items() if not fine(said)} == {}


def fine(said: object) -> bool:
    return said is True or (isinstance(said, int) and 200 <= said < 400)


def test_lineage_names_and_keys_hold(cluster: Cluster) -> None:
    cluster.manage("check_lineage")
    assert cluster.manage("list_entities", "person", "--user", ASKER)
    cluster.manage("rotate_keys")


def test_migrations_go_on(cluster: Cluster) -> None:
    cluster.manage("migrate", "accounts", "0010")
    cluster.manage("migrate", "-v", "0")


def sampled(cluster: Cluster) -> set[str]:
    """The sealed columns that ANALYZE may sample on any shard."""
    placed = {table for (table,) in cluster.ask("SELECT logicalrelid::text FROM pg_dist_partition")}
    found = set()
    for column in sealed_columns():
        table, name = column.split(".")
        look = (
            "SELECT attstattarget IS NOT DISTINCT FROM 0 FROM pg_attribute "
            f"WHERE attrelid = ''%s''::regclass AND attname = ''{name}''"
        )
        there = f"SELECT FROM run_command_on_shards('{table}', '{look}') WHERE result <> 't'"
        if table in placed and cluster.ask(there):
            found.add(column)
    return found


def test_sealed_columns_are_in_the_statistics_of_no_shard(cluster: Cluster) -> None:
    """Distributing carries that along; one that is sampled, as on a cluster of before, is taken out by migrating."""
    assert sampled(cluster) == set()
    again = "ALTER TABLE {} ALTER COLUMN payload SET STATISTICS -1"
    with psycopg.connect(cluster.url, autocommit=True) as session:
        session.execute(f"SELECT run_command_on_shards('encrypted_memories', '{again.format('%s')}')")
        session.execute("SET citus.enable_ddl_propagation = off")
        session.execute(again.format("encrypted_memories"))
    assert sampled(cluster) == {"encrypted_memories.payload"}
    cluster.manage("migrate")
    assert sampled(cluster) == set()


def test_the_trail_is_sealed_and_proved(cluster: Cluster) -> None:
    cluster.manage("seal_audit")
    assert cluster.manage("verify_audit").startswith("The trail holds")


def test_a_person_is_erased_keys_first_and_others_are_not(cluster: Cluster) -> None:
    [(before,)] = cluster.ask("SELECT count(id) FROM users", role="vibe_system")
    [(owner,)] = cluster.ask("SELECT id FROM users WHERE firebase_uid = 'sample-ada'", role="vibe_system")
    with pytest.raises(psycopg.errors.CheckViolation):  # what guards a row stands on its shard
        cluster.ask(f"DELETE FROM users WHERE id = '{owner}' RETURNING id", role="vibe_system")
    assert "is erased" in cluster.manage("erase_user", "sample-ada", "--now", "--yes")
    assert cluster.ask("SELECT count(id) FROM users", role="vibe_system") == [(before - 1,)]
    for table in ("user_keys", "conversations", "encrypted_memories", "passages"):
        assert cluster.ask(f"SELECT id FROM {table} WHERE user_id = '{owner}'", role="vibe_system") == []
