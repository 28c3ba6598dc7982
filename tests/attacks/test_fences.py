"""Fault: a conversation whose words make the processor compute, eat memory, crash, sleep or shout. It costs its own
story and says why; the others are built, the worker goes on, and no log holds a word of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.authentication import local_tokens
from stories.models import Story
from stories.processors import fenced
from stories.processors.errors import Crashed, OutOfMemory, ProcessorFailed, TimedOut
from tests.attacks.greedy import CANARY, Greedy
from tests.building import build_conversation
from tests.installation import Installation, a_folder, installed
from tests.processes import PROJECT, until
from tests.servers import started_by
from tests.stories.conftest import HashedEmbedder, conversation_of
from tests.writers import Writer
from vibe.core.db.scopes import as_user
from vibe.core.errors import Conflict

LIMITS = {"PROCESSOR_CPU_SECONDS": 2, "PROCESSOR_MEMORY_MB": 100, "PROCESSOR_WALL_SECONDS": 60.0}
FAULTS: dict[str, tuple[type[Exception], str]] = {
    "compute": (TimedOut, "used more than 2 CPU seconds"),
    "eat": (OutOfMemory, "took more than 100 MB of memory"),
    "segfault": (Crashed, "ended by SIGSEGV"),
    "exit": (Crashed, "ended with exit code 3"),
    "sleep": (TimedOut, "gave no answer within 2 seconds"),
    "shout": (ProcessorFailed, "failed: ValueError."),
    "interrupt": (ProcessorFailed, "failed: SystemExit."),
    "refuse": (Conflict, "cannot be told"),
}


@pytest.fixture
def greedy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The greedy processor is the configured one, and may take little: the settings, to change them."""
    for name, value in LIMITS.items():
        setattr(settings, name, value)
    for module in ("processors.configured", "index.services"):
        monkeypatch.setattr(f"stories.{module}.embedder", HashedEmbedder)
    for module in ("configured", "fenced"):
        monkeypatch.setattr(f"stories.processors.{module}.processor", Greedy)
    return settings


def built(user_id: UUID) -> int:
    with as_user(user_id):
        return Story.objects.of(user_id).exclude(built_at=None).count()


@pytest.mark.parametrize("deed", FAULTS)
def test_it_costs_its_own_story_and_says_why(
    ada: UUID, tell: Callable[..., None], greedy: Any, capfd: pytest.CaptureFixture[str], deed: str
) -> None:
    if deed == "sleep":
        greedy.PROCESSOR_WALL_SECONDS = 2.0
    if deed == "shout":
        fenced.close()  # the next server is started with the standard error that is looked at
    kind, why = FAULTS[deed]
    for name, said in (("before", "Hello."), ("poisoned", f"{CANARY}, please {deed}"), ("after", "Good night.")):
        tell(ada, name, [("Ada", said)])

    def build(name: str) -> bool:
        return build_conversation(ada, conversation_of(ada, name))

    assert build("before")
    with pytest.raises(kind, match=why) as caught:
        build("poisoned")
    assert caught.value.__cause__ is None and (caught.value.__context__ is None or caught.value.__suppress_context__)
    assert CANARY not in repr(caught.value) + str(vars(caught.value))
    assert getattr(caught.value, "page", 7) == 7
    assert build("after")
    assert built(ada) == 2
    out, err = capfd.readouterr()
    assert CANARY not in out + err


# With the fence off

IN_PROCESS = """
import sys
from datetime import UTC, datetime
from stories.processors.base import Message, Transcript
from tests.attacks.greedy import DEEDS, HELD, Greedy
DEEDS["eat"] = lambda: [DEEDS["grow"]() for _ in range(4)]
Greedy().compose(Transcript("", (Message("1", "Ada", "please " + sys.argv[1], datetime.now(UTC)),)))
print("goes on with", sum(map(len, HELD)) >> 20, "MB")
"""


def unfenced(deed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", IN_PROCESS, deed],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("deed", ["compute", "sleep"])
def test_control_without_the_fence_it_would_hang(deed: str) -> None:
    process = unfenced(deed)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("deed", "ends"), [("segfault", -signal.SIGSEGV), ("exit", 3), ("interrupt", 1), ("shout", 1)])
def test_control_without_the_fence_the_worker_would_die(deed: str, ends: int) -> None:
    process = unfenced(deed)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == ends
    assert (CANARY in errors) == (deed in {"interrupt", "shout"})


def test_control_without_the_fence_the_worker_would_hold_it_all() -> None:
    said, _ = unfenced("eat").communicate(timeout=600)
    assert said == "goes on with 160 MB\n"


# A whole worker


@pytest.fixture(scope="module")
def greedy_installation() -> Iterator[Installation]:
    environment = {name: str(value) for name, value in LIMITS.items()}
    with a_folder() as folder, installed(
        folder, processes=1, STORY_PROCESSOR="tests.attacks.greedy.Greedy", STORY_QUIET_SECONDS="0", **environment
    ) as installation:  # fmt: skip
        yield installation


@pytest.fixture
def worker(greedy_installation: Installation) -> Iterator[Installation]:
    greedy_installation.start_worker()
    yield greedy_installation
    greedy_installation.end_worker()
    greedy_installation.do("DELETE FROM procrastinate_jobs", "UPDATE stories SET due_at = NULL")


def begun(installation: Installation, text: str) -> str:
    """A conversation of a person of its own: the stories of one person are built one after the other."""
    writer = Writer(0, installation.web.port, local_tokens.issue(uid=uuid4().hex), threading.Event())
    made = writer.send("POST", "/api/v1/conversations", {"title": CANARY})["id"]
    writer.send("POST", f"/api/v1/conversations/{made}/memories", {"author": "Ada", "text": text})
    return str(made)


def is_told(installation: Installation, conversation_id: str) -> bool:
    return bool(
        installation.ask("SELECT 1 FROM stories WHERE conversation_id = %s AND built_at IS NOT NULL", conversation_id)
    )


def why(installation: Installation, conversation_id: str) -> list[str]:
    rows = installation.ask(
        "SELECT DISTINCT reason FROM audit_logs JOIN stories s ON resource = 'stories/' || s.id "
        "WHERE s.conversation_id = %s AND action = 'story.build' AND outcome = 'failed'",
        conversation_id,
    )
    return [reason for (reason,) in rows]


def fenced_processes(worker: int) -> list[int]:
    """The fork server of a worker, and its children."""
    return started_by(worker)  # it starts nothing else


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def jobs_of(installation: Installation, conversation_id: str) -> set[str]:
    """The states of the jobs that build stories of a conversation's person."""
    rows = installation.ask(
        "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'stories.build' "
        "AND args ->> 'user_id' = (SELECT user_id::text FROM conversations WHERE id = %s)",
        conversation_id,
    )
    return {status for (status,) in rows}


def sleeping(installation: Installation, text: str) -> tuple[str, list[int]]:
    """A conversation that is just being built, for an hour; the processes in which it is."""
    assert installation.worker
    conversation, process = begun(installation, text), installation.worker.pid

    def building() -> bool:
        return "doing" in jobs_of(installation, conversation) and len(fenced_processes(process)) > 1

    until(building)
    time.sleep(0.5)  # until it sleeps
    return conversation, fenced_processes(process)


def test_a_worker_goes_on(worker: Installation) -> None:
    assert worker.worker
    process = worker.worker.pid
    poisoned = {deed: begun(worker, f"{CANARY}, please {deed}") for deed in ("segfault", "eat", "compute", "shout")}
    good = [begun(worker, "I moved to Lisbon last Friday.") for _ in range(3)]
    until(lambda: all(is_told(worker, each) for each in good))
    until(lambda: all(why(worker, each) for each in poisoned.values()))
    assert {deed: why(worker, each) for deed, each in poisoned.items()} == {
        "segfault": ["processor-crashed"],
        "eat": ["processor-out-of-memory"],
        "compute": ["processor-timed-out"],
        "shout": ["processor-failed"],
    }
    assert worker.worker.poll() is None and worker.worker.pid == process
    assert CANARY not in (worker.folder / "worker.log").read_text()


def test_sigterm_ends_a_build_at_once_and_the_next_worker_takes_it_up(worker: Installation) -> None:
    assert worker.worker
    conversation, processes = sleeping(worker, "Good night, please sleep")
    began = time.monotonic()
    worker.worker.terminate()
    worker.worker.wait(timeout=50)  # the build itself would be given up after 60 s
    assert time.monotonic() - began < 50
    until(lambda: not any(map(lives, processes)))
    assert jobs_of(worker, conversation) == {"todo"}
    assert why(worker, conversation) == [], "it is no failure of the conversation"
    worker.start_worker()
    until(lambda: "doing" in jobs_of(worker, conversation))


def test_a_killed_child_costs_one_build_and_a_killed_server_none_after_it(worker: Installation) -> None:
    assert worker.worker
    for at in (-1, 0):  # the child, then the server with its child
        conversation, processes = sleeping(worker, "Good night, please sleep")
        os.kill(processes[at], signal.SIGKILL)
        if at == 0:
            os.kill(processes[-1], signal.SIGKILL)
        until(lambda: why(worker, conversation))  # noqa: B023
        assert why(worker, conversation) == ["processor-crashed"]
        worker.do("UPDATE stories SET due_at = NULL WHERE conversation_id = %(it)s", it=conversation)
        good = begun(worker, "I moved to Lisbon last Friday.")
        until(lambda: is_told(worker, good))  # noqa: B023


def test_the_processes_end_with_a_worker_that_is_killed(worker: Installation) -> None:
    _, processes = sleeping(worker, "Good night, please sleep")
    worker.end_worker()
    until(lambda: not any(map(lives, processes)))
