"""Scopes: the role in effect, where one begins and ends, and that every mistake ends with no rows."""

import threading
from contextlib import nullcontext
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from procrastinate.contrib.django import app

from memories.models import Memory
from vibe.core.db.errors import ContextError
from vibe.core.db.jobs import start_jobs
from vibe.core.db.scopes import (
    OUTSIDE,
    Scope,
    as_sign_in,
    as_staff,
    as_support,
    as_system,
    as_user,
    current_scope,
    enter_scope,
    query_in_scope,
    require_user,
)
from vibe.core.db.statements import bulk


def on_the_server():
    """The role in effect, and the two settings."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user::text, coalesce(current_setting('vibe.user_id', true), ''), "
            "coalesce(current_setting('vibe.firebase_uid', true), '')"
        )
        return cursor.fetchone()


def login():
    return connection.settings_dict["USER"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (as_support, ("vibe_support", "", "")),
        (as_staff, ("vibe_staff", "", "")),
        (as_system, ("vibe_system", "", "")),
        (lambda: as_sign_in("uid"), ("vibe_sign_in", "", "uid")),
    ],
)
def test_a_scope_is_a_role_and_ends_with_its_block(scope, expected):
    with scope():
        assert on_the_server() == expected
    assert (on_the_server(), current_scope()) == ((login(), "", ""), OUTSIDE)


@pytest.mark.django_db
def test_a_persons_scope_says_whose_it_is():
    someone = uuid4()
    with as_user(someone):
        assert on_the_server() == ("vibe_user", str(someone), "")
        assert require_user() == someone
    with pytest.raises(ContextError):
        require_user()
    with as_support(), pytest.raises(ContextError):
        require_user()


def plan_of_ones_own(user_id):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT id FROM conversations WHERE user_id = %s", [user_id])
        return str(cursor.fetchall())


def test_in_a_persons_scope_no_table_is_read_whole(ada, tell):
    """Not where the planner would, as here, since an index costs too much; in no other scope is it kept from that."""
    tell(ada, "only", [("Ada", "Hello.")])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost = 1000000")
    with as_support():
        assert "Seq Scan" in plan_of_ones_own(ada), "the control"
        with as_user(ada):
            assert "Seq Scan" not in plan_of_ones_own(ada)
        assert "Seq Scan" in plan_of_ones_own(ada)
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == ("on",)


@pytest.mark.django_db
def test_scopes_nest_and_the_outer_one_is_taken_up_again():
    ada, jonas = uuid4(), uuid4()
    with as_user(ada):
        with as_sign_in("uid"), as_user(jonas):
            assert on_the_server() == ("vibe_user", str(jonas), "")
        assert on_the_server() == ("vibe_user", str(ada), "")
        with as_system():
            assert on_the_server() == ("vibe_system", "", "")
        assert on_the_server() == ("vibe_user", str(ada), "")


@pytest.mark.parametrize("nobody", [None, "", "ada", 7, "' OR true --"])
def test_a_scope_of_nobody_is_refused(nobody):
    with pytest.raises(ContextError):
        as_user(nobody)


def test_signing_in_as_nobody_is_refused():
    with pytest.raises(ContextError):
        as_sign_in("")


@pytest.mark.django_db
def test_a_uid_cannot_end_its_own_statement():
    hostile = "x'; SET LOCAL ROLE none; --"
    with as_sign_in(hostile):
        assert on_the_server() == ("vibe_sign_in", "", hostile)


@pytest.mark.usefixtures("between_transactions")
def test_nothing_of_a_scope_is_left_on_the_connection_after_its_transaction():
    """What a pooler in transaction mode hands to the next client."""
    with as_user(uuid4()):
        process = connection.connection.info.backend_pid
    assert connection.connection.info.backend_pid == process
    assert on_the_server() == (login(), "", "")
    assert not Memory.objects.exists()


@pytest.mark.usefixtures("between_transactions")
def test_what_runs_after_the_commit_is_in_no_scope():
    seen = []
    with as_user(uuid4()):
        transaction.on_commit(lambda: seen.append((current_scope(), on_the_server()[0])))
    assert seen == [(OUTSIDE, login())]


@pytest.mark.usefixtures("between_transactions")
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_error_inside_ends_the_scope(wrapped):
    outer = transaction.atomic() if wrapped else pytest.raises(ZeroDivisionError)
    with outer:
        with pytest.raises(ZeroDivisionError), as_user(uuid4()):
            1 / 0  # noqa: B018
        assert (on_the_server(), current_scope()) == ((login(), "", ""), OUTSIDE)
        if not wrapped:
            raise ZeroDivisionError


@pytest.mark.usefixtures("between_transactions")
def test_an_error_between_an_inner_and_an_outer_scope_closes_the_transaction():
    """Whoever swallows it cannot go on under the inner role, by whichever way statements are sent."""
    ada, jonas = uuid4(), uuid4()
    with as_user(ada):
        with pytest.raises(ZeroDivisionError), as_user(jonas):
            1 / 0  # noqa: B018
        for statement in (on_the_server, lambda: bulk.run("SELECT current_user", []), lambda: as_user(ada).__enter__()):
            with pytest.raises(TransactionManagementError):
                statement()
    assert on_the_server() == (login(), "", "")


@pytest.mark.django_db
def test_a_savepoint_around_an_inner_scope_brings_the_outer_one_back():
    ada, jonas = uuid4(), uuid4()
    with as_user(ada):
        with pytest.raises(ZeroDivisionError), transaction.atomic(), as_user(jonas):
            1 / 0  # noqa: B018
        assert on_the_server() == ("vibe_user", str(ada), "")
        assert require_user() == ada


@pytest.mark.django_db
def test_a_refused_statement_inside_a_savepoint_leaves_the_scope_as_it_was():
    ada = uuid4()
    with as_user(ada):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT wrapped FROM user_keys; SELECT * FROM django_session")
        assert on_the_server() == ("vibe_user", str(ada), "")


@pytest.mark.usefixtures("between_transactions")
def test_a_swallowed_database_error_does_not_let_the_scope_end_well():
    with pytest.raises(DatabaseError), transaction.atomic():
        with as_system():
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
            except DatabaseError:
                pass
        pytest.fail("the scope ended as if nothing had happened")
    assert (on_the_server(), current_scope()) == ((login(), "", ""), OUTSIDE)


@pytest.mark.usefixtures("between_transactions")
def test_a_lost_connection_ends_every_scope():
    with pytest.raises(OperationalError), as_user(uuid4()), as_system():
        connection.connection.pgconn.finish()
        on_the_server()
    assert current_scope() == OUTSIDE
    assert on_the_server() == (login(), "", "")


@pytest.mark.django_db
def test_a_setting_made_by_hand_inside_a_scope_does_not_outlive_it():
    ada, jonas = uuid4(), uuid4()
    with as_user(ada):
        with as_user(jonas), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('vibe.user_id', %s, true)", [str(ada)])
        assert on_the_server() == ("vibe_user", str(ada), "")
    assert on_the_server() == (login(), "", "")


@pytest.mark.django_db
def test_another_thread_is_in_no_scope():
    seen = []
    with as_user(uuid4()):
        thread = threading.Thread(target=lambda: seen.append(current_scope()))
        thread.start()
        thread.join()
    assert seen == [OUTSIDE]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "scope", [lambda: as_user(uuid4()), as_support, as_staff, as_system, lambda: as_sign_in("uid")]
)
def test_no_scope_is_a_superuser_or_passes_row_security_by(scope):
    with scope(), connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


def test_a_transaction_and_its_scope_begin_in_one_round_trip(between_transactions, sent):
    with as_support():
        assert on_the_server() == ("vibe_support", "", "")
    assert len(sent) == 1
    assert (on_the_server(), connection.get_autocommit()) == ((login(), "", ""), True)


def test_a_scope_that_cannot_begin_leaves_nothing_behind(between_transactions, monkeypatch):
    """Neither a transaction that is half begun nor a scope that the next one would begin with."""
    with pytest.raises(DatabaseError), enter_scope(Scope("no_such_role")):
        on_the_server()
    assert (current_scope(), connection.in_atomic_block) == (OUTSIDE, False)
    with transaction.atomic():
        assert on_the_server() == (login(), "", "")
    monkeypatch.setattr(type(connections["default"]), "close_if_health_check_failed", broken)
    with pytest.raises(OperationalError), as_support():
        pass
    monkeypatch.undo()
    with transaction.atomic():
        assert on_the_server() == (login(), "", "")


def broken(_):
    raise OperationalError("no connection")


@pytest.mark.parametrize("inside", [False, True])
def test_one_statement_alone_is_in_its_scope_and_leaves_it(between_transactions, inside):
    asked = "SELECT current_user::text, current_setting('vibe.firebase_uid', true)"
    with transaction.atomic() if inside else nullcontext():
        assert query_in_scope(Scope("vibe_sign_in", firebase_uid="ada"), asked, []) == [("vibe_sign_in", "ada")]
        assert (on_the_server(), current_scope()) == ((login(), "", ""), OUTSIDE)


def test_an_inner_scope_costs_no_round_trip(between_transactions, sent):
    with as_user(uuid4()):
        with as_system():
            assert on_the_server()[0] == "vibe_system"
        assert on_the_server()[0] == "vibe_user"
    assert len(sent) == 2, "and none of the three that are told at the end of a scope is sent for that alone"


def test_an_error_as_the_system_does_not_leave_its_role(between_transactions):
    ada = uuid4()
    with as_user(ada):
        with pytest.raises(DatabaseError), transaction.atomic(), as_system(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert (on_the_server(), require_user()) == (("vibe_user", str(ada), ""), ada)


def test_a_job_goes_as_the_system_in_the_round_trip_of_the_next_statement(committed, sent):
    with as_user(uuid4()):
        start_jobs(app.configure_task("tests.nothing", queue="-"), {"user_id": "1"}, {"user_id": "2"})
        assert sent == []
        assert on_the_server()[0] == "vibe_user"
    assert len(sent) == 1
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'tests.nothing'")
        assert cursor.fetchone() == (2,)


def test_a_job_with_nothing_after_it_goes_with_the_commit_and_one_that_is_given_up_does_not(committed):
    with pytest.raises(RuntimeError), as_user(uuid4()):
        start_jobs(app.configure_task("tests.nothing", queue="-"), {"user_id": "1"})
        raise RuntimeError
    with as_user(uuid4()):
        start_jobs(app.configure_task("tests.nothing", queue="-"), {"user_id": "1"})
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'tests.nothing'")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("scope", [as_system, lambda: as_user(uuid4())])
def test_a_job_that_cannot_be_started_fails_with_an_error_of_django(between_transactions, scope):
    """Of procrastinate's the API knows nothing: it would be a failure of ours, where the database is away."""
    with pytest.raises(OperationalError), scope():
        connection.connection.pgconn.finish()
        start_jobs(app.configure_task("tests.nothing", queue="-"), {"user_id": "1"})
    assert (on_the_server(), current_scope()) == ((login(), "", ""), OUTSIDE)


def test_rows_too_many_to_hold_are_read_within_their_transaction(between_transactions):
    """Django takes a cursor that outlives its transaction where the driver commits by itself, as it does here."""
    with as_support(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT generate_series(1, 10)")
        assert cursor.fetchone() == (1,)
        with connection.cursor() as other:
            other.execute("SELECT bool_or(is_holdable) FROM pg_cursors")
            assert other.fetchone() == (False,)
