"""The way onto shards, as it is told on a database that is none of Citus: always. The real one is in tests/citus."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts.models import User, UserKey
from memories.models import Conversation, Memory
from stories.models import Passage
from stories.search.services import search_stories
from tests.building import build_conversation
from tests.cast import TESTER
from vibe.core.db.scale.distribution import placing, plan
from vibe.core.db.scopes import as_sign_in, as_system, as_user
from vibe.core.db.statements import batching, bulk
from vibe.core.db.statements.batching import one_snapshot, set_role_sql


@pytest.fixture
def as_on_shards(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Speak to this database as to a cluster's coordinator: with the owner in a key, it understands that too."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX ON storage_counts (user_id, id)")
    monkeypatch.setattr(connection.connection, "distributed", True)
    yield


def planned() -> str:
    out = StringIO()
    call_command("distribute", "--plan", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_plan_names_every_table_of_people_and_why_it_cannot_be_done_here():
    told = planned()
    for model in placing.distributed():
        table = model._meta.db_table
        assert f"SELECT create_distributed_table('{table}', 'user_id'" in told
        assert (
            "PRIMARY KEY (user_id, id);" in told.partition(f"-- {table}: owner into the primary key")[2].split("--")[0]
        )
    assert "SELECT create_reference_table('users');" in told
    assert "does not fit: The extension Citus is not in this database." in told
    assert "create_distributed_table('audit_logs'" not in told
    assert "create_distributed_table('procrastinate_jobs'" not in told


@pytest.mark.django_db
def test_there_is_nothing_to_rebalance_where_rows_are_on_no_shards():
    with pytest.raises(CommandError, match="People's rows are on no shards"):
        call_command("rebalance")


@pytest.mark.django_db
def test_what_is_taken_down_while_tables_move_is_put_up_again_after():
    with connection.cursor() as cursor:
        steps = [statement for step in plan.steps(cursor) for statement in step.statements]
    moved = [number for number, statement in enumerate(steps) if "create_distributed_table" in statement]
    for model in placing.distributed():
        for wall in placing.references(model):
            down, up = (position(steps, f"{verb} CONSTRAINT", f'"{wall.name}"') for verb in ("DROP", "ADD"))
            assert down < min(moved) < max(moved) < up
    for _, index in plan.graphs(placing.distributed()):
        assert (
            position(steps, "DROP INDEX", f'"{index.name}"')
            < min(moved)
            < max(moved)
            < position(steps, "CREATE INDEX", f'"{index.name}"')
        )
    for table in ("users", "conversations"):
        [call] = [
            number
            for number, statement in enumerate(steps)
            if f"_table('{table}'" in statement and "create_" in statement
        ]
        assert "NO FORCE ROW LEVEL SECURITY" in steps[call - 1]
        assert steps[call + 1] == f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY'


def position(steps: list[str], *words: str) -> int:
    [found] = [number for number, statement in enumerate(steps) if all(word in statement for word in words)]
    return found


@pytest.mark.django_db
def test_nothing_is_begun_where_something_does_not_fit():
    with pytest.raises(CommandError, match="Citus is not in this database"):
        call_command("distribute", "--apply", stdout=StringIO())
    with connection.cursor() as cursor:
        assert not any(step.done(cursor) for step in plan.steps(cursor) if "onto shards" in step.what)
        assert not any(step.done(cursor) for step in plan.steps(cursor) if "primary key" in step.what)


WRONG = {
    "CREATE TABLE of_nobody (id int)": "Table of_nobody belongs to no model",
    "CREATE POLICY peeks ON conversations USING (EXISTS (SELECT FROM users))": "conversations.peeks has a sub-select",
    "CREATE UNIQUE INDEX only_once ON conversations (external_id)": "only_once is unique without user_id",
    "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations)": "1 migrations are not applied",
}


@pytest.mark.django_db
@pytest.mark.parametrize("statement", WRONG)
def test_what_does_not_fit_is_named(statement):
    assert WRONG[statement] not in planned(), "the control: nothing is wrong yet"
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert WRONG[statement] in planned()


# What Citus keeps of its nodes, as a cluster with one worker has it. The real catalog is asked in tests/citus.
CLUSTER = """
CREATE TEMP TABLE pg_dist_node (groupid int, noderole text, isactive bool, shouldhaveshards bool);
INSERT INTO pg_dist_node VALUES (0, 'primary', true, false), (1, 'primary', true, true);
GRANT SELECT ON pg_dist_node TO PUBLIC;
CREATE FUNCTION run_command_on_workers(text) RETURNS TABLE (nodename text, nodeport int, success bool, result text)
LANGUAGE sql AS $$ VALUES ('worker.example', 5432, true, '') $$
"""
ANSWERS = "CREATE OR REPLACE FUNCTION run_command_on_workers(text) RETURNS TABLE (nodename text, nodeport int, " + (
    "success bool, result text) LANGUAGE sql AS $$ VALUES ('worker.example', 5432, {}) $$"
)
NOT_A_CLUSTER = {
    "DELETE FROM pg_dist_node WHERE groupid = 0": "The coordinator does not know its own address",
    "DELETE FROM pg_dist_node WHERE groupid = 1": "The cluster has no worker",
    "UPDATE pg_dist_node SET isactive = false WHERE groupid = 1": "The cluster has no worker",
    ANSWERS.format("false, 'no pg_hba.conf entry'"): "Worker worker.example:5432 cannot be reached",
    ANSWERS.format("true, 'wal_level = logical'"): "Worker worker.example:5432 lacks wal_level = logical",
}


def wrong_with_the_cluster() -> str:
    with connection.cursor() as cursor:
        return "\n".join(placing.of_the_cluster(cursor))


@pytest.mark.django_db
@pytest.mark.parametrize("statement", NOT_A_CLUSTER)
def test_a_cluster_that_is_not_whole_is_refused(statement):
    with connection.cursor() as cursor:
        cursor.execute(CLUSTER)
        assert NOT_A_CLUSTER[statement] not in wrong_with_the_cluster(), "the control: nothing is wrong yet"
        cursor.execute(statement)
    assert NOT_A_CLUSTER[statement] in wrong_with_the_cluster()


@pytest.mark.django_db
def test_a_way_in_that_cannot_move_tables_is_refused(settings, monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute(CLUSTER)
    settings.DATABASE_POOLER = False
    before = wrong_with_the_cluster()
    assert "pooler" not in before
    assert "older than 15" not in before
    assert "own the database" not in before
    settings.DATABASE_POOLER = True
    monkeypatch.setitem(vars(connection), "pg_version", 140_012)
    assert "leads through a pooler" in wrong_with_the_cluster()
    assert "older than 15" in wrong_with_the_cluster()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE vibe_user")
        assert "must own the database" in "\n".join(placing.of_the_cluster(cursor))


@pytest.mark.django_db
@pytest.mark.parametrize(("version", "too_old"), [("12.1-1", True), ("13.0", True), ("13.1-1", False), ("14.0", False)])
def test_a_citus_that_carries_no_privileges_is_too_old(monkeypatch, version, too_old):
    with connection.cursor() as cursor:
        cursor.execute(CLUSTER)
        monkeypatch.setattr(placing, "CITUS", f"SELECT '{version}'")
        assert any("is too old" in each for each in placing.obstacles(cursor)) is too_old


def test_on_shards_a_role_is_never_taken_by_a_statement_that_citus_repeats(as_on_shards):
    assert not set_role_sql("vibe_user").startswith("SET")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(set_role_sql("vibe_support"))
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("vibe_support",)
        cursor.execute(set_role_sql("none"))
        cursor.execute("SELECT current_user = session_user")
        assert cursor.fetchone() == (True,)


def test_on_shards_nothing_stands_beside_a_set_local(as_on_shards, ada, tell, monkeypatch):
    """Citus sends the shards the whole text that a SET LOCAL came in on, so the text is what matters here."""
    sent: list[str] = []
    import psycopg

    run = psycopg.Cursor.execute

    def seen(self, query, *arguments, **options):
        sent.append(query if isinstance(query, str) else query.as_string(self))
        return run(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", seen)
    tell(ada, "boat", [("Ada", "I bought a boat in Bergen."), ("Ada", "It is red.")])
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get()
    build_conversation(ada, conversation.pk)
    answer = search_stories(user_id=ada, question="Where did I buy the boat?", actor=TESTER)
    assert len(answer.stories) == 1
    with as_user(ada):
        assert Memory.objects.of(ada).count() == 2
        assert Passage.objects.of(ada).count() == 2
    with as_user(ada):
        from stories.search.word_index import stands

        stands(ada, [1, 2])
    mixed = [
        text
        for text in sent
        if "SET LOCAL" in text and any(not each.strip().startswith("SET LOCAL") for each in text.split(";"))
    ]
    assert mixed == []
    assert any(text.startswith("SET LOCAL vibe.user_id") for text in sent)


def test_rows_written_out_are_those_of_a_select(db, ada, monkeypatch):
    """The two forms of one statement leave the same rows, also where one needs several statements."""
    columns = {
        "id": ("uuid", [uuid4() for _ in range(3)]),
        "kind": ("text", ["person"] * 3),
        "token": ("int8", [1, 2, 2]),
        "name": ("bytea", [b"x"] * 3),
    }
    options = {
        "same": {"user_id": ("uuid", ada)},
        "tail": "ON CONFLICT (user_id, kind, token) DO NOTHING RETURNING token",
    }
    with as_user(ada), transaction.atomic():
        selected = bulk.insert("entities", columns, **options)
        transaction.set_rollback(True)
    monkeypatch.setattr(connection.connection, "distributed", True)
    monkeypatch.setattr(bulk, "MOST_PARAMETERS", 10)
    with as_user(ada):
        assert bulk.insert("entities", columns, **options) == selected == [(1,), (2,)]


def test_a_first_key_is_put_in_by_who_makes_the_person_and_for_them_alone(db, person, ada):
    with as_sign_in("ada"), pytest.raises(DatabaseError), transaction.atomic():
        UserKey(user_id=ada, generation=2, wrapped=None).save(force_insert=True)


def test_a_person_goes_after_their_keys_whoever_deletes_the_row(db, ada):
    with as_system():
        bulk.run(
            "INSERT INTO erasures (id, person, due_at, was_active, begun_at, removed) "
            "VALUES (%b, %b, now(), true, now(), '{}')",
            [uuid4(), ada],
        )
        with pytest.raises(DatabaseError, match="after their data keys"), transaction.atomic():
            User.objects.filter(pk=ada)._raw_delete("default")


def test_one_snapshot_is_of_one_transaction_and_ends_with_it(committed):
    with one_snapshot(), transaction.atomic():
        assert batching.execute_literal_batch([sql("SHOW transaction_isolation")]) == [[("repeatable read",)]]
    with transaction.atomic():
        assert batching.execute_literal_batch([sql("SHOW transaction_isolation")]) == [[("read committed",)]]


def sql(text: str):
    from psycopg import sql

    return sql.SQL(text)
