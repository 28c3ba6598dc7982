"""Whoever was erased after a backup was taken is not in the database that it is restored to."""

from __future__ import annotations

import pytest

from accounts.erasure.proof import verify_all
from accounts.erasure.services import erase, request_erasure, unfinished_erasures
from accounts.models import User
from tests.backup.conftest import quiet
from tests.cast import TESTER
from vibe.backup.services import keys_beside, restore
from vibe.core.db.scopes import as_system
from vibe.serving.preparing import prepare

pytestmark = pytest.mark.usefixtures("leaves_no_database")


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.EXPORT_DIR, settings.ERASURES_FILE = tmp_path / "exports", tmp_path / "erasures.jsonl"


@pytest.fixture
def erased(backup, two_people):
    request_erasure(user_id=two_people["ada"], actor=TESTER, at_once=True)
    erase(user_id=two_people["ada"], actor=TESTER)
    return two_people["ada"]


def people():
    with as_system():
        return set(User.objects.filter(is_staff=False).values_list("firebase_uid", flat=True))


def test_a_restore_erases_again_before_anybody_is_served(backup, erased):
    restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    assert (people(), unfinished_erasures(), verify_all()) == ({"jonas"}, set(), 1)


def test_without_the_file_of_erasures_they_are_back(backup, erased, settings):
    """The negative control."""
    settings.ERASURES_FILE.unlink()
    restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    assert people() == {"ada", "jonas"}


def test_serving_erases_again_whoever_a_restore_by_other_means_brought_back(backup, erased, settings, tmp_path):
    kept = settings.ERASURES_FILE
    settings.ERASURES_FILE = tmp_path / "none"
    restore(path=backup, keys=keys_beside(backup), replace=True, actor=TESTER, told=quiet)
    settings.ERASURES_FILE = kept
    assert unfinished_erasures() == {erased}
    said = []
    prepare(migrate=True, say=said.append)
    assert "1 people who had been erased were back, and are erased again." in said
    assert (people(), unfinished_erasures()) == ({"jonas"}, set())
