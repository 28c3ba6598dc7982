"""The health report: each thing that can be wrong is made wrong, and the report says so and what to do."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from tests.processes import until
from vibe.core.db.configured import embedded_server
from vibe.core.db.health import cache, connections, disk, indexes, locks, replication, statements, tables, units
from vibe.core.db.health.observing import LIMITS, observing, run_batched, run_probes
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of
from vibe.core.db.health.report import PROBES, report
from vibe.core.db.scopes import as_support, as_user, current_scope

CANARY = "xylocanary"
ALL = 1000  # of the tables: how large each is depends on the tests before


def ask(probe):
    return run_batched([probe])[0]


def named(chapter, name):
    return next(reading for reading in chapter.readings if name in reading.name)


def owner(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def another(role=None):
    """A connection of its own to this test's database; as another login role, or the server's superuser."""
    if not embedded_server():
        pytest.skip("makes roles of its own, on the embedded server")
    with embedded_server().connect(connection.settings_dict["NAME"]) as found:
        if role:
            found.execute(f"SET SESSION AUTHORIZATION {role}")
        yield found


def test_all_chapters_are_there_and_none_was_refused(db):
    found = report()
    assert [chapter.title for chapter in found] == [title for title, _ in PROBES]
    for chapter in found:
        assert chapter.about
        assert all(reading.value for reading in chapter.readings)
        assert all(reading.advice for reading in chapter.readings if reading.verdict), chapter.title
    if embedded_server():
        assert not [reading for chapter in found for reading in chapter.readings if reading.verdict == Verdict.UNKNOWN]


# How it looks: as the login role, reading only, undone after


def state():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_setting('transaction_read_only'), current_setting('statement_timeout'), "
            "current_setting('vibe.user_id', true)"
        )
        return cursor.fetchone()


@pytest.mark.parametrize("scope", [as_support, lambda: as_user(uuid4())])
def test_the_scope_around_it_is_as_before(db, scope):
    with scope():
        before = state(), current_scope()
        report()
        assert (state(), current_scope()) == before


def divides_by_zero():
    yield [("SELECT 1 / 0", ())]


def test_and_so_after_a_probe_that_failed(db):
    with as_support():
        before = state(), current_scope()
        (chapter,) = run_probes([("Broken", divides_by_zero)])
        assert chapter.verdict == Verdict.UNKNOWN
        assert (state(), current_scope()) == before


@pytest.mark.parametrize(
    "statement",
    ["UPDATE users SET is_active = false", "ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "CREATE TABLE t (a int)"],
)
def test_nothing_can_be_written_while_looking(db, statement):
    with pytest.raises(DatabaseError, match="read-only"), observing() as asking:
        asking([(statement, ())])


def test_control_without_the_limits_it_could(db, monkeypatch):
    monkeypatch.setattr("vibe.core.db.health.observing.LIMITS", "SELECT 1")
    with observing() as asking:
        asking([("CREATE TABLE t (a int)", ())])
    with connection.cursor() as cursor:  # and yet nothing stays: it is undone
        cursor.execute("SELECT to_regclass('t')")
        assert cursor.fetchone() == (None,)


def test_one_that_fails_holds_up_no_other_and_tells_no_value(db):
    def fails():
        yield [("SELECT %s::int", [CANARY])]

    def asks_nothing():
        yield from ()
        return Chapter("First", "-")

    found = run_probes([("First", asks_nothing), ("Broken", fails), ("Disk", disk.disk)])
    assert [chapter.title for chapter in found] == ["First", "Broken", "Disk"]
    assert CANARY not in str(found)
    assert "22P02" in found[1].readings[0].advice


def test_all_ask_in_the_same_round_trips_and_each_is_given_its_own_rows(db):
    def counts(number):
        [[first]], [] = yield [("SELECT %s", [number]), ("SELECT 1 WHERE false", ())]
        [[second]] = yield [("SELECT %s + 1", [first])]
        return Chapter(str(number), str(second[0]))

    with CaptureQueriesContext(connection) as asked:
        found = run_batched([partial(counts, number) for number in (10, 20, 30)])
    assert [(chapter.title, chapter.about) for chapter in found] == [("10", "11"), ("20", "21"), ("30", "31")]
    assert len([one for one in asked.captured_queries if LIMITS in one["sql"]]) == 2


# Without pg_monitor


@pytest.fixture
def stranger(committed):
    """A login role that may look at nothing in particular."""
    with another() as server:
        server.execute("CREATE ROLE health_stranger LOGIN")
        yield
        server.execute("DROP ROLE health_stranger")


def answered(found, probe):
    """What a probe says that is asked on a connection of its own."""
    looking, rows = probe(), None
    try:
        while True:
            rows = [found.execute(text, values or None).fetchall() for text, values in looking.send(rows)]
    except StopIteration as told:
        return told.value


def test_without_pg_monitor_it_says_what_to_type_and_shows_the_rest(stranger, monkeypatch):
    monkeypatch.setattr(tables, "SHOWN", ALL)
    with another("health_stranger") as found:
        chapters = {title: answered(found, probe) for title, probe in PROBES}
    unseen = [r for chapter in chapters.values() for r in chapter.readings if r.verdict == Verdict.UNKNOWN]
    assert {reading.name for reading in unseen} >= {"pg_stat_statements", "Locks", "Longest transaction"}
    assert all("pg_monitor" in reading.advice for reading in unseen)
    assert named(chapters[disk.TITLE], "Database").number > 0
    assert named(chapters[tables.TITLE], "users")


# Statements


def test_the_slowest_statement_is_named_without_its_values(db):
    with another() as server:
        server.execute("SELECT pg_stat_statements_reset(0, oid) FROM pg_database WHERE datname = current_database()")
    owner("SELECT pg_sleep(%s), %s", 0.15, CANARY)
    found = [reading for reading in ask(statements.slowest).readings if "pg_sleep" in reading.name]
    assert found, "the slowest comes among the first"
    assert found[0].verdict == Verdict.WATCH
    assert CANARY not in str(ask(statements.slowest))


def test_a_statement_that_postgresql_left_as_it_was_is_masked_by_us(db, monkeypatch):
    monkeypatch.setattr(statements, "SLOWEST", f"SELECT 'SELECT ''{CANARY}''', 1, 1.0, 1.0, 1, %s / 10.0")
    (reading,) = ask(statements.slowest).readings
    assert reading.name == "SELECT ?"


def test_control_unmasked_it_would_show(db, monkeypatch):
    monkeypatch.setattr(statements, "SLOWEST", f"SELECT 'SELECT ''{CANARY}''', 1, 1.0, 1.0, 1, %s / 10.0")
    monkeypatch.setattr(statements, "masked", lambda text: text)
    assert CANARY in ask(statements.slowest).readings[0].name


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        ((False, None, True, "vibe"), "shared_preload_libraries"),
        ((True, None, True, "vibe"), "CREATE EXTENSION pg_stat_statements"),
        ((True, "public", False, "vibe"), "GRANT pg_monitor"),
        ((True, "public", True, "vibe"), ""),
    ],
)
def test_what_is_missing_for_statements_is_said(found, hint):
    said = statements.missing(*found)
    assert (hint in said) if hint else said == ""


def test_the_embedded_server_counts_no_setting_and_no_definition(db):
    if embedded_server():
        with connection.cursor() as cursor:
            cursor.execute("SHOW pg_stat_statements.track_utility")
            assert cursor.fetchone() == ("off",)


# Indexes


@pytest.fixture
def table(db):
    owner("CREATE TABLE shelf (id bigint PRIMARY KEY, a bigint, b bigint)")
    owner("INSERT INTO shelf SELECT n, n, n FROM generate_series(1, 60000) AS n")


def test_a_doubled_index_is_named_once(table):
    owner("CREATE INDEX shelf_one ON shelf (a, b)")
    assert not [r for r in ask(indexes.indexes).readings if "the same as" in r.value]
    owner("CREATE INDEX shelf_two ON shelf (a, b)")
    doubled = [r for r in ask(indexes.indexes).readings if "the same as" in r.value]
    assert [(r.name, r.verdict) for r in doubled] == [("shelf_two", Verdict.WATCH)]
    assert "shelf_one" in doubled[0].value


@pytest.mark.parametrize("other", ["(b, a)", "(a DESC, b)", "(a, b) WHERE a > 5", "(a, (b + 1))", "USING hash (a)"])
def test_an_index_that_differs_is_no_double(table, other):
    owner("CREATE INDEX shelf_one ON shelf (a, b)")
    owner(f"CREATE INDEX shelf_two ON shelf {other}")
    assert not [r for r in ask(indexes.indexes).readings if "the same as" in r.value]


def test_of_two_the_one_that_holds_a_rule_stays(table):
    owner("CREATE INDEX a_shelf_id ON shelf (id)")
    (doubled,) = [r for r in ask(indexes.indexes).readings if "the same as" in r.value]
    assert doubled.name == "a_shelf_id"


def test_an_unused_index_is_named_once_statistics_are_old_enough(table, monkeypatch):
    owner("CREATE INDEX shelf_unused ON shelf (a)")
    young = named(ask(indexes.indexes), "shelf_unused")
    assert (young.verdict, "too young" in young.advice) == (Verdict.OK, True)
    monkeypatch.setattr(indexes, "LONG_ENOUGH", -1)
    assert named(ask(indexes.indexes), "shelf_unused").verdict == Verdict.WATCH
    assert not [r for r in ask(indexes.indexes).readings if "pkey" in r.name], "what holds a rule is needed unread"


def test_a_broken_index_is_found_where_a_concurrent_build_failed(committed):
    owner("CREATE TABLE torn (a int)")
    try:
        owner("INSERT INTO torn VALUES (1), (1)")
        with another() as server, pytest.raises(psycopg.errors.UniqueViolation):
            server.execute("CREATE UNIQUE INDEX CONCURRENTLY torn_once ON torn (a)")
        reading = named(ask(indexes.indexes), "torn_once")
        assert (reading.verdict, "REINDEX" in reading.advice) == (Verdict.BAD, True)
    finally:
        owner("DROP TABLE torn")


def test_a_reference_without_an_index_is_named(table, monkeypatch):
    owner("CREATE TABLE book (id bigint, shelf bigint CONSTRAINT book_on_shelf REFERENCES shelf)")
    owner("INSERT INTO book SELECT n, n FROM generate_series(1, 60000) AS n")
    assert named(ask(indexes.indexes), "book_on_shelf").verdict == Verdict.WATCH
    owner("CREATE INDEX book_shelf ON book (shelf, id)")
    assert not [r for r in ask(indexes.indexes).readings if "book_on_shelf" in r.name]


def test_no_index_of_the_product_is_broken_doubled_or_missing(db, monkeypatch):
    monkeypatch.setattr(indexes, "WORTH_IT", 0)
    wrong = [r for r in ask(indexes.indexes).readings if "not read in" not in r.value and r.name != "All indexes"]
    ours = [
        r.name
        for r in wrong
        if not r.name.startswith(("axes_", "auth_", "users_", "django_", "procrastinate_", "otp_"))
    ]
    assert ours == []


# Tables, cache, connections, locks, disk, replication


def test_an_index_full_of_air_is_named(committed):
    owner("CREATE TABLE airy (id bigint)")
    try:
        owner("INSERT INTO airy SELECT n FROM generate_series(1, 900000) AS n")
        owner("CREATE INDEX airy_id ON airy (id)")
        owner("VACUUM airy")
        full = named(ask(tables.tables), "airy_id")
        assert (full.verdict, full.number < 0.1) == (Verdict.OK, True)
        owner("DELETE FROM airy WHERE mod(id, 10) > 0")
        owner("VACUUM airy")
        airy = named(ask(tables.tables), "airy_id")
        assert airy.verdict in (Verdict.WATCH, Verdict.BAD)
        assert airy.number > 0.8
        owner("REINDEX INDEX airy_id")
        assert not [r for r in ask(tables.tables).readings if r.name == "airy_id" and r.verdict]
    finally:
        owner("DROP TABLE airy")


@pytest.mark.parametrize(("part", "verdict"), [(0.1, Verdict.OK), (0.6, Verdict.WATCH), (0.9, Verdict.BAD)])
def test_air_is_judged(part, verdict):
    reading = tables.bloat("i", 1024**3, part)
    assert (reading.verdict, "REINDEX" in reading.advice) == (verdict, verdict != Verdict.OK)


@pytest.mark.parametrize(
    ("live", "dead", "verdict"),
    [(100, 9_000, Verdict.OK), (100_000, 30_000, Verdict.WATCH), (10_000, 90_000, Verdict.BAD), (0, 0, Verdict.OK)],
)
def test_dead_rows_are_judged(live, dead, verdict):
    assert tables.table(("t", 1024, 512, live, dead, 60.0)).verdict == verdict


def test_partitions_count_as_one_table(db, monkeypatch):
    monkeypatch.setattr(tables, "SHOWN", ALL)
    names = [reading.name for reading in ask(tables.tables).readings]
    assert "audit_logs" in names
    assert not [name for name in names if name.startswith("audit_logs_")]


@pytest.mark.parametrize(
    ("hit", "read", "verdict"),
    [(10, 100, Verdict.OK), (99_900, 100_000, Verdict.OK), (95_000, 100_000, Verdict.WATCH), (5, 100_000, Verdict.BAD)],
)
def test_cache_hits_are_judged(hit, read, verdict):
    assert cache.rate("Tables", hit, read).verdict == verdict


def test_a_large_table_read_from_end_to_end_is_named():
    assert cache.by_index("t", 900, 100, 50_000).verdict == Verdict.WATCH
    assert cache.by_index("t", 10, 990, 50_000).verdict == Verdict.OK
    assert cache.by_index("t", 10, None, 50_000).verdict == Verdict.WATCH


def test_the_longest_transaction_is_named_and_how_to_end_it(committed):
    with another() as other:
        other.autocommit = False
        other.execute("SET application_name = 'forgotten'")
        other.execute("SELECT 1")
        reading = named(ask(connections.connections), "Longest transaction")
        assert "forgotten" in reading.value
        assert "idle in transaction" in reading.value
    assert "none open" in named(ask(connections.connections), "Longest transaction").value


@pytest.mark.parametrize(("age", "verdict"), [(1, Verdict.OK), (600, Verdict.WATCH), (7200, Verdict.BAD)])
def test_open_transactions_are_judged(age, verdict):
    reading = connections.transaction((42, float(age), "idle in transaction", "web"))
    assert (reading.verdict, "pg_terminate_backend(42)" in reading.advice) == (verdict, verdict != Verdict.OK)


def test_connections_and_transaction_numbers_are_judged():
    assert connections.in_use(95, 1, 1, 97).verdict == Verdict.BAD
    assert connections.in_use(5, 1, 1, 97).verdict == Verdict.OK
    assert connections.wraparound(1_500_000_000).verdict == Verdict.BAD


def test_a_pool_is_told_of_where_there_is_one(monkeypatch):
    class Pool:
        def get_stats(self):
            return {"pool_size": 4, "pool_max": 4, "requests_waiting": 3}

    monkeypatch.setattr(connections, "connection", type("Connection", (), {"pool": Pool()})())
    assert (connections.pool().verdict, connections.pool().number) == (Verdict.WATCH, 3.0)


def test_who_waits_for_whom_is_told_without_values(committed):
    with another() as holder, another() as waiter:
        pids = holder.info.backend_pid, waiter.info.backend_pid
        holder.autocommit = False
        holder.execute("LOCK TABLE users")
        thread = threading.Thread(target=waits, args=(waiter,))
        thread.start()
        try:
            (reading,) = until(lambda: ask(locks.locks).readings)
        finally:
            holder.rollback()
            thread.join()
    assert reading.name == f"Process {pids[1]}"
    assert f"for process {pids[0]}" in reading.value
    assert "on users" in reading.value
    assert CANARY not in str(reading)


def waits(waiter):
    waiter.execute(f"SELECT '{CANARY}' FROM users LIMIT 0")


@pytest.mark.parametrize(("seconds", "verdict"), [(1.0, Verdict.OK), (10.0, Verdict.WATCH), (120.0, Verdict.BAD)])
def test_waiting_is_judged(seconds, verdict):
    assert locks.wait((1, 2, "active", seconds, "users", "ShareLock", 5.0)).verdict == verdict


def test_a_full_disk_is_bad(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda _: (100, 95, 5))
    assert disk.room(tmp_path).verdict == Verdict.BAD
    assert disk.room(None).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(("late", "verdict"), [(0.5, Verdict.OK), (60.0, Verdict.WATCH), (900.0, Verdict.BAD)])
def test_lag_is_judged(late, verdict):
    assert replication.lag("replica", "streaming", late, 10.0).verdict == verdict


def test_of_a_replica_that_may_not_be_looked_at_it_says_what_to_type():
    unseen = replication.lag("replica", None, None, None)
    assert unseen.verdict == Verdict.UNKNOWN
    assert "pg_monitor" in unseen.advice


def test_a_slot_that_nobody_reads_is_named(committed):
    with another() as server:
        server.execute("SELECT pg_create_physical_replication_slot('gone', true)")
        try:
            assert "nobody reads" in named(ask(replication.replication), "gone").value
        finally:
            server.execute("SELECT pg_drop_replication_slot('gone')")
    there = [reading.name for reading in ask(replication.replication).readings]  # tests beside this one have theirs
    assert not any("gone" in name for name in there), "the control"


# Values


def test_the_worst_reading_is_the_chapters():
    assert Chapter("t", "a").verdict == Verdict.OK
    chapter = Chapter("t", "a", (Reading("x", "1"), Reading("y", "2", Verdict.BAD), Reading("z", "3", Verdict.WATCH)))
    assert chapter.verdict == Verdict.BAD


@pytest.mark.parametrize(("number", "verdict"), [(1, Verdict.OK), (5, Verdict.WATCH), (9, Verdict.BAD)])
def test_judging(number, verdict):
    assert verdict_of(number, watch=5, bad=9) == verdict
    assert verdict_of(-number, watch=-5, bad=-9) == verdict


def test_units():
    assert [units.size(n) for n in (12, 2048, 1024**2 * 150, 1024**4 * 3)] == ["12 B", "2.0 kB", "150 MB", "3.0 TB"]
    assert [units.time(n) for n in (0.0042, 1.5, 65, 7500, 90_000)] == [
        "4.2 ms",
        "1.5 s",
        "1 min 5 s",
        "2 h 5 min",
        "1 d 1 h",
    ]
    assert units.share(0.995) == "99.5 %"
