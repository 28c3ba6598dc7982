"""Rotation: with the server running and killed in between, every person's key and name end under the new master key."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.keys.master_key import key_address, ring
from accounts.keys.services.data_keys import destroy_data_keys, open_vault, renew_data_key
from accounts.keys.services.rotation import COLUMNS, START, WrappedColumn, rewrap_after, rewrap_column, values_to_rewrap
from accounts.models import User, UserKey
from accounts.people.services.people import Profile, ensure_person, open_name
from audit.models import AuditLog
from tests.cast import TESTER
from tests.processes import PATIENCE
from tests.protections import unprotected
from vibe.core.crypto.errors import MasterKeyMissing
from vibe.core.crypto.fields import WrappedField
from vibe.core.crypto.master import FERNET_VERSION, VERSION
from vibe.core.crypto.seal import Sealed, derive
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.doctor import keys as doctor

ROOT = Path(__file__).resolve().parent.parent
OLD, NEW, THIRD = (hashlib.sha256(f"{name} of these tests".encode()).hexdigest() for name in ("old", "new", "third"))


@pytest.fixture
def old_ring(settings):
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = OLD, ""


def people(count):
    """So many people with a key and a name each; the last has renewed, and one has no name."""
    made = [
        ensure_person(profile=Profile(f"uid-{at}", name=f"Name {at}" if at else None), actor=TESTER)
        for at in range(count)
    ]
    renew_data_key(user_id=made[-1], actor=TESTER)
    return made


def roots(users):
    """What opens of each: a blind value, which hangs on the data key, the newest generation, and the name."""
    found = []
    for user_id in users:
        with as_user(user_id):
            vault = open_vault()
            name = open_name(User.objects.only("pk", "name").get(pk=user_id))
            found.append((vault.index.token("word", "lisbon"), vault.generation, name))
    return found


def rotate(**options):
    told = StringIO()
    call_command("rotate_keys", stdout=told, **options)
    return told.getvalue()


def test_every_wrapped_column_of_the_project_is_rotated():
    wrapped = {
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, WrappedField)
    }
    assert {str(column) for column in COLUMNS} == wrapped


def test_rotated_everything_opens_and_the_retired_key_can_go(db, old_ring, settings):
    users = people(12)
    before = roots(users)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    assert values_to_rewrap() == 13 + 11
    assert "24 wrapped values" in rotate(dry_run=True)
    assert values_to_rewrap() == 24
    assert "Retired keys can be removed" in rotate(batch=5)
    assert values_to_rewrap() == 0
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, ""
    assert roots(users) == before
    with as_support():
        rows = AuditLog.objects.filter(action="keys.rotate")
        counted = {(row.actor, row.resource): 0 for row in rows}
        for row in rows:
            counted[row.actor, row.resource] += row.details["rewrapped"]
    assert counted == {("rotate_keys", "user_keys.wrapped"): 13, ("rotate_keys", "users.name"): 11}


def test_values_of_the_earlier_form_are_wrapped_anew_under_the_same_key(db, old_ring):
    users = people(2)
    before = roots(users)
    fernet = Fernet(base64.urlsafe_b64encode(derive(bytes.fromhex(OLD), "wrap")))
    with as_system():
        row = UserKey.objects.of(users[0]).get()
        here = key_address(row)
        place = here.associated_data()
        token = fernet.encrypt(len(place).to_bytes(2, "big") + place + ring().unwrap(row.wrapped, here))
        row.wrapped = Sealed(FERNET_VERSION + ring().current.id + base64.urlsafe_b64decode(token))
        row.save(update_fields=["wrapped"])
    assert roots(users) == before
    assert [finding.what.split()[0] for finding in doctor.retired()] == ["1"]
    rotate()
    with as_system():
        assert UserKey.objects.of(users[0]).get().wrapped.ciphertext.startswith(VERSION)
    assert roots(users) == before
    assert not list(doctor.retired())


def test_without_rotation_the_retired_key_is_needed(db, old_ring, settings):
    """The negative control."""
    users = people(2)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, ""
    with pytest.raises(MasterKeyMissing, match=r"user_keys\.wrapped"):
        roots(users)


def test_rotating_again_changes_nothing(db, old_ring, settings):
    people(3)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    rotate()
    with as_system():
        before = dict(UserKey.objects.values_list("pk", "wrapped"))
    rotate()
    with as_system():
        assert dict(UserKey.objects.values_list("pk", "wrapped")) == before


def test_several_retired_keys_end_under_one(db, old_ring, settings):
    users = people(2)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    users += [ensure_person(profile=Profile("later", name="Later"), actor=TESTER)]
    before = roots(users)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = THIRD, f"{OLD},{NEW}"
    rotate()
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = THIRD, ""
    assert roots(users) == before


def test_a_destroyed_key_stays_destroyed(db, old_ring, settings):
    users = people(3)
    destroy_data_keys(user_id=users[0], actor=TESTER)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    rotate()
    with as_system():
        assert UserKey.objects.get(user_id=users[0]).wrapped is None


def test_a_missing_retired_key_is_named_and_nothing_is_touched(db, old_ring, settings):
    people(3)
    missing = ring().current.id.hex()
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = THIRD, OLD
    people_of_third = ensure_person(profile=Profile("third", name="Third"), actor=TESTER)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, THIRD
    with pytest.raises(MasterKeyMissing) as caught:
        rotate()
    assert f"4 in user_keys.wrapped under master key {missing}" in str(caught.value)
    assert f"2 in users.name under master key {missing}" in str(caught.value)
    assert "ENCRYPTION_KEYS_RETIRED" in str(caught.value)
    assert OLD not in str(caught.value)
    assert values_to_rewrap() == 8
    with pytest.raises(CommandError, match="6 values do not open"):
        rotate(skip_missing=True)
    assert values_to_rewrap() == 6
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, ""
    assert roots([people_of_third])[0][2] == "Third"


def test_a_value_that_does_not_open_is_named_and_holds_nobody_up(db, old_ring, settings):
    users = people(5)
    with unprotected("user_keys") as cursor:
        cursor.execute(
            "UPDATE user_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) "
            "WHERE user_id = %s RETURNING id",
            [users[1]],
        )
        (broken,) = cursor.fetchone()
    with as_system():
        User.objects.filter(pk=users[2]).update(name=Sealed(b"a name in the clear"))
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    told = StringIO()
    with pytest.raises(CommandError, match="2 values do not open"):
        rotate(stderr=told, batch=2)
    assert f"user_keys.wrapped of row {broken}" in told.getvalue()
    assert f"users.name of row {users[2]}" in told.getvalue()
    assert "in the clear" not in told.getvalue()
    assert values_to_rewrap() == 2


def test_an_empty_database_is_rotated(db):
    assert "Retired keys can be removed" in rotate()
    with pytest.raises(CommandError, match="--batch"):
        rotate(batch=0)


def test_each_row_is_looked_at_once(db, old_ring, settings, django_assert_max_num_queries):
    """A walk continues where it was, so a million people are one scan. A batch's round trips do not grow with rows."""
    people(30)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    batches = list(rewrap_column(actor=TESTER, size=10))
    assert [batch.done for batch in batches] == [10, 10, 10, 1, 0, 10, 10, 9, 0, 0, 0, 0, 0]
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = THIRD, f"{OLD},{NEW}"
    with django_assert_max_num_queries(12):
        rewrap_after(COLUMNS[0], START, actor=TESTER, size=1000)


def test_what_somebody_else_has_written_meanwhile_stays(committed, old_ring, settings, monkeypatch):
    users = people(4)
    before = roots(users)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    replace, written = WrappedColumn.replace, []

    def write() -> None:
        with as_system():
            key = UserKey.objects.of(users[0]).get()
            here = key_address(key)
            key.wrapped = ring().wrap(ring().unwrap(key.wrapped, here), here)
            key.save(update_fields=["wrapped"])
            written.append(key.wrapped)
        connection.close()

    def late(column, *given):
        if not written:
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return replace(column, *given)

    monkeypatch.setattr(WrappedColumn, "replace", late)
    assert sum(batch.done for batch in rewrap_column(actor=TESTER)) == 8 - 1
    with as_system():
        assert UserKey.objects.of(users[0]).get().wrapped == written[0]
    assert values_to_rewrap() == 0
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, ""
    assert roots(users) == before


def test_while_a_batch_is_open_others_may_refer_to_its_rows(committed, old_ring, settings, tell):
    """FOR UPDATE would keep every insert of these people's conversations waiting."""
    users = people(2)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    done = threading.Event()

    def insert() -> None:
        tell(users[0], "first", [("Ada", "While it rotates.")])
        done.set()
        connection.close()

    with transaction.atomic():
        for column in COLUMNS:
            rewrap_after(column, START, actor=TESTER, size=10)
        writer = threading.Thread(target=insert)
        writer.start()
        assert done.wait(PATIENCE)
    writer.join()


def test_readers_read_through_a_rotation_that_is_killed_and_resumed(committed, old_ring, settings):
    """The rotator is a process of its own, killed without warning while it works; the readers are this one."""
    users = people(60)
    before = roots(users)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    stop, failures, reads = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            for user_id, expected in zip(users, before, strict=True):
                try:
                    reads.append(roots([user_id]) == [expected])
                except Exception as problem:
                    failures.append(problem)
                if stop.is_set():
                    break
        connection.close()

    readers = [threading.Thread(target=read)]
    for reader in readers:
        reader.start()
    try:
        left = [values_to_rewrap()]
        for _ in range(2):
            run_a_rotator_and_kill_it()
            left.append(values_to_rewrap())
        assert left[0] > left[1] > left[2] > 0, "the rotator was to be killed in the middle"
        assert "Retired keys can be removed" in rotate(batch=10)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert not failures
    assert len(reads) > 20
    assert all(reads)
    assert values_to_rewrap() == 0
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, ""
    assert roots(users) == before


SLOW_ROTATOR = """
import os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "vibe.settings"
import django; django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
from accounts.keys.services.rotation import rewrap_column
from audit.actors import Actor
for batch in rewrap_column(actor=Actor.system("rotate_keys"), size=5):
    print(batch.done, flush=True)
    time.sleep(0.02)
"""


def run_a_rotator_and_kill_it():
    """In another process, on the tests' database, until it has done a few batches."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_ROTATOR, connection.settings_dict["NAME"]],
        cwd=ROOT,
        env={**os.environ, "ENCRYPTION_KEY": NEW, "ENCRYPTION_KEYS_RETIRED": OLD},
        stdout=subprocess.PIPE,
    ) as rotator:
        for _ in range(3):
            assert rotator.stdout.readline()
        rotator.kill()
