"""A whole installation that may be broken: PostgreSQL, `serve` and a worker, in processes and a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote

from tests.processes import PROJECT, manage, until
from tests.servers import Server, started_by
from vibe.core.db.embedded.server import DATABASE, OWNER, PORT, EmbeddedServer
from vibe.core.db.errors import DatabaseNotReady

FREE: Final = {"API_LIMIT_PERSON": "off", "API_LIMIT_STRANGER": "off"}


class Installation:
    """Everything in `folder`; the keys are those of the running process, so that its tokens are good there."""

    def __init__(self, folder: Path, *, processes: int = 2, **environment: str) -> None:
        self.folder = folder
        self.postgres = EmbeddedServer(folder / "postgres")
        self.postgres.start()
        self.environment = {
            **FREE,
            "DATABASE_URL": f"postgres://{OWNER}@/{DATABASE}?host={quote(str(self.postgres.sockets))}&port={PORT}",
            "AUDIT_CHECKPOINT_FILE": str(folder / "checkpoints.jsonl"),
            "ERASURES_FILE": str(folder / "erasures.jsonl"),
            **environment,
        }
        self.worker: subprocess.Popen[bytes] | None = None
        self.web = Server(
            self.environment["DATABASE_URL"], folder / "web.log", "--processes", str(processes),
            **{name: value for name, value in self.environment.items() if name != "DATABASE_URL"},
        )  # fmt: skip

    @contextmanager
    def configured(self, **parameters: str) -> Iterator[None]:
        """PostgreSQL with other parameters for the block, of those that need no restart."""
        with self.postgres.connect() as superuser:
            for name, value in parameters.items():
                superuser.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            superuser.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            with self.postgres.connect() as superuser:
                superuser.execute("ALTER SYSTEM RESET ALL")
                superuser.execute("SELECT pg_reload_conf()")

    # PostgreSQL

    def postmaster(self) -> int:
        """Its process."""
        return int((self.postgres.data / "postmaster.pid").read_text().partition("\n")[0])

    def backends(self) -> list[int]:
        """The processes that serve our connections."""
        return [each for each in started_by(self.postmaster()) if title(each).startswith(f"postgres: {OWNER} ")]

    def start_postgres(self) -> None:
        """As a service manager does: until it runs."""

        def start() -> bool:
            held = EmbeddedServer(self.postgres.folder)
            with suppress(DatabaseNotReady):
                held.start()
                self.postgres.release()  # `held` holds it
                self.postgres = held
                return True
            return False

        until(start)

    def stop_postgres(self) -> None:
        """Every connection is ended, as on a planned restart."""
        os.kill(self.postmaster(), signal.SIGINT)
        until(lambda: not self.postgres.is_running())

    # Jobs

    def start_worker(self, **environment: str) -> None:
        """Start one, at first or again; one that still runs is ended."""
        self.end_worker()
        with (self.folder / "worker.log").open("a") as sink:
            self.worker = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                env={
                    **os.environ,
                    "DEBUG": "on",
                    "LOG_LEVEL": "WARNING",
                    "PYTHONFAULTHANDLER": "1",  # SIGABRT prints every thread
                    **self.environment,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=PROJECT,
                start_new_session=True,
            )

    def worker_log(self) -> str:
        """What all of them have said."""
        return log.read_text() if (log := self.folder / "worker.log").exists() else ""

    def worker_runs(self) -> bool:
        return self.worker is not None and self.worker.poll() is None

    def end_worker(self, by: signal.Signals = signal.SIGKILL) -> None:
        """At once."""
        if self.worker_runs():
            assert self.worker
            self.worker.send_signal(by)
            self.worker.wait()

    # All of it

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the product, on this installation."""
        return manage(*arguments, DEBUG="on", **self.environment)

    def ask(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """A statement of the superuser's."""
        with self.postgres.connect() as superuser:
            return superuser.execute(statement, parameters or None).fetchall()

    def settle(self) -> None:
        """Wait until everything is indexed and built, and start the worker again if it ends, as a supervisor does."""

        def settled() -> bool:
            if not self.worker_runs():
                self.start_worker()
            return self.is_settled()

        try:
            until(settled)
        except AssertionError as late:
            jobs = self.ask(
                "SELECT task_name, status, attempts, scheduled_at FROM procrastinate_jobs ORDER BY id LIMIT 20"
            )
            sessions = self.ask(
                "SELECT application_name, state, wait_event_type, wait_event, now() - xact_start, left(query, 200) "
                "FROM pg_stat_activity WHERE datname IS NOT NULL"
            )
            self.end_worker(signal.SIGABRT)
            said = f"jobs: {jobs}; sessions: {sessions}; the worker says: {self.worker_log()[-10_000:]}"
            raise AssertionError(f"{late}; {said}") from None

    def is_settled(self) -> bool:
        """Whether everything is indexed, and every story that is due is built or was tried."""
        due = "SELECT 1 FROM stories WHERE built_at IS NULL AND due_at <= now() LIMIT 1"
        return not (self.ask("SELECT 1 FROM pending_memories LIMIT 1") or self.ask(due))

    def do(self, *statements: str, **parameters: Any) -> None:
        """Statements of the superuser's, in one session."""
        with self.postgres.connect() as superuser:
            for statement in statements:
                superuser.execute(statement, parameters or None)

    def stop(self) -> None:
        """End everything."""
        self.end_worker()
        if self.web.process.poll() is None:
            self.web.kill()
        self.postgres.release()


class Killer:
    """Kills one process of an installation by SIGKILL, chosen by chance, and starts again what nobody else would."""

    def __init__(self, installation: Installation, chance: Random) -> None:
        self.installation, self.chance = installation, chance
        self.kinds: dict[str, Callable[[], bool]] = {
            "web worker": lambda: self.kill(started_by(installation.web.process.pid)),
            "job worker": self.job_worker,
            "backend": lambda: self.kill(installation.backends()),
            "postmaster": self.postmaster,
        }

    def strike(self) -> str:
        """Which kind it was; empty where there was nothing of it just now."""
        kind = self.chance.choice(list(self.kinds))
        try:
            return kind if self.kinds[kind]() else ""
        except FileNotFoundError:  # no postmaster.pid: it is just starting
            return ""

    def kill(self, processes: Sequence[int]) -> bool:
        """One of them."""
        with suppress(ProcessLookupError):
            if processes:
                os.kill(self.chance.choice(processes), signal.SIGKILL)
                return True
        return False

    def job_worker(self) -> bool:
        lived = self.installation.worker_runs()
        self.installation.end_worker()
        self.installation.start_worker()
        return lived

    def postmaster(self) -> bool:
        killed = self.kill([self.installation.postmaster()])
        time.sleep(self.chance.random() / 2)
        self.installation.start_postgres()
        return killed


@contextmanager
def a_folder() -> Iterator[Path]:
    """One that PostgreSQL's own account can pass: pytest closes those of its making whenever another pytest starts."""
    with TemporaryDirectory(prefix="vibe-test-") as folder:
        yield Path(folder)


@contextmanager
def installed(folder: Path, **options: Any) -> Iterator[Installation]:
    """One that is there for the block, ready."""
    installation = Installation(folder, **options)
    try:
        installation.web.wait_ready()  # it migrates first
        yield installation
    finally:
        installation.stop()


def title(process: int) -> str:
    """What a process calls itself; nothing, once it has ended."""
    with suppress(OSError):
        return Path("/proc", str(process), "cmdline").read_bytes().decode(errors="replace")
    return ""
