"""Keys of people, and keys of the installation: made, renewed, destroyed, missing."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection, transaction

from accounts.keys.master_key import ring
from accounts.keys.services.data_keys import destroy_data_keys, open_vault, renew_data_key
from accounts.models import User, UserKey
from accounts.people.services.people import Profile, ensure_person, open_name
from audit.models import AuditLog
from memories.models import Memory
from memories.payload import open_memories
from tests.cast import TESTER
from tests.crypto.test_master import BAD_KEYS
from tests.processes import PATIENCE
from tests.protections import unprotected
from vibe.core.crypto.errors import DataKeyMissing, FormatUnknown, MasterKeyMissing, SealBroken
from vibe.core.crypto.seal import Sealed, generation_of
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.core.errors import ConfigurationError, InputError
from vibe.core.state import FILE, load_or_make_secrets

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["ENCRYPTION_KEY", "SECRET_KEY", "AUDIT_SIGNING_KEY"]
STRONG = {name: hashlib.sha256(f"{name} of these tests".encode()).hexdigest() for name in NAMES}


def said(user_id):
    """What a person's memories say, opened."""
    with as_user(user_id):
        return [each.payload.text for each in open_memories(Memory.objects.of(user_id).order_by("pk"), open_vault())]


def recorded(action):
    with as_support():
        return AuditLog.objects.get(action=action)


# Data keys


def test_a_renewed_key_seals_from_now_on_and_what_was_there_opens(ada, tell):
    tell(ada, "first", [("Ada", "Before the renewal.")])
    with as_user(ada):
        before = open_vault()
    assert renew_data_key(user_id=ada, actor=TESTER) == 2
    tell(ada, "second", [("Ada", "After the renewal.")])
    assert said(ada) == ["Before the renewal.", "After the renewal."]
    with as_user(ada):
        stored = Memory.objects.of(ada).order_by("pk").values_list("payload", flat=True)
        assert [generation_of(each.ciphertext) for each in stored] == [1, 2]
        after = open_vault()
    assert after.index.token("word", "lisbon") == before.index.token("word", "lisbon")
    assert after.cloak(16) is before.cloak(16)
    row = recorded("keys.renew")
    assert (row.subject, row.actor, row.details) == (ada, "tests", {"generation": 2})
    assert renew_data_key(user_id=ada, actor=TESTER) == 3


def test_a_renewal_of_one_person_is_nothing_to_another(ada, jonas):
    renew_data_key(user_id=ada, actor=TESTER)
    with as_user(jonas):
        assert open_vault().generation == 1


def test_renewals_at_once_wait_for_each_other(committed):
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    made, ready = [], threading.Barrier(4)

    def renew() -> None:
        ready.wait()
        made.append(renew_data_key(user_id=ada, actor=TESTER))
        connection.close()

    threads = [threading.Thread(target=renew) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [2, 3, 4, 5]


def test_a_destroyed_key_opens_nothing_again(ada, jonas, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    tell(jonas, "first", [("Jonas", "I bought a boat.")])
    renew_data_key(user_id=ada, actor=TESTER)
    assert destroy_data_keys(user_id=ada, actor=TESTER) == 2
    with pytest.raises(DataKeyMissing, match=f"user_keys.*{ada}"):
        said(ada)
    with pytest.raises(DataKeyMissing, match=str(ada)):
        renew_data_key(user_id=ada, actor=TESTER)
    with as_user(ada):
        assert open_name(User.objects.only("pk", "name").get(pk=ada)) == ""
    assert said(jonas) == ["I bought a boat."]
    row = recorded("keys.destroy")
    assert (row.subject, row.details) == (ada, {"destroyed": 2})
    assert destroy_data_keys(user_id=ada, actor=TESTER) == 0


def test_coming_back_after_destruction_makes_no_new_key(ada):
    destroy_data_keys(user_id=ada, actor=TESTER)
    assert ensure_person(profile=Profile("ada"), actor=TESTER) == ada
    with as_user(ada), pytest.raises(DataKeyMissing):
        open_vault()


def test_a_person_without_a_key_is_an_error_that_names_them(ada, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    with unprotected("user_keys", triggers="USER") as cursor:
        cursor.execute("DELETE FROM user_keys")
    with pytest.raises(DataKeyMissing, match=f"user_keys.*{ada}"):
        said(ada)
    nobody = uuid4()
    with as_user(nobody), pytest.raises(DataKeyMissing, match=f"user_keys.*{nobody}"):
        open_vault()


def test_without_the_first_key_nothing_is_searched_under_another(ada):
    """Its root is what index and cloak hang on: a vault made of the second alone would silently find nothing."""
    renew_data_key(user_id=ada, actor=TESTER)
    with unprotected("user_keys", triggers="USER") as cursor:
        cursor.execute("DELETE FROM user_keys WHERE generation = 1")
    with as_user(ada), pytest.raises(DataKeyMissing, match=str(ada)):
        open_vault()


def test_a_master_key_that_is_not_configured_is_named(ada, settings):
    needed = ring().current.id.hex()
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    with as_user(ada), pytest.raises(MasterKeyMissing, match=rf"user_keys\.wrapped of row .*{needed}"):
        open_vault()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("wrapped = (SELECT wrapped FROM user_keys WHERE user_id = %(jonas)s)", SealBroken),
        ("wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)", SealBroken),
        ("wrapped = set_byte(wrapped, 3, get_byte(wrapped, 3) # 1)", MasterKeyMissing),
        ("wrapped = 'a plaintext of thirty-two bytes!'", FormatUnknown),
        ("generation = 2", SealBroken),
        ("id = gen_random_uuid()", SealBroken),
    ],
)
def test_a_wrapped_key_that_was_meddled_with_is_named(ada, jonas, change, error):
    with unprotected("user_keys") as cursor:
        cursor.execute(f"UPDATE user_keys SET {change} WHERE user_id = %(ada)s", {"ada": ada, "jonas": jonas})
    with as_user(ada):
        (row,) = UserKey.objects.of(ada)
        with pytest.raises(error, match=f"user_keys.wrapped of row {row.pk}") as caught:
            open_vault()
    assert "plaintext of" not in str(caught.value)


def test_a_name_with_a_lone_surrogate_makes_no_person(db):
    with pytest.raises(InputError, match=r"users\.name"), transaction.atomic():
        ensure_person(profile=Profile("ada", name="Ada \udcff"), actor=TESTER)
    with as_system():
        assert not User.objects.filter(firebase_uid="ada").exists()


def test_a_value_that_is_no_seal_does_not_open_as_a_name(ada):
    with as_system():
        User.objects.update(name=Sealed(b"Ada Tavares"))
    with as_user(ada), pytest.raises(FormatUnknown, match=f"users.name of row {ada}") as caught:
        open_name(User.objects.only("pk", "name").get())
    assert "Tavares" not in str(caught.value)


# The settings


def start(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a process with this environment and nothing of ours."""
    return subprocess.run(
        [sys.executable, *(command or ("manage.py", "check"))],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VIBE_STATE_DIR": str(tmp_path / "state"), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def refused(ran: subprocess.CompletedProcess[str], setting: str, value: str) -> bool:
    shown = ran.stdout + ran.stderr
    return ran.returncode != 0 and setting in ran.stderr and (not value or value not in shown)


def test_in_production_strong_keys_start(tmp_path):
    ran = start(tmp_path, DEBUG="off", ALLOWED_HOSTS="vibe.example", **STRONG)
    assert ran.returncode == 0, ran.stderr
    assert not (tmp_path / "state" / FILE).exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ENCRYPTION_KEY", ""),
        ("ENCRYPTION_KEY", STRONG["ENCRYPTION_KEY"][:62]),
        ("ENCRYPTION_KEY", BAD_KEYS["sha256 of password"]),
        ("ENCRYPTION_KEYS_RETIRED", f"{STRONG['SECRET_KEY']},0badc0ffee"),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short-but-hard-Q7"),
        ("SECRET_KEY", "django-insecure-" + STRONG["SECRET_KEY"]),
        ("AUDIT_SIGNING_KEY", ""),
    ],
)
def test_in_production_a_missing_or_weak_key_stops_the_start_by_name(tmp_path, setting, value):
    ran = start(tmp_path, DEBUG="off", ALLOWED_HOSTS="vibe.example", **{**STRONG, setting: value})
    assert refused(ran, setting, value), ran.stderr
    assert not (tmp_path / "state").exists()


def test_a_key_with_a_dollar_in_front_is_itself_and_not_another_name(tmp_path):
    value = "$" + STRONG["SECRET_KEY"]
    ran = start(tmp_path, DEBUG="off", ALLOWED_HOSTS="vibe.example", **{**STRONG, "SECRET_KEY": value})
    assert ran.returncode == 0, ran.stderr


def test_in_development_keys_are_made_once_and_that_is_said(tmp_path):
    first, second = start(tmp_path), start(tmp_path)
    path = tmp_path / "state" / FILE
    kept = path.read_text()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stderr.count("Made development keys") == 1
    assert str(path) in first.stderr
    assert "Made development keys" not in second.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    made = dict(line.split("=") for line in kept.split())
    assert made.keys() == {*NAMES, "LOCAL_TOKEN_KEY"}
    assert not any(value in ran.stdout + ran.stderr for ran in (first, second) for value in made.values())


MAKE = (
    "import sys, pathlib; from vibe.core.state import load_or_make_secrets; "
    "print(load_or_make_secrets(pathlib.Path(sys.argv[1]), sys.argv[2:]))"
)


def test_processes_at_once_make_one_file(tmp_path):
    folder = tmp_path / "deep" / "state"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(folder), *NAMES], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(8)
    ]
    told = [process.communicate(timeout=PATIENCE) for process in started]
    assert len({out for out, _ in told}) == 1
    assert sum(b"Made development keys" in err for _, err in told) == 1
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_threads_at_once_make_one_file(tmp_path):
    made, ready = [], threading.Barrier(16)

    def make() -> None:
        ready.wait()
        made.append(load_or_make_secrets(tmp_path, NAMES))

    threads = [threading.Thread(target=make) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 16
    assert all(each == made[0] for each in made)


def test_a_file_of_an_earlier_version_is_added_to(tmp_path):
    (tmp_path / FILE).write_text("ENCRYPTION_KEY=ab")  # not even ended
    made = load_or_make_secrets(tmp_path, NAMES)
    assert made["ENCRYPTION_KEY"] == "ab"
    assert len(made["SECRET_KEY"]) == 64
    assert load_or_make_secrets(tmp_path, NAMES) == made


def test_an_empty_file_is_filled(tmp_path):
    (tmp_path / FILE).touch()
    assert load_or_make_secrets(tmp_path, NAMES).keys() == set(NAMES)


def test_a_file_that_others_could_read_is_closed_and_that_is_said(tmp_path, capsys):
    made = load_or_make_secrets(tmp_path, NAMES)
    (tmp_path / FILE).chmod(0o644)
    assert load_or_make_secrets(tmp_path, NAMES) == made
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert "could be read by other users" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigurationError, match="VIBE_STATE_DIR"):
        load_or_make_secrets(tmp_path, NAMES)
    (tmp_path / "not a folder").touch()
    with pytest.raises(ConfigurationError, match="VIBE_STATE_DIR"):
        load_or_make_secrets(tmp_path / "not a folder", NAMES)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / FILE).write_bytes(b"\xff\xfe=")
    with pytest.raises(ConfigurationError, match="VIBE_STATE_DIR"):
        load_or_make_secrets(tmp_path / "junk", NAMES)
