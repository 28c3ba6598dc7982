"""PgBouncer in transaction mode before the server of the tests, where Debian's package is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.processes import PATIENCE
from vibe.core.db.embedded.account import server_account
from vibe.core.db.embedded.files import open_own, own_folder
from vibe.core.db.embedded.server import OWNER, PORT, EmbeddedServer

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
POOLER_PORT = 6432
CONFIGURATION = """
[databases]
* = host={server} port={port}
[pgbouncer]
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
listen_addr =
listen_port = {pooler_port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
server_idle_timeout = {idle}
log_connections = 0
log_disconnections = 0
logfile = {folder}/log
"""


@contextmanager
def pooled(server: EmbeddedServer, *, size: int, idle: int = 60) -> Iterator[Path]:
    """The folder of the socket of a pooler that keeps so many connections to each database. Skips without it."""
    if not Path(PROGRAM).exists():
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="vibe-pooler-"))
    account = server_account()
    written = {
        "users": f'"{OWNER}" ""\n',
        "ini": CONFIGURATION.format(
            server=server.sockets, port=PORT, folder=folder, size=size, idle=idle, pooler_port=POOLER_PORT
        ),
    }
    for name, text in written.items():
        (folder / name).write_text(text)
    own_folder(folder, account)
    for each in folder.iterdir():
        open_own(each, account).close()
    process = subprocess.Popen(
        [PROGRAM, "-q", str(folder / "ini")], stderr=subprocess.DEVNULL, cwd="/", **account.options()
    )
    try:
        wait_for(folder)
        yield folder
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(folder: Path, seconds: float = PATIENCE) -> None:
    """Until it answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(host=str(folder), port=POOLER_PORT, user=OWNER, dbname=OWNER).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def database_url(folder: Path) -> str:
    """DATABASE_URL through it."""
    return f"postgres://{OWNER}@/{OWNER}?host={folder}&port={POOLER_PORT}"


def main() -> None:
    """`python -m tests.pooler COMMAND...`: DATABASE_URL leads through a pooler, before the embedded server."""
    import sys

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
    import tests.environment  # noqa: F401

    server = EmbeddedServer(Path(os.environ["VIBE_STATE_DIR"]) / "postgres")
    server.start()
    with pooled(server, size=20, idle=1) as folder:
        changed = {**os.environ, "DATABASE_URL": database_url(folder), "DATABASE_POOLER": "on"}
        raise SystemExit(subprocess.run(sys.argv[1:], check=False, env=changed).returncode)


if __name__ == "__main__":
    main()
