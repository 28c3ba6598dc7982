"""A backup comes back whole: the same rows, the same walls, and everything in it opens."""

from __future__ import annotations

import pytest
from django.db import connection

from accounts.erasure.services import erase, request_erasure
from accounts.keys.master_key import ring
from accounts.keys.services.data_keys import open_vault
from accounts.models import User, UserKey
from audit.models import AuditLog
from memories.models import Conversation, Memory
from tests.backup.conftest import databases, quiet
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.backup import server
from vibe.backup.archive import Manifest, verified
from vibe.backup.services import drill, keys_beside, restore, take
from vibe.core.crypto.fields import address_of
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import InputError, Refused

pytestmark = pytest.mark.usefixtures("leaves_no_database")


def read_everything(user_id):
    with as_user(user_id):
        vault = open_vault()
        rows = Memory.objects.of(user_id).order_by("occurred_at")
        return [vault.open(row.payload, address_of(row, "payload")) for row in rows]


def test_a_drill_passes_and_leaves_nothing(backup, leaves_no_database):
    found = drill(path=backup, keys=keys_beside(backup), actor=TESTER, told=quiet)
    assert [(each.name, each.passed) for each in found if not each.passed] == []
    assert {each.name for each in found} >= {"checksums", "rows", "walls", "migrations", "erasures", "sample"}
    assert databases() == leaves_no_database
    with as_system():
        assert AuditLog.objects.filter(action="backup.drill", outcome="ok").count() == 1


def test_restoring_brings_back_what_was_and_keeps_what_is(backup, two_people):
    before = {uid: read_everything(user_id) for uid, user_id in two_people.items()}
    with as_user(two_people["ada"]):
        Conversation.objects.of(two_people["ada"]).delete()
    done = restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    assert {uid: read_everything(user_id) for uid, user_id in two_people.items()} == before
    assert done.before in databases()
    with as_system():
        actions = set(AuditLog.objects.values_list("action", flat=True))
    assert {"backup.begin", "backup.restore"} <= actions


def test_a_database_that_holds_something_is_not_replaced_without_consent(backup, leaves_no_database):
    with pytest.raises(Refused, match="--replace"):
        restore(path=backup, keys=keys_beside(backup), replace=False, actor=TESTER, told=quiet)
    assert databases() == leaves_no_database


def test_without_the_keys_everything_comes_back_and_nothing_opens(backup, two_people):
    restore(path=backup, keys=None, replace=True, actor=TESTER, told=quiet)
    with as_system():
        assert User.objects.filter(is_staff=False).count() == 2
    with as_user(two_people["ada"]):
        assert Memory.objects.of(two_people["ada"]).count() == 2
        with pytest.raises(Exception, match="no data key"):
            open_vault()


def test_the_data_file_holds_no_data_key_and_neither_holds_a_master_key(backup, settings):
    with as_system():
        wrapped = [row.wrapped.ciphertext for row in UserKey.objects.all()]
    data, keys = Manifest.decode(verified(backup).manifest), Manifest.decode(verified(keys_beside(backup)).manifest)
    assert ("user_keys" in data.tables, keys.tables) == (False, {"user_keys": len(wrapped)})
    text = unpacked(backup)
    assert len(wrapped) == 2
    for value in wrapped:
        assert value.hex() not in text
        assert value.hex() in unpacked(keys_beside(backup))
    master = ring().current
    assert data.masters == () and keys.masters == (master.id.hex(),)


def unpacked(path):
    """The dump as SQL."""
    import subprocess

    from vibe.core.db.embedded.files import BINARIES

    with verified(path).dump() as dump:
        done = subprocess.run(
            [str(BINARIES / "pg_restore"), "-f", "-"], input=dump.read(), capture_output=True, check=True
        )
    return done.stdout.decode()


def test_a_backup_is_for_its_owner_alone_and_never_overwrites(backup):
    assert {each.stat().st_mode & 0o777 for each in (backup, keys_beside(backup))} == {0o600}
    with pytest.raises(InputError, match="is there already"):
        take(path=backup, actor=TESTER, told=quiet)
    assert sorted(each.name for each in backup.parent.iterdir()) == ["vibe.backup", "vibe.backup.keys"]


def test_the_name_of_the_database_is_not_lost(backup):
    name = connection.settings_dict["NAME"]
    restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    assert connection.settings_dict["NAME"] == name
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (name,)


def erase_ada(user_id):
    request_erasure(user_id=user_id, actor=TESTER, at_once=True)
    erase(user_id=user_id, actor=TESTER)


def running_job_of(user_id):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
            "VALUES ('default', 'trial', jsonb_build_object('user_id', %s::text), 'doing')",
            [str(user_id)],
        )


def test_who_was_erased_since_is_erased_from_the_copy_and_from_what_is_restored(two_people, tmp_path, settings):
    path, ada = tmp_path / "vibe.backup", two_people["ada"]
    running_job_of(ada)
    take(path=path, actor=TESTER, told=quiet)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    erase_ada(ada)
    tombstones = settings.ERASURES_FILE.read_bytes()
    found = {each.name: each for each in drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet)}
    assert all(each.passed for each in found.values()), found
    assert found["erasures"].said.startswith("1 people") and found["sample"].said.endswith("of 1 people opened")
    assert settings.ERASURES_FILE.read_bytes() == tombstones, "what happens to a copy is no erasure"
    done = restore(path=path, keys=keys_beside(path), replace=True, actor=TESTER, told=quiet)
    with as_system():
        assert (done.erased, list(User.objects.filter(is_staff=False).values_list("firebase_uid", flat=True))) == (
            1,
            ["jonas"],
        )


def test_control_without_the_tombstones_they_would_be_back(backup, two_people, settings):
    erase_ada(two_people["ada"])
    settings.ERASURES_FILE.unlink()
    done = restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    with as_system():
        assert (done.erased, User.objects.filter(is_staff=False).count()) == (0, 2)


def test_a_trail_that_was_tampered_with_fails_the_drill(two_people, tmp_path):
    path = tmp_path / "vibe.backup"
    with unprotected("audit_logs", triggers="USER") as cursor:
        cursor.execute("UPDATE audit_logs SET action = 'other'")
    take(path=path, actor=TESTER, told=quiet)
    found = drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet)
    assert [each.name for each in found if not each.passed] == ["audit trail"]


def test_values_that_do_not_open_fail_the_drill(two_people, tmp_path):
    path = tmp_path / "vibe.backup"
    with server.configured().connect(connection.settings_dict["NAME"]) as owner:
        owner.execute("UPDATE encrypted_memories SET payload = set_byte(payload, 20, 255 - get_byte(payload, 20))")
    take(path=path, actor=TESTER, told=quiet)
    found = drill(path=path, keys=keys_beside(path), actor=TESTER, told=quiet)
    assert [each.name for each in found if not each.passed] == ["sample"]
