"""Attack: requests of many people interleaved on four connections, some of them misbehaving in the middle.

Two thousand units of work on psycopg's pool, and again through PgBouncer in transaction mode: each reads every table
without a WHERE clause, and every row that is not the person's own is counted.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction

from accounts.people.services.people import Profile, ensure_person
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.payload import Payload
from tests.attacks.corpus import tries
from tests.cast import DAY, TESTER
from tests.pooler import POOLER_PORT, pooled
from tests.processes import PATIENCE, until
from tests.test_walls import OWNED
from vibe.core.db import scopes
from vibe.core.db.backend import base
from vibe.core.db.configured import behind_pooler, embedded_server
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.scopes import as_support, as_user
from vibe.core.db.statements import bulk

pytestmark = pytest.mark.skipif(settings.DATABASE_POOLER, reason="has a pooler of its own, which it spoils for others")
REQUESTS, THREADS, POOL = tries(400, 2_000), 16, 4
TABLES = [model._meta.db_table for model in OWNED]
READ = " UNION ALL ".join(f"SELECT user_id FROM {table}" for table in TABLES)


class Mishap(Exception):
    """What goes wrong in the middle of a request."""


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def strangers(person):
    """How many rows are seen that are not this person's; nobody's are anybody's."""
    return sum(owner != person for (owner,) in run(READ))


def reads(person, _):
    with as_user(person):
        return strangers(person)


def reads_outside_every_scope(_, __):
    return strangers(None)


def reads_as_the_role_without_a_context(_, __):
    with transaction.atomic():
        run("SET LOCAL ROLE vibe_user")
        return strangers(None)


def sets_another_in_the_middle(person, other):
    """Who can run statements as vibe_user can name another; it must end with the transaction."""
    with as_user(person):
        seen = strangers(person)
        run(f"SET LOCAL vibe.user_id = '{other}'")
        run(READ)
    return seen


def sets_nonsense(person, _):
    with suppress(DatabaseError), as_user(person):
        run("SET LOCAL vibe.user_id = 'everybody'")
        return strangers(person)
    return 0


def breaks_in_the_middle(person, _):
    with suppress(Mishap), as_user(person):
        seen = strangers(person)
        raise Mishap
    return seen


def fails_a_statement(person, _):
    with suppress(DatabaseError), as_user(person):
        run("SELECT 1 / 0")
    with as_user(person):
        return strangers(person)


def goes_back_to_a_savepoint(person, other):
    with as_user(person):
        with suppress(Mishap), transaction.atomic(), as_user(other):
            strangers(other)
            raise Mishap
        return strangers(person)


def nests(person, other):
    with as_user(person):
        with as_user(other):
            seen = strangers(other)
        with as_support():
            run("SELECT count(*) FROM conversations")
        return seen + strangers(person)


def asked_of(owner):
    """The rows of a person by a statement that the session keeps."""
    statement = "SELECT user_id FROM encrypted_memories WHERE user_id = %b"
    return len(bulk.run(statement, [owner], prepared=True))


def reads_by_a_statement_that_is_kept(person, other):
    """What was read and planned in the scope of one person is run in that of another."""
    with as_user(person):
        seen = strangers(person)
        assert asked_of(person)
        return seen + asked_of(other)


def writes(person, _):
    with as_user(person):
        run("UPDATE conversations SET is_archived = NOT is_archived")
        run("UPDATE encrypted_memories SET occurred_at = occurred_at")
        return strangers(person)


WORK = [
    *(reads, reads_outside_every_scope, reads_as_the_role_without_a_context, sets_another_in_the_middle, sets_nonsense),
    *(breaks_in_the_middle, fails_a_statement, goes_back_to_a_savepoint, nests, writes),
    reads_by_a_statement_that_is_kept,
]


@pytest.fixture
def people(committed):
    """Six people with something each."""
    made = [ensure_person(profile=Profile(f"uid-{number}"), actor=TESTER) for number in range(6)]
    for person in made:
        messages = tuple(Message(f"m{number}", Payload("I", "Something."), DAY) for number in range(3))
        line = ConversationLine(1, Profile("-"), "first", "Title", None, DAY, messages)
        import_conversations(user_id=person, lines=[line], actor=TESTER)
    return made


@pytest.fixture(params=["psycopg's pool", "PgBouncer"])
def four_connections(request, people, monkeypatch):
    """Every connection made from now on is one of four, by psycopg's own pool or behind PgBouncer."""
    database, kept, server = (
        connections.settings["default"],
        dict(connections.settings["default"]),
        embedded_server(),
    )
    connection.close()
    with ExitStack() as stack:
        if request.param == "PgBouncer":
            if server is None:
                pytest.skip("DATABASE_URL is set: the pooler of the tests stands before the embedded server")
            folder = stack.enter_context(pooled(server, size=POOL))
            monkeypatch.setattr(base, "embedded_server", lambda: None)  # or the connection would go to it
            database.update(behind_pooler(database), HOST=str(folder), PORT=POOLER_PORT, CONN_MAX_AGE=None)
        else:
            pool = {"min_size": POOL, "max_size": POOL, "timeout": 60}
            database.update(OPTIONS={**database["OPTIONS"], "pool": pool}, CONN_MAX_AGE=0)
        try:
            yield request.param
        finally:
            connection.close()
            connection.close_pool()
            database.clear()
            database.update(kept)
            monkeypatch.setattr(base, "embedded_server", embedded_server)
    wait_until_alone()


def wait_until_alone():
    """What the pooler leaves ends of itself, and must have before the database can be dropped."""
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    until(lambda: not run(others))


def worked(people, count, seed=9):
    """So many units of work by sixteen threads: what each kind saw that it should not, and on how many backends."""
    chance = random.Random(seed)
    plan = [(chance.choice(WORK), *chance.sample(people, 2)) for _ in range(count)]
    seen: Counter[str] = Counter()
    backends = set()

    def one(each):
        work, person, other = each
        try:
            strange = work(person, other)
            (backend,) = run("SELECT pg_backend_pid()")[0]
        finally:
            if connection.settings_dict["CONN_MAX_AGE"] == 0:
                connection.close()
        return work.__name__, strange, backend

    with ThreadPoolExecutor(THREADS) as pool:
        for name, strange, backend in pool.map(one, plan):
            seen[name] += strange
            backends.add(backend)
        together = threading.Barrier(THREADS)
        list(pool.map(lambda _: (connections.close_all(), together.wait(PATIENCE)), range(THREADS)))
    return seen, backends


def test_nobody_sees_a_row_of_another(people, four_connections, record_property):
    seen, backends = worked(people, REQUESTS)
    assert set(seen) == {work.__name__ for work in WORK}
    assert not +seen
    assert len(backends) <= POOL, "the connections were to be shared"
    record_property("figure", f"{four_connections}: {REQUESTS:,} requests on {POOL} connections, 0 rows of another")


def test_with_a_scope_that_outlives_its_transaction_they_would(people, four_connections, monkeypatch):
    """The negative control: SET for SET LOCAL."""

    def take_for_good(scope):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET ROLE {scope.role}; SET vibe.user_id = %s; SET vibe.firebase_uid = %s",
                [scope.user_id, scope.firebase_uid],
            )
        scopes.note_scope(scope)

    monkeypatch.setattr(scopes, "set_scope", take_for_good)
    seen, _ = worked(people, 200)
    assert seen["reads_outside_every_scope"] > 0


@pytest.mark.parametrize("four_connections", ["psycopg's pool"], indirect=True)
def test_a_statement_that_is_kept_goes_by_whose_scope_it_runs_in(people, four_connections):
    """Control to what is counted above: by the wall alone it finds nothing of another's, and it was kept."""
    with as_user(people[0]):
        run("SET LOCAL plan_cache_mode = force_generic_plan")
        assert [asked_of(person) > 0 for person in people[:2]] == [True, False]
    with as_user(people[1]):
        run("SET LOCAL plan_cache_mode = force_generic_plan")
        assert [asked_of(person) > 0 for person in people[:2]] == [False, True]
        assert run("SELECT generic_plans FROM pg_prepared_statements") == [(4,)]


@pytest.mark.parametrize("four_connections", ["PgBouncer"], indirect=True)
def test_behind_a_pooler_no_statement_is_kept_and_if_it_were_the_setting_is_named(people, four_connections):
    def kept():
        with as_user(people[0]):
            run("SELECT 1")
            asked_of(people[0])
            return run("SELECT 1 FROM pg_prepared_statements")

    assert kept() == []
    del connections.settings["default"]["OPTIONS"]["prepare_threshold"]
    connection.close()
    together = threading.Barrier(2 * POOL)

    def one(_):
        together.wait(PATIENCE)
        try:
            kept()
        finally:
            connection.close()

    with ThreadPoolExecutor(2 * POOL) as pool, pytest.raises(DatabaseNotReady, match="DATABASE_POOLER=on"):
        list(pool.map(one, range(2 * POOL)))
