"""A backup that lost, changed or gained a single byte anywhere is refused before anything is touched."""

from __future__ import annotations

import random

import pytest

from tests.backup.conftest import databases, quiet
from tests.cast import TESTER
from vibe.backup import archive, restoring
from vibe.backup.archive import DUMP, MANIFEST, SEAL_BYTES, header, verified
from vibe.backup.errors import BackupBroken
from vibe.backup.services import drill, keys_beside, restore
from vibe.core.errors import InputError

HOW_OFTEN = 100


def spoiled(good, number, chance):
    """One way of many to spoil a file; the first ones are the places that checksums of members would not cover."""
    spots = [0, 100, 511, len(good) - 1, len(good) - SEAL_BYTES, len(good) - SEAL_BYTES - 1, len(good) - 700]
    at = spots[number] if number < len(spots) else chance.randrange(len(good))
    if number % 4 == 3:
        return good[:at]
    if number % 20 == 18:
        return good + bytes([chance.randrange(256)])
    if number % 20 == 14:
        return good[:at] + good[at + 1 :]
    return good[:at] + bytes([good[at] ^ (1 << chance.randrange(8))]) + good[at + 1 :]


def test_each_of_a_hundred_corruptions_is_noticed_before_anything_is_touched(backup, leaves_no_database, monkeypatch):
    touched = []
    monkeypatch.setattr(restoring.server, "drop", lambda *_: touched.append(1))
    good, chance = {each: each.read_bytes() for each in (backup, keys_beside(backup))}, random.Random(7)
    for number in range(HOW_OFTEN):
        victim = (backup, keys_beside(backup))[number % 2]
        victim.write_bytes(spoiled(good[victim], number // 2, chance))
        assert victim.read_bytes() != good[victim]
        for put_back in (restore, drill):
            options = {"replace": True} if put_back is restore else {}
            with pytest.raises(BackupBroken):
                put_back(path=backup, keys=keys_beside(backup), actor=TESTER, told=quiet, **options)
        victim.write_bytes(good[victim])
    assert (touched, databases()) == ([], leaves_no_database)


def test_control_without_the_seal_some_of_them_would_pass(backup, monkeypatch):
    """What the seal adds to what tar itself checks."""
    good, chance, passed = backup.read_bytes(), random.Random(7), 0
    monkeypatch.setattr(archive, "require_whole", lambda *_: None)
    for number in range(HOW_OFTEN):
        backup.write_bytes(spoiled(good, number, chance))
        try:
            verified(backup)
        except (InputError, EOFError):
            continue
        passed += 1
    assert passed > HOW_OFTEN / 2


def test_the_keys_of_another_backup_are_refused(backup, tmp_path):
    from vibe.backup.services import take

    take(path=tmp_path / "other", actor=TESTER, told=quiet)
    with pytest.raises(BackupBroken, match="not the data and the keys of one backup"):
        restore(path=backup, keys=tmp_path / "other.keys", replace=True, actor=TESTER, told=quiet)
    with pytest.raises(BackupBroken, match="not the data and the keys of one backup"):
        restore(path=keys_beside(backup), keys=backup, replace=True, actor=TESTER, told=quiet)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b'{"format": 2}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path, manifest):
    path = tmp_path / "made"
    path.touch()
    archive.write(path, lambda into: into.write(b"PGDMP"), lambda *_: manifest)
    with pytest.raises(BackupBroken):
        drill(path=path, keys=None, actor=TESTER, told=quiet)


def test_other_files_are_refused_by_name(tmp_path):
    absent, text = tmp_path / "absent", tmp_path / "text"
    text.write_text("no backup")
    with pytest.raises(InputError, match="cannot be read"):
        verified(absent)
    with pytest.raises(BackupBroken, match="no backup of Vibe"):
        verified(text)
    assert len(header(DUMP, 1 << 40)) == len(header(MANIFEST, 0)) == 512
