"""Erasure: shut out at once, called off in time, keys first, everything gone, proved, and never undone by a restore."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import tasks
from accounts.authentication import rate_limit_store
from accounts.erasure import deleting as erasing
from accounts.erasure import services as erasure
from accounts.erasure.proof import ReceiptBroken, receipt_of, verify, verify_all
from accounts.erasure.receipts import sign_statement, signature_holds
from accounts.erasure.services import (
    StillRunning,
    cancel_erasure,
    erase,
    erase_again,
    erase_due,
    request_erasure,
    unfinished_erasures,
)
from accounts.erasure.tombstones import TombstoneBroken, add_tombstone, erased_people, read_tombstones
from accounts.export.services import request_export
from accounts.models import AccessGrant, Erasure, KeptAnswer, LastChange, User, UserKey, UserPreferences
from accounts.people.services.account_status import set_active
from accounts.people.services.people import Profile, ensure_person, find_person
from audit.actors import Actor, Origin
from audit.models import AuditLog
from memories.models import Conversation, Import, Memory
from stories.models import Fact, Passage, PendingMemory, TokenUse
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from tests.protections import unprotected
from vibe.core.crypto.errors import DataKeyMissing
from vibe.core.crypto.seal import Sealed
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_staff, as_support, as_system, as_user
from vibe.core.errors import InputError, NotFound, Refused
from vibe.core.http.rate_limits import Rate
from vibe.doctor import upkeep
from vibe.serving.preparing import erase_who_is_back

pytestmark = pytest.mark.django_db
LATER = timedelta(days=400)


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.EXPORT_DIR, settings.ERASURES_FILE = tmp_path / "exports", tmp_path / "state" / "erasures.jsonl"


@pytest.fixture
def full(ada, tell, supporter):
    """Ada with something of every kind, told as a story, exported, with jobs waiting."""
    return filled(ada, tell, supporter)


def filled(who, tell, supporter):
    tell(who, "lisbon", [("Ada", "I moved to Lisbon with Noor."), ("Companion", "How is it?"), ("Ada", "Sunny.")])
    tell(who, "work", [("Ada", "The cafe of Mira opens in Porto.")], at=DAY + timedelta(days=3))
    with as_user(who):
        UserPreferences(user_id=who, data={"theme": "dark"}).save(force_insert=True)
        conversations = list(Conversation.objects.of(who).values_list("pk", flat=True))
    for conversation in conversations:
        build_conversation(who, conversation)
    with as_support():
        AccessGrant(user_id=who, requested_by=supporter.pk, reason="-", ticket="T-1", duration=timedelta(hours=1)).save(
            force_insert=True
        )
    tasks.export(str(who), str(request_export(user_id=who, actor=TESTER)))
    return who


def rarer(who):
    """A row in the tables that not everybody has one in."""
    with as_user(who):
        conversation = Conversation.objects.of(who).values_list("pk", flat=True).first()
        memory = Memory.objects.of(who).filter(conversation_id=conversation).values_list("pk", flat=True)[0]
        PendingMemory(user_id=who, memory_id=memory).save(force_insert=True)
        Fact(user_id=who, memory_id=memory, statement=Sealed(bytes(32))).save(force_insert=True)
        TokenUse(user_id=who, day=DAY.date(), tokens=1).save(force_insert=True)
        KeptAnswer(user_id=who, key=bytes(32)).save(force_insert=True)
        LastChange(user_id=who, place=1).save(force_insert=True)
        Import(user_id=who, form="jsonl").save(force_insert=True)
    with unprotected("api_keys") as cursor:
        cursor.execute(
            "INSERT INTO api_keys (id, name, hint, digest, scopes, person, expires_at) "
            "VALUES (%s, '-', '-', %s, '{read}', %s, now())",
            [uuid4(), uuid4().bytes * 2, who],
        )
    rate_limit_store.take(f"person:{who}", Rate(1, 60))


def asked(user_id):
    request_erasure(user_id=user_id, actor=TESTER, at_once=True)
    return user_id


def gone(user_id):
    return erase(user_id=asked(user_id), actor=TESTER)


def everywhere(needle):
    """Tables of the whole database that hold a text anywhere in a row, past every wall."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [table for (table,) in cursor.fetchall()]
    with unprotected(*tables) as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table} AS t WHERE position(%s in t::text) > 0", [needle])
            (number,) = cursor.fetchone()
            if number:
                found[table] = number
    return found


TRAIL = {"erasures"}  # beside the partitions of the trail


def beside_the_trail(found):
    return {table for table in found if not table.startswith("audit_logs") and table not in TRAIL}


# Asking, and calling off


def test_asked_for_the_person_is_shut_out_and_nothing_is_gone_yet(full, settings):
    settings.ERASURE_GRACE_DAYS = 14
    row = request_erasure(user_id=full, actor=Actor.person(full, Origin()))
    assert timedelta(days=13) < row.due_at - timezone.now() <= timedelta(days=14)
    with as_user(full):
        assert Memory.objects.of(full).count() == 4
    with as_support():
        assert not User.objects.filter(pk=full, is_active=True).exists()
    assert erase_due(actor=TESTER) == []
    with pytest.raises(Refused, match="not before"):
        erase(user_id=full, actor=TESTER)


def test_asked_for_again_the_time_stays_and_at_once_brings_it_forward(full):
    first = request_erasure(user_id=full, actor=TESTER).due_at
    assert request_erasure(user_id=full, actor=TESTER).due_at == first
    assert request_erasure(user_id=full, actor=TESTER, at_once=True).due_at < timezone.now()
    assert erase_due(actor=TESTER) == [full]


def test_called_off_in_time_everything_is_as_before(full):
    request_erasure(user_id=full, actor=TESTER)
    cancel_erasure(user_id=full, actor=TESTER)
    with as_support():
        assert User.objects.filter(pk=full, is_active=True).exists()
    with pytest.raises(NotFound):
        erase(user_id=full, actor=TESTER)
    request_erasure(user_id=full, actor=TESTER)


def test_whoever_was_out_before_stays_out_when_it_is_called_off(full):
    set_active(user_id=full, active=False, actor=TESTER)
    request_erasure(user_id=full, actor=TESTER)
    cancel_erasure(user_id=full, actor=TESTER)
    with as_support():
        assert not User.objects.filter(pk=full, is_active=True).exists()


def test_only_staff_call_it_off(full):
    request_erasure(user_id=full, actor=TESTER)
    with pytest.raises(Refused):
        cancel_erasure(user_id=full, actor=Actor.person(full, Origin()))


def test_who_is_to_be_erased_is_not_let_in_by_the_way(full):
    request_erasure(user_id=full, actor=TESTER)
    with pytest.raises(InputError, match="Call the erasure off"):
        set_active(user_id=full, active=True, actor=TESTER)


@pytest.mark.parametrize("who", ["nobody", "staff"])
def test_nobody_and_staff_are_not_erased(supporter, who):
    with pytest.raises(NotFound):
        request_erasure(user_id=supporter.pk if who == "staff" else uuid4(), actor=TESTER)


def test_once_begun_it_is_not_called_off(full):
    next(erasure._steps(asked(full), TESTER))
    with pytest.raises(NotFound):
        cancel_erasure(user_id=full, actor=TESTER)


# Gone


def test_nothing_of_the_person_is_left_anywhere_but_in_the_trail(full, jonas, tell, supporter):
    filled(jonas, tell, supporter)
    rarer(full)
    with as_system():
        app.configure_task("stories.build", queue="stories").defer(user_id=str(full), conversation_id=str(uuid4()))
    before = everywhere(str(full))
    owned = {model._meta.db_table for model in apps.get_models() if issubclass(model, UserOwned)} - {"next_vectors"}
    assert beside_the_trail(before) >= owned | {"users", "procrastinate_jobs", "api_keys", "rate_limits"}, (
        "there was something"
    )
    assert len(list(settings.EXPORT_DIR.glob("*"))) == 2
    with as_user(full):
        ids = [str(pk) for pk in Memory.objects.of(full).values_list("pk", flat=True)]
    theirs = beside_the_trail(everywhere(str(jonas)))
    removed = gone(full)["removed"]
    for needle in (str(full), full.hex, "ada@example.com", "firebase_uid: ada", *ids):
        assert beside_the_trail(everywhere(needle)) == set(), needle
    assert len(list(settings.EXPORT_DIR.glob("*"))) == 1, "the file of the other"
    assert removed["encrypted_memories"] == 4 and removed["users"] == 1 and removed["user_keys"] == 1
    assert removed["api_keys"] == removed["rate_limits"] == removed["kept_answers"] == 1
    assert removed["files"] == 1 and removed["procrastinate_jobs"] >= 3
    assert beside_the_trail(everywhere(str(jonas))) == theirs, "others keep everything"


def test_every_table_of_peoples_rows_can_be_counted_and_emptied():
    """Whoever adds one: the system may count by owner, and it goes with its person."""
    with connection.cursor() as cursor:
        for model in erasing.owned_tables():
            table = model._meta.db_table
            cursor.execute("SELECT has_column_privilege('vibe_system', %s, 'user_id', 'SELECT')", [table])
            assert cursor.fetchone() == (True,), table
    assert set(erasing.owned_tables()) == {model for model in apps.get_models() if issubclass(model, UserOwned)}


def test_what_refers_goes_before_what_it_refers_to():
    order = [model._meta.db_table for model in erasing.owned_tables()]
    assert order.index("passages") < order.index("stories") < order.index("conversations")
    assert order.index("passages") < order.index("encrypted_memories") < order.index("conversations")


def test_what_staff_noted_of_the_person_goes_too(full, supporter):
    with as_user(full):
        memory = Memory.objects.of(full).values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        for object_id in (full, memory, uuid4()):
            cursor.execute(
                "INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, "
                "user_id) VALUES (now(), %s, '-', 2, '', %s)",
                [str(object_id), supporter.pk],
            )
    assert gone(full)["removed"]["django_admin_log"] == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_admin_log")
        assert cursor.fetchone() == (1,)


def test_the_same_person_can_come_again_as_somebody_new(full):
    gone(full)
    with pytest.raises(NotFound):
        find_person("ada@example.com")
    again = ensure_person(profile=Profile("ada", "ada@example.com"), actor=TESTER)
    assert again != full and unfinished_erasures() == set()


def test_erased_twice_is_erased_once(full):
    receipt = gone(full)
    assert erase(user_id=full, actor=TESTER) == receipt
    assert len(list(read_tombstones())) == 2


# Keys first


def test_the_keys_go_before_the_first_row(full):
    """Whatever happens after, nothing opens: the rows are all there when the keys are not."""
    steps = erasure._steps(asked(full), TESTER)
    assert list(itertools.takewhile(lambda step: step != "keys", steps)) == ["begun", "buried"]
    with as_user(full):
        assert Memory.objects.of(full).count() == 4 and Passage.objects.of(full).count() == 4
        assert not UserKey.objects.of(full).filter(destroyed_at=None).exists()


def test_the_tombstone_is_on_disk_before_the_keys_go(full):
    steps = erasure._steps(asked(full), TESTER)
    assert [next(steps), erased_people(), next(steps), erased_people()] == ["begun", set(), "buried", {full}]
    with as_user(full):
        assert UserKey.objects.of(full).filter(destroyed_at=None).exists()


def test_the_database_holds_the_order(full):
    """No role deletes a person without an erasure that has begun, nor one whose keys are there."""
    delete = f"DELETE FROM users WHERE id = '{full}'"
    with pytest.raises(DatabaseError, match="goes by an erasure"), transaction.atomic(), as_system():
        connection.cursor().execute(delete)
    next(erasure._steps(asked(full), TESTER))
    with pytest.raises(DatabaseError, match="after their data keys"), transaction.atomic(), as_system():
        connection.cursor().execute(delete)
    with unprotected("users", row_security=False, triggers="users_leave_by_erasure"):
        with pytest.raises(DatabaseError, match="after their data keys"), transaction.atomic(), as_system():
            connection.cursor().execute(delete)  # the guard of the keys holds alone
        with unprotected("user_keys", row_security=False, triggers="user_keys_destroyed_first"), as_system():
            cursor = connection.cursor()
            cursor.execute(delete)
            assert cursor.rowcount == 1, "the control: it is the triggers that hold it"


@pytest.mark.parametrize("role", ["user", "support", "staff"])
def test_no_other_role_deletes_a_person(full, role):
    scope = {"user": as_user(full), "support": as_support(), "staff": as_staff()}[role]
    next(erasure._steps(asked(full), TESTER))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE user_keys SET wrapped = NULL, destroyed_at = now()")
    try:
        with transaction.atomic(), scope:
            connection.cursor().execute("DELETE FROM users")
    except DatabaseError as problem:
        assert "permission denied" in str(problem)
    with as_system():
        assert User.objects.filter(pk=full).exists()


def test_staff_can_still_be_deleted(supporter):
    with as_staff():
        assert User.objects.filter(pk=supporter.pk)._raw_delete("default") == 1


def test_a_finished_erasure_stays(full):
    gone(full)
    for statement in (
        "DELETE FROM erasures",
        "UPDATE erasures SET receipt = '{}'",
        "UPDATE erasures SET due_at = now()",
    ):
        with pytest.raises(DatabaseError, match="stays"), transaction.atomic(), as_system():
            connection.cursor().execute(statement)


# Killed


def test_killed_after_any_step_it_goes_on_and_the_counts_are_the_same(tell, monkeypatch):
    """The same person again and again, stopped one commit later each time."""
    monkeypatch.setattr(erasing, "BATCH", 1)
    whole = None
    for stop in range(100):
        who = ensure_person(profile=Profile(f"again-{stop}"), actor=TESTER)
        tell(who, "lisbon", [("Ada", "I moved to Lisbon.")])
        with as_user(who):
            conversation = Conversation.objects.of(who).values_list("pk", flat=True).get()
        build_conversation(who, conversation)
        request_export(user_id=who, actor=TESTER)
        steps = erasure._steps(asked(who), TESTER)
        done = list(itertools.islice(steps, stop))
        steps.close()
        receipt = erase(user_id=who, actor=TESTER)
        assert beside_the_trail(everywhere(str(who))) == set(), done
        whole = whole or receipt["removed"]
        assert receipt["removed"] == whole, done
        verify(receipt)
        if done and done[-1] == "finished":
            break
    assert stop > 10


def test_a_step_that_fails_is_taken_back_whole(full, monkeypatch):
    """A batch and its count stand or fall together."""

    def breaks(*_):
        raise RuntimeError

    monkeypatch.setattr(erasing, "delete_admin_log_entries", breaks)
    with pytest.raises(RuntimeError):
        gone(full)
    with as_user(full):
        assert Passage.objects.of(full).count() == 4
    monkeypatch.undo()
    assert gone(full)["removed"]["passages"] == 4


def test_one_that_fails_keeps_nobody_waiting(full, jonas, monkeypatch):
    keep = erasing.delete_batch

    def breaks(model, user_id):
        if user_id == full:
            raise StillRunning()
        return keep(model, user_id)

    asked(full), asked(jonas)
    monkeypatch.setattr(erasing, "delete_batch", breaks)
    with pytest.raises(StillRunning):
        erase_due(actor=TESTER)
    monkeypatch.undo()
    assert receipt_of(jonas)["removed"]["users"] == 1
    assert erase_due(actor=TESTER) == [full]


def start_job(user_id, *, alive):
    """A job of the person that a worker has taken up."""
    with as_system():
        job = app.configure_task("stories.build", queue="stories").defer(user_id=str(user_id), conversation_id="-")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s * interval '1 minute') "
                "RETURNING id",
                [0 if alive else 5],
            )
            cursor.execute(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s",
                [*cursor.fetchone(), job],
            )
    return job


def test_a_job_that_runs_is_waited_for(full, monkeypatch):
    monkeypatch.setattr(erasure, "PATIENCE", 0.1)
    job = start_job(full, alive=True)
    with pytest.raises(StillRunning):
        gone(full)
    with as_user(full), pytest.raises(DataKeyMissing):
        from accounts.keys.services.data_keys import open_vault

        open_vault()
    with as_system():
        ProcrastinateJob.objects.filter(pk=job)._raw_delete("default")
    gone(full)


def test_a_job_of_a_dead_worker_is_not(full, monkeypatch):
    monkeypatch.setattr(erasure, "PATIENCE", 0.1)
    start_job(full, alive=False)
    assert gone(full)["removed"]["procrastinate_jobs"] >= 1


# The receipt


def test_the_receipt_verifies_and_is_in_the_trail(full):
    receipt = gone(full)
    verify(receipt)
    assert verify_all() == 1
    assert json.loads(json.dumps(receipt)) == receipt == receipt_of(full)
    with as_system():
        (told,) = AuditLog.objects.about(full).filter(action="erasure.finish")
        assert told.details["receipt"] == receipt
        actions = AuditLog.objects.about(full).order_by("at").values_list("action", flat=True)
        wanted = ["erasure.request", "person.deactivate", "erasure.begin", "keys.destroy", "erasure.finish"]
        assert [action for action in actions if action in wanted] == [wanted[1], wanted[0], *wanted[2:]]


@pytest.mark.parametrize("change", ["removed", "person", "at", "key", "signature", "kind", "more"])
def test_a_receipt_that_was_altered_does_not_verify(full, jonas, change):
    receipt = gone(full)
    given = {
        "removed": {**receipt["removed"], "encrypted_memories": 3},
        "person": str(jonas),
        "at": timezone.now().isoformat(),
        "key": "00" * 8,
        "signature": "00" * 64,
        "kind": "begun",
        "more": 1,
    }[change]
    with pytest.raises(ReceiptBroken):
        verify({**receipt, change: given})


def test_a_receipt_that_we_signed_but_the_trail_does_not_know_does_not_verify(full):
    receipt = gone(full)
    forged = {name: value for name, value in receipt.items() if name not in ("key", "signature")}
    with pytest.raises(ReceiptBroken, match="trail"):
        verify(sign_statement({**forged, "removed": {}}))


def test_a_receipt_does_not_verify_while_something_is_left(full):
    receipt = gone(full)
    with as_system():
        app.configure_task("stories.build", queue="stories").defer(user_id=str(full), conversation_id="-")
    with pytest.raises(ReceiptBroken, match="procrastinate_jobs"):
        verify(receipt)


@pytest.mark.parametrize("junk", [None, {}, [], "x", {"signature": "zz", "key": "00"}, {"signature": 1, "key": 2}])
def test_junk_is_no_receipt(junk):
    assert not signature_holds(junk)


# After a restore


def bring_back(user_id):
    """As an older backup would: the person is there again, and what the database knew of the erasure is not."""
    with unprotected("erasures", row_security=False, triggers="USER") as cursor:
        cursor.execute("DELETE FROM erasures WHERE person = %s", [user_id])
    come_back(user_id)


def come_back(user_id):
    with unprotected("users") as cursor:
        cursor.execute(
            "INSERT INTO users (id, firebase_uid, email, email_verified, password, is_active, is_staff, is_superuser, "
            "updated_at) VALUES (%s, 'ada', NULL, false, '!', true, false, false, now())",
            [user_id],
        )


def warnings():
    return [
        message.id for message in run_checks(tags=[Tags.database], databases=["default"]) if "accounts" in message.id
    ]


def test_who_comes_back_with_a_backup_is_erased_again(full):
    gone(full)
    assert (unfinished_erasures(), warnings()) == (set(), [])
    bring_back(full)
    assert (unfinished_erasures(), warnings()) == ({full}, ["accounts.W001"])
    told = StringIO()
    call_command("erase_again", stdout=told)
    assert told.getvalue() == "1 people were erased again.\n"
    assert (unfinished_erasures(), warnings(), erase_again(actor=TESTER)) == (set(), [], [])
    assert beside_the_trail(everywhere(str(full))) == set()
    assert verify_all() == 1


def test_who_comes_back_while_the_tombstone_is_there_is_erased_again(full):
    gone(full)
    come_back(full)
    assert unfinished_erasures() == {full}
    assert erase_again(actor=TESTER) == [full]
    assert verify_all() == 1


def test_who_is_back_is_erased_again_before_anybody_is_served(full):
    gone(full)
    come_back(full)
    [finding] = upkeep.people()
    assert finding.do == "manage.py erase_again"
    said = []
    erase_who_is_back(said.append)
    erase_who_is_back(said.append)
    assert said == ["1 people who had been erased were back, and are erased again."]
    assert (unfinished_erasures(), list(upkeep.people())) == (set(), [])


def test_an_erasure_that_the_backup_caught_half_done_is_finished(full):
    steps = erasure._steps(asked(full), TESTER)
    assert next(steps) == "begun"
    steps.close()
    assert unfinished_erasures() == set(), "under way is not owed"
    assert erase_again(actor=TESTER) == [full]


def test_without_the_file_an_older_backup_would_bring_them_back(full, settings):
    """The control: it is the file outside the database that knows."""
    gone(full)
    bring_back(full)
    settings.ERASURES_FILE.unlink()
    assert unfinished_erasures() == set()


def test_a_line_that_was_not_signed_here_erases_nobody(jonas, settings):
    add_tombstone({**sign_statement({"kind": "begun", "person": str(uuid4())}), "person": str(jonas)})
    with pytest.raises(TombstoneBroken, match="Line 1"):
        erase_again(actor=TESTER)
    with as_system():
        assert User.objects.filter(pk=jonas).exists()


def test_half_a_line_is_passed_over_and_the_next_begins_anew(settings):
    first, second = uuid4(), uuid4()
    add_tombstone(sign_statement({"kind": "begun", "person": str(first)}))
    with settings.ERASURES_FILE.open("a") as file:
        file.write('{"kind": "beg')
    add_tombstone(sign_statement({"kind": "begun", "person": str(second)}))
    assert erased_people() == {first, second}
    assert settings.ERASURES_FILE.stat().st_mode & 0o777 == 0o600


# The command


def told_by(command, *arguments):
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_the_command_asks_waits_cancels_and_erases(full, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("erase_user", "ada")
    monkeypatch.setattr("builtins.input", lambda _: str(full))
    assert "will be erased after" in told_by("erase_user", "ada@example.com")
    assert "cancelled" in told_by("erase_user", "ada", "--cancel")
    said = told_by("erase_user", f"id:{full}", "--now", "--yes")
    assert f"Person {full} is erased" in said and "4 encrypted_memories" in said
    assert told_by("verify_receipt") == "1 receipts hold.\n"
    assert json.loads(told_by("verify_receipt", str(full)))["person"] == str(full)


def test_the_job_erases_whose_time_has_come(full, jonas, settings):
    asked(full)
    request_erasure(user_id=jonas, actor=TESTER)
    tasks.erase_due(0)
    with as_system():
        assert list(User.objects.filter(is_staff=False).values_list("pk", flat=True)) == [jonas]
        assert Erasure.objects.filter(finished_at=None).get().person == jonas
    assert isinstance(receipt_of(full)["person"], str) and UUID(receipt_of(full)["person"]) == full
