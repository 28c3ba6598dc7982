"""Attack: the embedded server is run as root, and links lie where root writes.

The server's account owns the data, and whoever owns the state folder may change what is in it. Neither gets a file of
root's written or handed over, and no other account can hold the locks.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vibe.core.db.embedded import files
from vibe.core.db.embedded import server as servers
from vibe.core.db.embedded.account import Account, owner_of_data, server_account
from vibe.core.db.embedded.files import open_own, own_folder, runtime_folder, socket_elsewhere
from vibe.core.db.embedded.server import EmbeddedServer
from vibe.core.db.errors import DatabaseNotReady

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a file to hand over")
STRANGER = 12345
TEXT = "root's own\n"
OF_THE_FOLDER = ("start.lock", "in-use.lock", "furnished", "server.log", "socket-folder")
Plant = Callable[[Path, Path], None]


def plant_link(at: Path, target: Path) -> None:
    at.symlink_to(target)


def plant_hard_link(at: Path, target: Path) -> None:
    os.link(target, at)


def plant_link_to_nothing(at: Path, target: Path) -> None:
    target.unlink()
    at.symlink_to(target)


BY = pytest.mark.parametrize("plant", [plant_link, plant_hard_link, plant_link_to_nothing])


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root's that nobody else may read."""
    found = tmp_path / "victim"
    found.write_text(TEXT)
    found.chmod(0o600)
    return found


def is_untouched(victim: Path) -> bool:
    """Whether it says what it said and is root's, or was not made."""
    if not victim.exists():
        return True
    found = victim.stat()
    return (victim.read_text(), found.st_uid, found.st_mode & 0o777) == (TEXT, 0, 0o600)


@pytest.fixture
def server(tmp_path: Path) -> EmbeddedServer:
    """One whose data is there, of the server's account."""
    made = EmbeddedServer(tmp_path / "postgres")
    made.data.mkdir(parents=True)
    major = made._attempt("postgres", "--version").stdout.split()[-1].partition(".")[0]
    (made.data / "PG_VERSION").write_text(f"{major}\n")
    for path in (made.data, made.data / "PG_VERSION"):
        os.chown(path, server_account().uid, server_account().gid)
    return made


# What root writes among the data


@BY
def test_a_link_among_the_data_leads_nowhere(server: EmbeddedServer, victim: Path, plant: Plant) -> None:
    configuration = server.data / "vibe.conf"
    plant(configuration, victim)
    server._prepare()
    found = configuration.lstat()
    assert is_untouched(victim)
    assert (found.st_uid, found.st_mode & 0o7777) == (server_account().uid, 0o600)
    assert not configuration.is_symlink() and "listen_addresses = ''" in configuration.read_text()


def test_control_root_writes_through_it_and_hands_the_target_over(
    server: EmbeddedServer, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(account: Account, path: Path, text: str, **_: Any) -> None:
        path.write_text(text)
        os.chown(path, account.uid, account.gid)

    monkeypatch.setattr(Account, "write", write)
    plant_link(server.data / "vibe.conf", victim)
    server._prepare()
    assert victim.stat().st_uid == server_account().uid
    assert not is_untouched(victim)


def test_what_is_appended_is_written_as_the_account(server: EmbeddedServer, victim: Path) -> None:
    """As in the first run, which adds a line to what initdb wrote."""
    plant_link(server.data / "postgresql.conf", victim)
    with pytest.raises(DatabaseNotReady, match="cannot write"):
        server_account().write(server.data / "postgresql.conf", "include = 'vibe.conf'\n", append=True)
    assert is_untouched(victim)


def test_data_that_is_a_link_or_roots_is_refused(server: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(server.data)
    os.chown(server.data, 0, 0)
    for data in (tmp_path / "linked", server.data):
        with pytest.raises(DatabaseNotReady, match="link or belongs to root"):
            owner_of_data(data)


# What root writes in the state folder


@BY
@pytest.mark.parametrize("name", OF_THE_FOLDER)
def test_a_link_in_the_state_folder_leads_nowhere(tmp_path: Path, victim: Path, name: str, plant: Plant) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    plant(folder / name, victim)
    with pytest.raises(DatabaseNotReady, match="is a link or belongs to somebody else"):
        open_own(folder / name)
    assert is_untouched(victim)


@pytest.mark.parametrize("name", ["start.lock", "in-use.lock"])
def test_the_server_opens_its_locks_so(server: EmbeddedServer, victim: Path, name: str) -> None:
    plant_link(server.folder / name, victim)
    with pytest.raises(DatabaseNotReady, match="is a link"):
        server.start()
    assert is_untouched(victim)


def test_control_opened_plainly_the_target_is_emptied(
    server: EmbeddedServer, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "open_own", lambda path, *_: path.open("w"))
    plant_link(server.folder / "start.lock", victim)
    with server._alone():
        pass
    assert victim.read_text() == ""


def test_a_folder_that_is_a_link_is_not_given_away(tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.mkdir(mode=0o755)
    (tmp_path / "socket").symlink_to(roots)
    with pytest.raises(DatabaseNotReady, match="is a link"):
        own_folder(tmp_path / "socket", server_account())
    assert (roots.stat().st_uid, roots.stat().st_mode & 0o777) == (0, 0o755)


# Locks


def opens(path: Path) -> bool:
    """Whether a stranger can open a file to read, which is enough to hold its lock."""
    done = subprocess.run(
        ["cat", str(path)], user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A folder that every account may pass."""
    for each in (tmp_path, *tmp_path.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(each.stat().st_mode | 0o001)
    return tmp_path


def test_no_other_account_can_hold_a_lock(reachable: Path) -> None:
    lock = reachable / "start.lock"
    lock.touch(mode=0o644)
    lock.chmod(0o644)  # as it was left before
    assert opens(lock)  # the negative control
    open_own(lock).close()
    assert not opens(lock)


def test_a_lock_of_somebody_else_is_refused(reachable: Path) -> None:
    lock = reachable / "start.lock"
    lock.touch()
    os.chown(lock, STRANGER, STRANGER)
    with pytest.raises(DatabaseNotReady, match="belongs to somebody else"):
        open_own(lock)


def test_one_that_root_makes_is_of_the_folders_owner(tmp_path: Path) -> None:
    """So that they can start the server afterwards."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    open_own(folder / "start.lock").close()
    found = (folder / "start.lock").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (STRANGER, 0o600)


# Sockets that cannot be beside the data


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose path no socket can have, and a shared folder of this test's own."""
    shared = Path("/tmp") / f"vt-{os.getpid()}"  # noqa: S108
    monkeypatch.setattr(files, "SYSTEM", shared / "absent")
    monkeypatch.setattr(files, "TEMPORARY", shared)
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    shared.mkdir()
    shared.chmod(0o1777)
    yield folder
    subprocess.run(["rm", "-rf", str(shared)], check=True)


def test_no_name_in_the_shared_folder_can_be_guessed(long: Path) -> None:
    """Nobody can make it first: two installations at the same path have different names."""
    us = server_account()
    first = socket_elsewhere(long, us)
    (long / "socket-folder").unlink()
    assert first.parent == files.TEMPORARY
    assert first != socket_elsewhere(long, us)
    assert first.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("swap", ["link", "stranger", "gone"])
def test_a_noted_folder_that_is_somebody_elses_by_now_is_not_used(long: Path, tmp_path: Path, swap: str) -> None:
    us = server_account()
    first = socket_elsewhere(long, us)
    assert socket_elsewhere(long, us) == first
    first.rmdir()
    if swap == "link":
        first.symlink_to(tmp_path)
    if swap == "stranger":
        first.mkdir()
        os.chown(first, STRANGER, STRANGER)
    again = socket_elsewhere(long, us)
    assert again != first and again.lstat().st_uid == 0


def test_the_runtime_folder_of_a_user_is_taken_if_it_is_theirs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Path("/tmp") / f"vr-{os.getpid()}"  # noqa: S108
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    try:
        assert runtime_folder() == files.TEMPORARY  # root's
        os.chown(runtime, STRANGER, STRANGER)
        assert runtime_folder() == runtime
        runtime.chmod(0o770)
        assert runtime_folder() == files.TEMPORARY
        monkeypatch.setenv("XDG_RUNTIME_DIR", "not/absolute")
        assert runtime_folder() == files.TEMPORARY
    finally:
        runtime.rmdir()
