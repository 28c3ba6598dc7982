"""The embedded server: started by whoever comes first, held by all, stopped by the last, whatever is killed between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import PATIENCE, PROJECT
from vibe.core.db.embedded import server as embedded
from vibe.core.db.embedded.account import Account
from vibe.core.db.embedded.files import LONGEST_SOCKET_FOLDER, fits_socket, own_folder, socket_elsewhere
from vibe.core.db.embedded.server import EmbeddedServer
from vibe.core.db.errors import DatabaseNotReady

US = Account(os.geteuid(), os.getegid())
HOLDER = """
import sys
from pathlib import Path
from vibe.core.db.embedded.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
with server.connect("vibe", "vibe") as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0], flush=True)
sys.stdin.readline()
"""


def hold(folder, **environment):
    """A process that starts the server and holds it until a line comes in. It prints a number that names the server."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **environment},
    )


def end(*holders):
    for holder in holders:
        holder.communicate("\n", timeout=PATIENCE)


def postmaster(folder):
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder whose data is made, in a parent that nobody else may enter."""
    parent = tmp_path_factory.mktemp("closed")
    parent.chmod(0o700)
    end(hold(parent / "state"))
    return parent / "state"


@pytest.fixture
def folder(made):
    yield made
    server = EmbeddedServer(made)
    server.start()
    server.release()
    assert not server.is_running()


def test_all_who_come_at_once_get_one_server_and_the_last_stops_it(tmp_path):
    holders = [hold(tmp_path / "state") for _ in range(3)]
    servers = {holder.stdout.readline() for holder in holders}
    assert len(servers) == 1 and servers != {""}
    end(*holders[:2])
    assert EmbeddedServer(tmp_path / "state").is_running()
    end(holders[2])
    assert not EmbeddedServer(tmp_path / "state").is_running()


def test_what_a_killed_holder_leaves_is_taken_over_and_stopped(folder):
    first = hold(folder)
    server = first.stdout.readline()
    first.kill()
    first.communicate()
    assert EmbeddedServer(folder).is_running()
    second = hold(folder)
    assert second.stdout.readline() == server
    end(second)
    assert not EmbeddedServer(folder).is_running()


def test_sigterm_lets_go_like_an_exit(folder):
    holder = hold(folder)
    holder.stdout.readline()
    holder.terminate()
    holder.communicate(timeout=PATIENCE)
    assert holder.returncode == 128 + signal.SIGTERM
    assert not EmbeddedServer(folder).is_running()


def test_a_killed_server_is_started_again(folder):
    holder = hold(folder)
    holder.stdout.readline()
    os.kill(postmaster(folder), signal.SIGKILL)
    holder.kill()
    holder.communicate()
    again = hold(folder)
    assert again.stdout.readline()
    end(again)


def test_a_pid_file_that_names_another_process_is_seen_through(folder, monkeypatch):
    monkeypatch.setattr(embedded, "ANSWER_SECONDS", 0.1)
    pid_file = folder / "data" / "postmaster.pid"
    owner = pid_file.parent.stat()
    pid_file.write_text(f"{os.getppid()}\n{folder / 'data'}\n{int(time.time())}\n5432\n\n\n0 0\nready   \n")
    os.chown(pid_file, owner.st_uid, owner.st_gid)
    server = EmbeddedServer(folder)
    server.start()
    assert postmaster(folder) != os.getppid()
    server.release()


def test_what_was_half_done_is_done_again(folder):
    (folder / "furnished").unlink()
    (folder / "data.new").mkdir()
    server = EmbeddedServer(folder)
    server.start()
    assert (folder / "furnished").exists()
    server.release()


def test_the_environment_of_libpq_does_not_steer_it(folder):
    holder = hold(folder, PGPORT="5999", PGDATA="/nowhere", PGHOST="nowhere.example")
    assert holder.stdout.readline()
    end(holder)


def test_data_of_another_major_version_is_refused_with_what_to_do(folder):
    version = folder / "data" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(DatabaseNotReady, match=r"is of PostgreSQL 17, and PostgreSQL \d+ is installed\. Dump it"):
            EmbeddedServer(folder).start()
    finally:
        version.write_text(ours)


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseNotReady, match=r"cannot use .*file.*: Not a directory\. Set VIBE_STATE_DIR"):
        EmbeddedServer(tmp_path / "file" / "state").start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_named():
    with pytest.raises(DatabaseNotReady, match=r"cannot use /.*: Permission denied\. Set VIBE_STATE_DIR"):
        EmbeddedServer(Path("/root-of-nobody")).start()


@pytest.mark.parametrize("name", ["a" * 90, "a,b", "it's", "ä" * 45])
def test_a_path_that_cannot_be_a_sockets_has_its_sockets_elsewhere(tmp_path, name):
    first, second = (tmp_path / parent / name for parent in "ab")
    found = []
    for folder in (first, first, second):
        folder.mkdir(parents=True, exist_ok=True)
        assert not fits_socket(folder / "socket")
        found.append(socket_elsewhere(folder, US))
    try:
        assert found[0] == found[1] != found[2]
        assert len(os.fsencode(found[0])) <= LONGEST_SOCKET_FOLDER
    finally:
        for each in set(found):
            each.rmdir()
    again = socket_elsewhere(first, US)
    assert again != found[0]
    again.rmdir()


def test_a_short_path_has_them_beside_the_data():
    assert EmbeddedServer(Path("/srv/vibe/postgres")).sockets == Path("/srv/vibe/postgres/socket")


def test_a_server_in_a_long_and_odd_path_runs(tmp_path):
    folder = tmp_path / ("a long, odd path's " * 5) / "postgres"
    holder = hold(folder)
    assert holder.stdout.readline()
    end(holder)
    EmbeddedServer(folder).sockets.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_socket_folder_that_somebody_else_made_first_is_refused(tmp_path):
    squatted = tmp_path / "socket"
    squatted.mkdir()
    os.chown(squatted, 12345, 12345)
    with pytest.raises(DatabaseNotReady, match="belongs to somebody else"):
        own_folder(squatted, Account(os.geteuid(), os.getegid()))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DatabaseNotReady, match="belongs to somebody else"):
        own_folder(tmp_path / "link", Account(os.geteuid(), os.getegid()))


def test_a_folder_deleted_under_the_server_ends_quietly(tmp_path):
    import shutil

    server = EmbeddedServer(tmp_path / "state")
    server.start()
    running = postmaster(tmp_path / "state")
    shutil.rmtree(tmp_path / "state")
    server.release()
    os.kill(running, signal.SIGINT)


def test_the_log_keeps_peoples_data_out(folder):
    server = EmbeddedServer(folder)
    server.start()
    try:
        with server.connect("vibe", "vibe") as connection, pytest.raises(Exception, match="invalid input"):
            connection.execute("SELECT 'a secret of somebody'::int", prepare=False)
        assert "a secret of somebody" not in server.log.read_text()
    finally:
        server.release()
