"""What a migration does to a table in use: it waits for nobody long, holds nobody up, and leaves nothing half made."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest
from django.contrib.postgres.indexes import GinIndex
from django.db import DatabaseError, connection, models
from django.db import migrations as dj
from django.db.migrations.loader import MigrationLoader
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from pgvector.django import HnswIndex
from psycopg.errors import QueryCanceled

from accounts.people.services.people import Profile, ensure_person
from memories.models import Conversation
from tests.cast import TESTER
from tests.processes import PATIENCE
from vibe.core.db.backend.schema import Stepwise, Whole, backoff_pauses
from vibe.core.db.configured import embedded_server
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.migrating.lock import PatientExecutor
from vibe.core.db.schema.constraints import CompositeReference
from vibe.core.db.schema.operations import AddPartitionedIndex, DropColumn, ForgetField, RunInBatches
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import ConfigurationError

TABLE = "conversations"
INDEX = dj.AddIndex("conversation", models.Index(fields=["memory_count"], name="trial_index"))
COLUMN = dj.AddField("conversation", "trial", models.IntegerField(null=True))
WANTED = {"set": "trial = memory_count % 7", "where": "trial IS NULL", "writes": ["trial"], "reads": ["memory_count"]}
FILL = RunInBatches(TABLE, **WANTED)


@pytest.fixture
def in_use(committed, tell):
    """Three people with a conversation each; whatever the test adds to the table is taken away."""
    ids = [ensure_person(profile=Profile(uid), actor=TESTER) for uid in ("ada", "jonas", "mira")]
    for user_id in ids:
        tell(user_id, "first", [("Somebody", "I moved to Lisbon.")])
    yield ids
    with embedded_server().connect(connection.settings_dict["NAME"]) as postgres:
        postgres.execute(
            "DROP INDEX IF EXISTS trial_index; ALTER TABLE conversations DROP COLUMN IF EXISTS trial CASCADE; "
            "ALTER TABLE conversations DROP CONSTRAINT IF EXISTS trial_rule; "
            "ALTER TABLE conversations DROP CONSTRAINT IF EXISTS trial_user; DROP FUNCTION IF EXISTS trial_fails; "
            "DELETE FROM django_migrations WHERE name ~ '^trial'"
        )


@pytest.fixture(autouse=True)
def impatient(settings):
    if not embedded_server():
        pytest.skip("migrations go past a pooler, and others are looked at as superuser, on the embedded server")
    settings.MIGRATION_LOCK_TIMEOUT, settings.MIGRATION_PATIENCE = 100, 20


class Runner:
    """Applies operations to the database, one migration each."""

    def __init__(self):
        self.state = MigrationLoader(None).project_state()

    def __call__(self, operation, atomic=False, app="memories"):
        kind = type("Migration", (dj.Migration,), {"operations": [operation], "atomic": atomic})
        migration = kind(f"trial_{uuid4().hex}", app)
        self.state = PatientExecutor(connection).apply_migration(self.state, migration)
        return migration

    def back(self, before, migration):
        PatientExecutor(connection).unapply_migration(before, migration)


@pytest.fixture
def run(in_use):
    return Runner()


def beside():
    """A connection of somebody else."""
    return embedded_server().connect(connection.settings_dict["NAME"])


def asked(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def statements(run, operation, **where):
    """The statements that change something. Which they are is the protection: it decides what is locked, how long."""
    with CaptureQueriesContext(connection) as seen:
        run(operation, **where)
    texts = [each["sql"] for each in seen.captured_queries]
    return [text for text in texts if text.startswith(("ALTER", "CREATE", "DROP"))]


@pytest.fixture
def idle():
    """Somebody read the table and went for a coffee, until closed."""
    with beside() as other:
        other.execute(f"BEGIN; SELECT 1 FROM {TABLE} LIMIT 1")
        yield other


# Locks

WAITS = "SELECT 1 FROM pg_locks WHERE relation = %s::regclass AND mode = 'AccessExclusiveLock' AND NOT granted"


def meanwhile(idle, found, patience):
    """Reads the table each time the migration is seen waiting for its lock, and at last lets the idle one go.

    `patience` is the longest a read may wait, as PostgreSQL writes times.
    """
    try:
        with beside() as watcher, beside() as other:
            other.execute(f"SET statement_timeout = '{patience}'")
            until = time.monotonic() + PATIENCE
            while len(found) < 3 and time.monotonic() < until:
                if watcher.execute(WAITS, (TABLE,)).fetchone():
                    try:
                        found.append(other.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0])
                    except QueryCanceled:
                        found.append(None)
    finally:
        idle.close()


@pytest.mark.parametrize("atomic", [True, False], ids=["whole", "stepwise"])
def test_it_lets_others_pass_while_it_waits_and_gets_its_turn(run, idle, settings, atomic):
    settings.MIGRATION_PATIENCE = PATIENCE
    found = []
    others = threading.Thread(target=meanwhile, args=(idle, found, f"{PATIENCE}s"))
    others.start()
    run(COLUMN, atomic=atomic)
    others.join()
    assert found == [3, 3, 3]
    assert asked("SELECT count(trial) FROM conversations") == [(0,)]


def test_control_without_the_limit_others_wait_as_long_as_it_does(run, idle, settings):
    settings.MIGRATION_LOCK_TIMEOUT = 0
    found = []
    others = threading.Thread(target=meanwhile, args=(idle, found, "1s"))
    others.start()
    run(COLUMN)
    others.join()
    assert found == [None, None, None]


@pytest.mark.parametrize("atomic", [True, False], ids=["whole", "stepwise"])
def test_patience_ends_with_what_to_look_for(run, idle, settings, atomic):
    settings.MIGRATION_PATIENCE = 1
    with pytest.raises(DatabaseNotReady, match="pg_stat_activity"):
        run(COLUMN, atomic=atomic)
    assert asked("SELECT 1 FROM pg_attribute WHERE attname = 'trial' AND attrelid = 'conversations'::regclass") == []


def test_pauses_grow_and_end():
    first = []
    for pause in backoff_pauses(0.05):
        first.append(pause)
        if len(first) == 12:
            break
        time.sleep(0.001)
    assert first[0] <= 0.2 and max(first) <= 10.0 and max(first[6:]) > max(first[:2])


def test_limits_are_the_connections_own_again_afterwards(run):
    before = asked("SHOW lock_timeout")
    run(COLUMN)
    assert asked("SHOW lock_timeout") == before
    with connection.schema_editor(atomic=True) as whole, connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert (type(whole), cursor.fetchone()) == (Whole, ("100ms",))
    assert asked("SHOW lock_timeout") == before
    assert isinstance(connection.schema_editor(atomic=False), Stepwise)


# Indexes


@pytest.mark.parametrize(
    "index",
    [
        models.Index(fields=["memory_count"], name="trial_index"),
        GinIndex(fields=["trial"], name="trial_index"),
        HnswIndex(fields=["trial"], name="trial_index", opclasses=["halfvec_cosine_ops"]),
    ],
    ids=["btree", "gin", "hnsw"],
)
def test_every_kind_of_index_is_built_concurrently(run, index):
    from django.contrib.postgres.fields import ArrayField
    from pgvector.django import HalfVectorField

    vector = isinstance(index, HnswIndex)
    trial = HalfVectorField(dimensions=3, null=True) if vector else ArrayField(models.IntegerField(), null=True)
    run(dj.AddField("conversation", "trial", trial))
    made = statements(run, dj.AddIndex("conversation", index))
    assert len(made) == 1 and made[0].startswith('CREATE INDEX CONCURRENTLY "trial_index"')
    assert asked("SELECT indisvalid FROM pg_index WHERE indexrelid = 'trial_index'::regclass") == [(True,)]


def invalid():
    return asked(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE NOT indisvalid "
        "AND relname ~ '^trial_index'"
    )


FAILING = models.Index(models.Func("memory_count", function="trial_fails"), name="trial_index")


def test_a_build_that_fails_leaves_no_invalid_index(run):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION trial_fails(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
            "$$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
    with pytest.raises(DatabaseError, match="no"):
        run(dj.AddIndex("conversation", FAILING))
    assert invalid() == []
    assert asked("SELECT to_regclass('trial_index')::text") == [(None,)]


def test_control_the_server_leaves_one(run):
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY trial_index ON conversations ((1))")
    assert invalid() == [("trial_index",)]


def test_what_a_killed_build_left_is_built_anew(run):
    test_control_the_server_leaves_one(run)
    run(INDEX)
    assert invalid() == []
    assert asked("SELECT pg_get_indexdef('trial_index'::regclass)")[0][0].endswith("(memory_count)")


def test_an_index_is_dropped_concurrently(run):
    run(INDEX)
    assert statements(run, dj.RemoveIndex("conversation", "trial_index")) == [
        'DROP INDEX CONCURRENTLY IF EXISTS "trial_index"'
    ]


# An index of a table in parts: over each part concurrently, then over the whole


PARTED = AddPartitionedIndex("auditlog", models.Index(fields=["request_id"], name="trial_parted"))
OF_PARTS = """
SELECT count(*), bool_and(indisvalid), bool_and(right(pg_get_indexdef(indexrelid), 12) = '(request_id)') FROM pg_index
WHERE indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('trial_parted'))
"""


@pytest.fixture
def parts(run):
    """The names of the trail's parts. The index is taken away after."""
    yield [
        name
        for (name,) in asked(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'audit_logs'::regclass ORDER BY 1"
        )
    ]
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS trial_parted")


def whole_and_valid(parts):
    """Whether the whole's index is valid, and each part has one beneath it."""
    assert asked("SELECT indisvalid FROM pg_index WHERE indexrelid = 'trial_parted'::regclass") == [(True,)]
    return asked(OF_PARTS) == [(len(parts), True, True)]


def test_an_index_of_a_table_in_parts_is_built_part_by_part(run, parts):
    made = statements(run, PARTED, app="audit")
    building = [text for text in made if text.startswith("CREATE INDEX")]
    assert len(parts) > 1
    assert building[0].startswith('CREATE INDEX IF NOT EXISTS "trial_parted" ON ONLY "audit_logs"')
    assert [text.split()[2] for text in building[1:]] == ["CONCURRENTLY"] * len(parts)
    assert whole_and_valid(parts)


def test_control_the_server_builds_none_concurrently_over_the_whole(run, parts):
    with pytest.raises(DatabaseError, match="partitioned"):
        run(dj.AddIndex("auditlog", PARTED.index), app="audit")


def test_one_that_was_interrupted_goes_on_with_the_parts_that_lack_theirs(run, parts):
    first, second = (f'"trial_parted{part.removeprefix("audit_logs")}"' for part in parts[:2])
    with connection.cursor() as cursor:
        cursor.execute('CREATE INDEX "trial_parted" ON ONLY audit_logs (request_id)')
        cursor.execute(f"CREATE INDEX {first} ON {parts[0]} (request_id)")
        cursor.execute(f'ALTER INDEX "trial_parted" ATTACH PARTITION {first}')
        cursor.execute(f"CREATE INDEX {second} ON {parts[1]} (request_id)")  # built, not attached
    made = statements(run, PARTED, app="audit")
    assert not [text for text in made if first in text]
    assert whole_and_valid(parts)


def test_a_part_made_while_it_is_built_brings_its_own(run, parts):
    with connection.cursor() as cursor:
        cursor.execute('CREATE INDEX "trial_parted" ON ONLY audit_logs (request_id)')
        old = "FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')"
        cursor.execute(f"CREATE TABLE trial_part PARTITION OF audit_logs {old}")
    try:
        run(PARTED, app="audit")
        assert whole_and_valid([*parts, "trial_part"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE trial_part")


def test_and_is_taken_back_as_a_whole(run, parts):
    before = run.state.clone()
    migration = run(PARTED, app="audit")
    run.back(before, migration)
    assert asked("SELECT count(*) FROM pg_class WHERE relname ~ '^trial_parted'") == [(0,)]


# Constraints


def test_a_reference_is_for_new_rows_first_and_then_validated(run):
    user = CompositeReference(name="trial_user", columns=["user_id"], to="accounts.User", to_columns=["id"])
    done = statements(run, dj.AddConstraint("conversation", user))
    assert [text.rpartition(" ")[2] for text in done] == ["VALID", '"trial_user"']
    assert "NOT VALID" in done[0] and "VALIDATE CONSTRAINT" in done[1]
    assert asked("SELECT convalidated, confdeltype FROM pg_constraint WHERE conname = 'trial_user'") == [(True, "c")]


def test_a_check_is_for_new_rows_first_and_then_validated(run):
    rule = models.CheckConstraint(condition=Q(memory_count__gte=0), name="trial_rule")
    done = statements(run, dj.AddConstraint("conversation", rule))
    assert ["NOT VALID" in text for text in done] == [True, False] and "VALIDATE" in done[1]


def test_not_null_comes_from_a_validated_check(run):
    run(COLUMN)
    run(FILL)
    done = statements(run, dj.AlterField("conversation", "trial", models.IntegerField(db_default=0)))
    kinds = [next(word for word in ("DEFAULT", "NOT VALID", "VALIDATE", "SET NOT NULL", "DROP CONSTRAINT") if word in text) for text in done]  # fmt: skip # noqa: E501
    assert kinds == ["DEFAULT", "NOT VALID", "VALIDATE", "SET NOT NULL", "DROP CONSTRAINT"]


def test_a_migration_that_was_interrupted_is_run_again(run):
    user = CompositeReference(name="trial_user", columns=["user_id"], to="accounts.User", to_columns=["id"])
    before = run.state.clone()
    for operation in (COLUMN, dj.AddConstraint("conversation", user), INDEX):
        run(operation)
    run.state = before
    for operation in (COLUMN, dj.AddConstraint("conversation", user), INDEX):
        run(operation)
    assert invalid() == []


# Rows


def trial():
    with as_system():
        count = asked("SELECT count(*) FROM conversations")
    with beside() as other:
        return count, sorted(value for (value,) in other.execute("SELECT trial FROM conversations").fetchall())


def test_batches_reach_the_rows_that_the_owner_does_not_see(run):
    run(COLUMN)
    assert asked("SELECT count(*) FROM conversations") == [(0,)], "control: an UPDATE by the owner would change nothing"
    run(FILL)
    assert trial() == ([(3,)], [1, 1, 1])
    held = "SELECT has_column_privilege('vibe_system', 'conversations', %s, %s)"
    assert [asked(held, *each) for each in (("trial", "UPDATE"), ("memory_count", "SELECT"))] == [[(False,)]] * 2
    assert asked(held, "id", "SELECT") == [(True,)], "what the system had is not taken away"


def test_batches_go_on_where_they_stopped(run, in_use, monkeypatch):
    run(COLUMN)
    small = RunInBatches(TABLE, **WANTED, size=1)
    original, calls = RunInBatches.batch, []

    def killed(self, *arguments):
        calls.append(arguments[-1])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(RunInBatches, "batch", killed)
    with pytest.raises(KeyboardInterrupt):
        run(small)
    with beside() as other:
        assert other.execute("SELECT count(trial) FROM conversations").fetchone() == (1,)
    monkeypatch.setattr(
        RunInBatches, "batch", lambda self, *arguments: calls.append(None) or original(self, *arguments)
    )
    calls.clear()
    run(small)
    assert (len(calls), trial()[1]) == (3, [1, 1, 1]), "two rows were left, and a batch that found nothing"


def test_rows_that_somebody_is_changing_are_passed_over_and_met_again(run):
    run(COLUMN)
    other = beside()
    other.execute(
        "BEGIN; UPDATE conversations SET memory_count = 1 WHERE id = (SELECT min(id::text)::uuid FROM conversations)"
    )
    threading.Timer(1.0, lambda: (other.execute("COMMIT"), other.close())).start()
    run(FILL)
    assert trial()[1] == [1, 1, 1]


def test_batches_refuse_a_transaction_and_sealed_columns(run):
    run(COLUMN)
    with pytest.raises(ConfigurationError, match="atomic = False"):
        run(RunInBatches(TABLE, set="trial = 1", where="trial IS NULL", writes=["trial"], size=5), atomic=True)
    with pytest.raises(ConfigurationError, match=r"conversations.title is sealed"):
        run(RunInBatches(TABLE, set="title = NULL", where="title IS NOT NULL", writes=["title"]))


# Taking away


def test_a_forgotten_column_stays_until_it_is_dropped_and_both_can_be_taken_back(run, in_use):
    before = run.state.clone()
    forgotten = run(ForgetField("conversation", "memory_count"))
    null = "SELECT attnotnull FROM pg_attribute WHERE attname = %s AND attrelid = 'conversations'::regclass"
    assert asked(null, "memory_count") == [(False,)]
    with as_user(in_use[0]):
        assert Conversation.objects.of(in_use[0]).get().memory_count == 1, "the release before goes on"
    run.back(before, forgotten)
    assert asked(null, "memory_count") == [(True,)]
    run(COLUMN)
    state = run.state.clone()
    dropped = run(DropColumn(TABLE, "trial", "integer"))
    assert asked(null, "trial") == []
    run.back(state, dropped)
    assert asked(null, "trial") == [(False,)]
