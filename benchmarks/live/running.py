"""An installation as users run it: PostgreSQL, `serve` with gunicorn and the worker, with DEBUG off and an API key.

`Cluster` is the server with a migrated database to copy; `Running` is the product on a copy. `project` may be another
checkout of the product, so that an earlier state is measured in the same run.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.live.client import Client
from tests.installation import title
from tests.servers import free_port
from vibe.core.db.embedded.server import OWNER, PORT, EmbeddedServer
from vibe.core.db.errors import DatabaseNotReady

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = "live_template"
READY_SECONDS, SETTLE_SECONDS = 120, 1_800
QUIET_SECONDS = 75
"""A story is due after a minute of quiet, where stories are episodes."""
IDLE_CORES = 0.1
"""What periodic jobs take; below it nothing is being worked on."""
TICK = os.sysconf("SC_CLK_TCK")
PERIODIC = "j.task_name IN (SELECT task_name FROM procrastinate_periodic_defers)"
JOBS = f"""
SELECT count(*) FROM procrastinate_jobs j WHERE status IN ('todo', 'doing')
AND (scheduled_at IS NULL OR scheduled_at < now() + interval '2 minutes') AND NOT {PERIODIC}
"""
Cpu = dict[str, float]
"""Seconds of the processor, by kind of process."""


class Cluster:
    """A PostgreSQL server in a folder, and a migrated database that is copied for each installation."""

    def __init__(self, folder: Path, project: Path = PROJECT, *, short: bool = False) -> None:
        self.folder, self.project, self.short = folder, project, short
        self.shared: Running | None = None
        """In a short run the one installation of all parts that want nothing particular of theirs."""
        self.postgres = EmbeddedServer(folder / "postgres")
        self.postgres.start()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "VIBE_"))},
            "DEBUG": "off",
            "VIBE_STATE_DIR": str(folder / "state"),
            "ENCRYPTION_KEY": secrets.token_hex(32),
            "SECRET_KEY": secrets.token_hex(32),
            "AUDIT_SIGNING_KEY": secrets.token_hex(32),
            "METRICS_TOKEN": secrets.token_hex(16),
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "off",
            "API_LIMIT_PERSON": "off",
            "API_LIMIT_KEY": "off",
            "API_LIMIT_STRANGER": "off",
            "STORAGE_LIMIT_MEMORIES": "off",
            "STORAGE_LIMIT_MIB": "off",
            "LOG_LEVEL": "WARNING",
        }
        with self.postgres.connect("postgres") as server:
            server.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
        with self.postgres.connect(TEMPLATE) as server:
            server.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self.manage(TEMPLATE, "collectstatic", "--noinput")
        self.manage(TEMPLATE, "migrate")
        self.copies = 0

    def url(self, database: str) -> str:
        return f"postgres://{OWNER}@/{database}?host={quote(str(self.postgres.sockets), safe='')}&port={PORT}"

    def copy(self) -> str:
        """The name of a fresh migrated database."""
        self.copies += 1
        name = f"live_{self.copies}"
        with self.postgres.connect("postgres") as server:
            server.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {TEMPLATE}")
        return name

    def empty(self, name: str) -> str:
        """The address of an empty database with pgvector, for another product."""
        with self.postgres.connect("postgres") as server:
            server.execute(f"CREATE DATABASE {name}")
        with self.postgres.connect(name) as server:
            server.execute("CREATE EXTENSION IF NOT EXISTS vector")
        return f"postgresql://postgres@/{name}?host={self.postgres.sockets}&port={PORT}"

    def manage(self, database: str, *arguments: str, **environment: str) -> str:
        """Run a command of the product to its end; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=self.project, capture_output=True, text=True, check=False,
            env={**self.environment, "DATABASE_URL": self.url(database), **environment},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def postmaster(self) -> int:
        return int((self.postgres.data / "postmaster.pid").read_text().partition("\n")[0])

    def stop(self) -> None:
        """End the shared installation and the server."""
        if self.shared:
            self.shared.stop()
        self.postgres.release()

    def cpu(self, *, without: Sequence[int] = ()) -> float:
        """Seconds that the server and its backends have worked, those that ended included."""
        return sum(map(worked, {self.postmaster(), *below(self.postmaster())} - set(without)))

    def restart(self) -> None:
        """Start it again after it was killed, as a service manager does."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            held = EmbeddedServer(self.postgres.folder)
            with suppress(DatabaseNotReady):
                held.start()
                self.postgres.release()  # `held` holds it
                self.postgres = held
                return
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL does not come back.")


class Running:
    """The product on a database of its own, started, with an API key that may act for everybody."""

    def __init__(self, cluster: Cluster, *, processes: int = 2, **environment: str) -> None:
        self.cluster, self.database = cluster, cluster.copy()
        self.extra, self.port = environment, free_port()
        self.log = cluster.folder / f"{self.database}.log"
        self.command = ["serve", "--worker", "--processes", str(processes), "--bind", f"127.0.0.1:{self.port}"]
        key = self.manage("make_api_key", "--name", "live", "--scope", "read", "--scope", "write", "--scope", "export")
        self.key = key.split()[-1]
        self.idle: Cpu = {}
        self.start()

    def start(self) -> None:
        """Start `serve` and the worker, and wait until they are ready."""
        with self.log.open("a") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *self.command], cwd=self.cluster.project, stdin=subprocess.DEVNULL,
                stdout=sink, stderr=sink, start_new_session=True,
                env={**self.cluster.environment, "DATABASE_URL": self.cluster.url(self.database), **self.extra},
            )  # fmt: skip
        self.server = self.cluster.postgres.connect(self.database)
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Not ready:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)
        self.finds_memories = "/api/v1/memories/search" in self.client("").send("GET", "/api/v1/openapi.json")["paths"]

    def is_ready(self) -> bool:
        with suppress(OSError, RuntimeError):
            return bool(self.client("").send("GET", "/readyz"))
        return False

    def stop(self) -> None:
        """SIGTERM, as a service manager ends it; SIGKILL to what is left."""
        self.server.close()
        left = below(self.process.pid)
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for each in (self.process.pid, *left):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.process.wait()

    def restart(self, **environment: str) -> None:
        """Start it again with more in its environment."""
        self.stop()
        self.extra |= environment
        self.start()

    def manage(self, *arguments: str, **environment: str) -> str:
        return self.cluster.manage(self.database, *arguments, **{**self.extra, **environment})

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command of the product beside the rest."""
        environment = {**self.cluster.environment, "DATABASE_URL": self.cluster.url(self.database), **self.extra}
        with self.log.open("a") as sink:
            return subprocess.Popen(
                [sys.executable, "manage.py", *arguments], cwd=self.cluster.project, env=environment, stdout=sink,
                stderr=sink, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def has_command(self, name: str) -> bool:
        return bool(list(self.cluster.project.glob(f"*/**/management/commands/{name}.py")))

    def setting(self, part: str) -> str | None:
        """The first environment variable that the settings read and whose name has this part."""
        settings = (self.cluster.project / "vibe" / "settings.py").read_text(encoding="utf-8")
        return next(iter(re.findall(rf'env\.\w+\(\s*"(\w*{part}\w*)"', settings)), None)

    # People

    def client(self, person: str) -> Client:
        return Client(self.port, self.key, person)

    def bring(self, lines: Sequence[dict[str, Any]]) -> None:
        """Import conversations by the command."""
        path = self.write(lines)
        self.manage("import_conversations", str(path))
        path.unlink()

    def write(self, lines: Sequence[dict[str, Any]]) -> Path:
        """A file to import."""
        path = self.cluster.folder / f"import-{time.monotonic_ns()}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    # What is being worked on

    def jobs_left(self) -> int:
        """Jobs of people that are due."""
        return int(self.server.execute(JOBS).fetchone()[0])

    def drain(self, seconds: float) -> bool:
        """Wait until no job is left."""
        deadline = time.monotonic() + seconds
        while self.jobs_left():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def settle(self, *, quiet: bool = True, seconds: float = SETTLE_SECONDS) -> bool:
        """Wait until what follows from what was said is done: jobs, and stories that are due after a while."""
        deadline = time.monotonic() + seconds
        if quiet and self.finds_memories and not self.cluster.short:
            time.sleep(QUIET_SECONDS)
        still, seconds = 0, 0.5 if self.cluster.short else 1.0
        while still < (1 if self.cluster.short else 2):
            if time.monotonic() > deadline:
                return False
            before = sum(self.cpu().values())
            time.sleep(seconds)
            busy = sum(self.cpu().values()) - before > IDLE_CORES * seconds or self.jobs_left()
            still = 0 if busy else still + 1
        return True

    def cpu(self) -> Cpu:
        """What all processes have worked so far. The connection that asks here is left out."""
        found = {"web": 0.0, "worker": worked(self.process.pid)}  # the supervisor, with workers that it started again
        for child in children(self.process.pid):
            kind = "web" if is_web(child) else "worker"
            found[kind] += sum(map(worked, [child, *below(child)]))
        found["database"] = self.cluster.cpu(without=[self.server.info.backend_pid])
        return found

    def web_processes(self) -> Cpu:
        """What each process that answers requests has worked so far."""
        masters = [each for each in children(self.process.pid) if is_web(each)]
        return {str(each): worked(each) for master in masters for each in children(master)}

    def measure_idle(self, seconds: float) -> None:
        """What it takes to do nothing, which is taken off where messages are counted."""
        before, start = self.cpu(), time.monotonic()
        time.sleep(seconds)
        self.idle = {kind: (now - before[kind]) / (time.monotonic() - start) for kind, now in self.cpu().items()}

    @contextmanager
    def counted(self) -> Iterator[Cpu]:
        """What is worked during the block, above idling; filled in at its end."""
        spent: Cpu = {}
        before, start = self.cpu(), time.monotonic()
        yield spent
        seconds = time.monotonic() - start
        spent |= {kind: now - before[kind] - self.idle.get(kind, 0) * seconds for kind, now in self.cpu().items()}

    def audit_lag(self) -> float:
        """Age in seconds of the oldest row of the audit log that is not sealed, as the metrics tell."""
        text = self.client("").read_text("/metrics", self.cluster.environment["METRICS_TOKEN"])
        [value] = re.findall(r"^vibe_audit_lag_seconds (\S+)", text, re.MULTILINE)
        return float(value)


@contextmanager
def running(cluster: Cluster, **options: Any) -> Iterator[Running]:
    """One that is there for the block; in a short run the shared one, where nothing particular is asked for."""
    if cluster.short and not options:
        cluster.shared = cluster.shared or Running(cluster)
        yield cluster.shared
        return
    installation = Running(cluster, **options)
    try:
        yield installation
    finally:
        installation.stop()


def worked(process: int) -> float:
    """Seconds of a process, and of its children that have ended and been waited for (proc_pid_stat(5))."""
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(int(each) for each in fields[11:15]) / TICK
    return 0.0


def children(process: int) -> list[int]:
    """The processes right below one; none below one that has ended."""
    found: list[int] = []
    for path in Path("/proc", str(process), "task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def below(process: int) -> list[int]:
    """All processes below one, which may come and go meanwhile."""
    return [each for child in children(process) for each in (child, *below(child))]


def is_web(process: int) -> bool:
    """Whether it is the web server, not a worker."""
    return "\0serve\0" in title(process)
