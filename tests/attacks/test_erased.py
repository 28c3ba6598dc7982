"""Attack: what is left of somebody who was erased, in the live database and in a backup from before.

The attacker holds the master key too: all that is kept from them are the wrapped data keys, which are gone from the
live database and kept apart from backups. docs/erasure.md says what an erasure promises.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg import sql

from accounts import tasks
from accounts.erasure import services as erasure
from accounts.erasure.proof import receipt_of, verify
from accounts.erasure.services import erase, request_erasure
from accounts.erasure.statistics import forget_samples
from accounts.export import files
from accounts.export.services import export_status, file_context, request_export
from accounts.keys.master_key import key_address, ring
from accounts.models import UserKey, UserPreferences
from accounts.people.services.people import Profile, ensure_person
from audit.sealing.services import seal
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.models import Conversation
from memories.payload import Payload
from tests.attacks.corpus import tries
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from tests.processes import PATIENCE, start, until, url
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.configured import embedded_server
from vibe.core.db.embedded.files import BINARIES
from vibe.core.db.schema.statistics import exclude_sealed_columns
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import VibeError

SAID = "I moved to Lisbon with Noor."
KILLS = tries(3, 40)
MESSAGES = tries(6_000, 60_000)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.EXPORT_DIR, settings.ERASURES_FILE = tmp_path / "exports", tmp_path / "erasures.jsonl"


@pytest.fixture
def told(committed):
    """Ada, told and exported, in a database where things are committed; beside her Jonas, who stays."""
    people = {}
    for name in ("ada", "jonas"):
        who = people[name] = ensure_person(profile=Profile(name, f"{name}@example.com", name.title()), actor=TESTER)
        line = ConversationLine(
            1, Profile("-"), "first", "Lisbon", "The move", DAY, (Message("m1", Payload("Ada", SAID), DAY),)
        )
        import_conversations(user_id=who, lines=[line], actor=TESTER)
        with as_user(who):
            conversation = Conversation.objects.of(who).values_list("pk", flat=True).get()
        build_conversation(who, conversation)
        tasks.export(str(who), str(request_export(user_id=who, actor=TESTER)))
    return people


def superuser(database):
    if not embedded_server():
        pytest.skip("asks as superuser, on the embedded server")
    return psycopg.connect(host=connection.settings_dict["HOST"], dbname=database, user="postgres", autocommit=True)


def keys_in(database, user_id):
    """The data keys of a person that a database holds, unwrapped by the master key."""
    with superuser(database) as postgres:
        rows = postgres.execute(
            "SELECT id, generation, wrapped FROM user_keys WHERE user_id = %s AND wrapped IS NOT NULL", [user_id]
        ).fetchall()
    return {
        generation: ring().unwrap(
            Sealed(wrapped), key_address(UserKey(id=row_id, user_id=user_id, generation=generation))
        )
        for row_id, generation, wrapped in rows
    }


def sealed_columns(postgres):
    """Table and column of every sealed value, by what the tables are."""
    found = postgres.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'bytea' AND table_name = ANY(%s)",
        [["conversations", "encrypted_memories", "stories", "entities"]],
    )
    return found.fetchall()


def opened(database, user_id, keys):
    """Whatever opens of a person with some keys, trying every sealed value at its own address."""
    texts = []
    vault = Vault(user_id, keys)
    with superuser(database) as postgres:
        for table, column in sealed_columns(postgres):
            revised = table != "entities"
            rows = postgres.execute(
                sql.SQL("SELECT id, {}, {} FROM {} WHERE user_id = %s").format(
                    sql.Identifier(column), sql.SQL("revision" if revised else "1"), sql.Identifier(table)
                ),
                [user_id],
            )
            for row_id, value, revision in rows.fetchall():
                try:
                    texts.append(vault.open(Sealed(value), Address(table, column, user_id, row_id, revision)))
                except (VibeError, TypeError):
                    continue
    return texts


def program(name, *arguments, **options):
    return subprocess.run(
        [str(BINARIES / name), "-h", str(connection.settings_dict["HOST"]), "-U", "postgres", *arguments],
        check=True, capture_output=True, **options,
    )  # fmt: skip


@pytest.fixture
def restored(told, tmp_path):
    """A backup of before the erasure, restored beside: once whole, once without the table of wrapped keys."""
    if not embedded_server():
        pytest.skip("makes databases of its own, on the embedded server")
    live = connection.settings_dict["NAME"]
    names = {"whole": f"{live}_whole", "keyless": f"{live}_keyless"}
    with superuser("postgres") as postgres:
        for kind, name in names.items():
            dump = tmp_path / f"{kind}.dump"
            apart = ["--exclude-table-data=user_keys"] if kind == "keyless" else []
            program("pg_dump", "-Fc", "-f", str(dump), *apart, live)
            postgres.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            postgres.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            program("pg_restore", "-d", name, str(dump))
        erase_now(told["ada"])
        yield names
        for name in names.values():
            postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def erase_now(user_id):
    request_erasure(user_id=user_id, actor=TESTER, at_once=True)
    return erase(user_id=user_id, actor=TESTER)


def test_nothing_opens_in_the_live_database_nor_in_a_backup_without_its_keys(told, restored):
    live, ada, jonas = connection.settings_dict["NAME"], told["ada"], told["jonas"]
    with superuser(live) as postgres:
        assert postgres.execute("SELECT count(*) FROM encrypted_memories WHERE user_id = %s", [ada]).fetchone() == (0,)
    assert keys_in(live, ada) == {}
    with superuser(restored["keyless"]) as postgres:
        there = postgres.execute("SELECT count(*) FROM encrypted_memories WHERE user_id = %s", [ada]).fetchone()
    assert there == (1,), "the sealed rows are there"
    assert keys_in(restored["keyless"], ada) == {}
    # With every key that can be had: those of others, of the live database and of both copies.
    for keys in (keys_in(live, jonas), keys_in(restored["whole"], jonas)):
        assert opened(restored["keyless"], ada, keys) == []


def test_with_its_keys_the_same_backup_opens(told, restored):
    """The negative control: it is the key that is missing, and the search for texts finds them."""
    keys = keys_in(restored["whole"], told["ada"])
    texts = opened(restored["keyless"], told["ada"], keys)
    assert any(SAID in text for text in texts) and "The move" in texts and len(texts) >= 8


def test_the_live_database_still_opens_for_the_other(told, restored):
    """The other control."""
    keys = keys_in(connection.settings_dict["NAME"], told["jonas"])
    assert any(SAID in text for text in opened(connection.settings_dict["NAME"], told["jonas"], keys))


def test_a_copy_of_the_sealed_export_opens_with_no_key_that_is_left(told):
    """Copied before the erasure, by whoever could read the folder."""
    live, ada = connection.settings_dict["NAME"], told["ada"]
    export_id = export_status(user_id=ada).pk
    copy, before = (settings.EXPORT_DIR / files.name_of(export_id)).read_bytes(), keys_in(live, ada)
    erase_now(ada)
    assert export_id not in files.ids_there() and keys_in(live, ada) == {}
    with pytest.raises(VibeError):
        read_copy(copy, ada, export_id, keys_in(live, told["jonas"]))
    assert SAID.encode() in read_copy(copy, ada, export_id, before), "the control: with the key of before it opens"


def read_copy(copy, user_id, export_id, keys):
    return b"".join(Vault(user_id, keys).files.open(BytesIO(copy), file_context(user_id, export_id)))


STILL_SEEN = """
    SELECT pg_snapshot_xmin(pg_current_snapshot()) <= %(now)s::xid8 OR EXISTS (
        SELECT FROM (
            SELECT backend_xmin FROM pg_stat_activity WHERE pid <> pg_backend_pid()
            UNION ALL SELECT xmin FROM pg_replication_slots
        ) AS seeing (oldest) WHERE age(oldest) >= age(%(now)s::xid8::xid)
    )
"""


def forgotten_by_all(postgres):
    """Wait for whoever might see what was there before: VACUUM FULL keeps it for them.

    Those are transactions of all databases, snapshots without a change of their own, and replicas that say what they
    read (hot_standby_feedback).
    """
    (now,) = postgres.execute("SELECT pg_current_xact_id()").fetchone()
    until(lambda: not postgres.execute(STILL_SEEN, {"now": now}).fetchone()[0])


# Not those that all databases share: whoever connects waits for VACUUM FULL of them, and that waits for transactions of
# other tests. One that waits for a process which is to connect would wait for good.
OWN_TABLES = (
    "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND NOT relisshared AND relpersistence <> 't'"
)


def in_server_files(needle):
    """How many of the server's files hold some bytes, after everything was written out and cleaned up."""
    name = connection.settings_dict["NAME"]
    with superuser(name) as postgres:
        forgotten_by_all(postgres)
        tables = ", ".join(table for (table,) in postgres.execute(OWN_TABLES))
        postgres.execute(f"VACUUM (FULL) {tables}")
        postgres.execute("CHECKPOINT")
        (oid,) = postgres.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
        (data,) = postgres.execute("SHOW data_directory").fetchone()
    return sum(needle in path.read_bytes() for path in Path(data, "base", str(oid)).iterdir() if path.is_file())


def test_after_a_vacuum_the_servers_files_do_not_hold_the_wrapped_key_nor_a_sealed_value(told):
    """The files that a thief of the disk reads past SQL."""
    with as_user(told["ada"]):
        wrapped = UserKey.objects.of(told["ada"]).get().wrapped.ciphertext
    with superuser(connection.settings_dict["NAME"]) as postgres:
        rows = postgres.execute("SELECT payload FROM encrypted_memories WHERE user_id = %s", [told["ada"]])
        ((payload,),) = rows.fetchall()
        postgres.execute("ANALYZE")  # as autovacuum does when it likes
    assert in_server_files(wrapped) and in_server_files(payload), "the control: they were found while they were there"
    erase_now(told["ada"])
    assert (in_server_files(wrapped), in_server_files(payload)) == (0, 0)


def test_control_what_analyze_sampled_of_a_wrapped_key_outlives_the_erasure(told, monkeypatch):
    """Were the column not kept out of the statistics, nor the table analyzed again."""
    monkeypatch.setattr(erasure, "forget_samples", list)
    with as_user(told["ada"]):
        wrapped = UserKey.objects.of(told["ada"]).get().wrapped.ciphertext
    with superuser(connection.settings_dict["NAME"]) as postgres:
        postgres.execute("ALTER TABLE user_keys ALTER COLUMN wrapped SET STATISTICS 100")
        try:
            postgres.execute("ANALYZE user_keys")
            erase_now(told["ada"])
            assert in_server_files(wrapped)
        finally:
            exclude_sealed_columns(using="default")
    assert not in_server_files(wrapped), "taken out, what was sampled before is gone too"


PERSONAL = (
    "ada@example.com",
    "uid-ada",
    "adas-own-id",
    "adas-message",
    "adas-theme",
    "203.0.113.77",
    "AdasBrowser/1.0",
)
KEPT = re.compile("audit_|erasures")  # the log stays: docs/erasure.md


@pytest.fixture
def known(committed):
    """Ada, with each value by which she is known, beside Jonas; both failed to sign in to the admin."""
    people = {}
    for name in ("ada", "jonas"):
        who = people[name] = ensure_person(profile=Profile(f"uid-{name}", f"{name}@example.com", name), actor=TESTER)
        said = tuple(Message(f"{name}s-message{at}", Payload(name, SAID), DAY) for at in range(3))
        line = ConversationLine(1, Profile("-"), f"{name}s-own-id", None, None, DAY, said)
        import_conversations(user_id=who, lines=[line], actor=TESTER)
        with as_user(who):
            UserPreferences(user_id=who, data={"look": f"{name}s-theme"}).save(force_insert=True)
        other = name != "ada"
        answer = Client(REMOTE_ADDR="198.51.100.7" if other else PERSONAL[5]).post(
            reverse("admin:login"),
            {"username": f"{name.upper()}@example.com", "password": "guessed"},
            headers={"user-agent": f"{name.title()}sBrowser/1.0"},
        )
        assert answer.status_code == 200
    return people


def where_found(needle):
    """The tables and columns that hold a value: any column of any table, and what ANALYZE copied of it."""
    with superuser(connection.settings_dict["NAME"]) as postgres:
        columns = postgres.execute(
            "SELECT c.oid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped"
        ).fetchall()
        found = {
            f"{table}.{column}"
            for table, column in columns
            if postgres.execute(
                sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE position(%s in {}::text) > 0)").format(
                    sql.SQL(table), sql.Identifier(column)
                ),
                [needle],
            ).fetchone()[0]
        }
        sampled = postgres.execute(
            "SELECT tablename || '.' || attname FROM pg_stats WHERE schemaname = 'public' AND position(%s in "
            "concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text)) > 0",
            [needle],
        ).fetchall()
    return {each for each in found if not KEPT.match(each)}, {each for (each,) in sampled if not KEPT.match(each)}


def analyzed():
    with superuser(connection.settings_dict["NAME"]) as postgres:
        postgres.execute("ANALYZE")


def test_no_column_of_any_table_holds_a_value_of_the_person_nor_do_the_statistics(known):
    analyzed()
    before = {value: where_found(value) for value in PERSONAL}
    assert all(rows for rows, _ in before.values()), "the control: each was there"
    sampled = set().union(*(samples for _, samples in before.values()))
    assert sampled >= {"users.email", "users.firebase_uid", "conversations.external_id", "axes_accessattempt.username"}
    others, _ = where_found("jonas@example.com")
    erase_now(known["ada"])
    assert {value: where_found(value) for value in PERSONAL} == dict.fromkeys(PERSONAL, (set(), set()))
    assert where_found("jonas@example.com")[0] == others, "the other control: those of others stay"
    assert not any(in_server_files(value.encode()) for value in PERSONAL[:4])


@pytest.mark.parametrize(
    ("protection", "left"),
    [
        ("accounts.erasure.services.forget_samples", "conversations.external_id"),
        ("accounts.erasure.deleting.sign_in_tables", "axes_accessattempt.username"),
    ],
)
def test_control_without_either_a_value_stays(known, monkeypatch, protection, left):
    analyzed()
    monkeypatch.setattr(protection, list)
    erase_now(known["ada"])
    assert left in set().union(*(found for value in PERSONAL for found in where_found(value)))


def test_samples_are_forgotten_once(known):
    """By the next run, where the process died between; and not again while nobody else was erased."""
    analyzed()
    assert forget_samples() == []
    erase_now(known["ada"])
    assert forget_samples() == []


def rows_of(user_id):
    """Tables and how many rows name the person, over the whole catalog, by their text."""
    found = {}
    with superuser(connection.settings_dict["NAME"]) as postgres:
        tables = postgres.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            (number,) = postgres.execute(
                f"SELECT count(*) FROM {table} AS t WHERE t::text ~ %s", [f"{user_id}|{user_id.hex}"]
            ).fetchone()
            found[table] = number
    return {table: number for table, number in found.items() if number and not re.match("audit_logs|erasures", table)}


def test_the_erasing_process_killed_again_and_again_leaves_nothing(committed, settings):
    """kill -9 at a random moment, then once more, until it is done: no row left, no batch counted twice."""
    ada = ensure_person(profile=Profile("ada", "ada@example.com", "Ada"), actor=TESTER)
    messages = tuple(Message(f"m{at}", Payload("Ada", SAID), DAY) for at in range(MESSAGES))
    import_conversations(
        user_id=ada, lines=[ConversationLine(1, Profile("-"), "c", None, None, DAY, messages)], actor=TESTER
    )
    request_erasure(user_id=ada, actor=TESTER, at_once=True)
    assert rows_of(ada)["encrypted_memories"] == MESSAGES
    environment = {
        "DATABASE_URL": url(),
        "ERASURES_FILE": str(settings.ERASURES_FILE),
        "EXPORT_DIR": str(settings.EXPORT_DIR),
    }
    for attempt in range(KILLS):
        process = start("erase_user", f"id:{ada}", "--now", "--yes", **environment)
        killed_while_deleting(process, ada, attempt)
        process.communicate()
    receipt = erase(user_id=ada, actor=TESTER)
    assert rows_of(ada) == {}
    assert receipt["removed"]["encrypted_memories"] == MESSAGES
    assert receipt["removed"]["users"] == receipt["removed"]["user_keys"] == 1
    verify(receipt_of(ada))


def killed_while_deleting(process, ada, attempt):
    """Let it get so far as to have begun, then a little further each time, and kill it."""
    patience = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < patience:
        with as_system():
            begun = erasure.get_erasure(ada).removed
        if begun or not keys_there(ada):
            break
        time.sleep(0.01)
    time.sleep(0.02 * (attempt % 5))
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)


def keys_there(user_id):
    with as_system():
        return UserKey.objects.of(user_id).filter(destroyed_at=None).exists()


def test_two_who_erase_at_once_count_nothing_twice(committed):
    ada = ensure_person(profile=Profile("ada", "ada@example.com", "Ada"), actor=TESTER)
    messages = tuple(Message(f"m{at}", Payload("Ada", SAID), DAY) for at in range(5_000))
    import_conversations(
        user_id=ada, lines=[ConversationLine(1, Profile("-"), "c", None, None, DAY, messages)], actor=TESTER
    )
    request_erasure(user_id=ada, actor=TESTER, at_once=True)
    problems = []

    def work():
        try:
            erase(user_id=ada, actor=TESTER)
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    receipt = receipt_of(ada)
    assert receipt["removed"]["encrypted_memories"] == 5_000 and receipt["removed"]["users"] == 1
    seal()
    verify(receipt)
