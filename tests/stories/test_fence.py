"""Stories and vectors are made in children, within limits, and are the same as those made in this process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from audit.actors import Actor
from stories import tasks
from stories.building.services import build as building
from stories.processors import fenced
from stories.processors.base import Draft, Message, Transcript
from stories.processors.configured import EmbedderFailed
from stories.processors.embedding import OfflineEmbedder
from stories.processors.errors import Crashed, OutOfMemory, ProcessorFailed, Stopped, TimedOut
from stories.processors.fence import wire
from stories.processors.fence.child import NO_MEMORY, held_bytes
from stories.processors.fence.pool import Pool
from stories.processors.offline.processor import OfflineProcessor
from stories.processors.openai_compatible.errors import TokensSpent
from stories.processors.openai_compatible.processor import OpenAIProcessor
from tests.attacks.greedy import BEGAN, Careless, Failing, Greedy
from tests.processes import PROJECT, until
from tests.servers import started_by
from tests.stories.conftest import LISBON, MARATHON, HashedEmbedder
from tests.workers import at_work
from vibe.core.errors import ConfigurationError


def talk(*texts: str) -> Transcript:
    said = texts or tuple(text for _, text in (*LISBON, *MARATHON))
    return Transcript(
        "A talk", tuple(Message(str(at), "Ada", text, BEGAN + timedelta(hours=at)) for at, text in enumerate(said))
    )


def children() -> list[int]:
    """The processes in which stories are made just now."""
    server = fenced._pool._server
    return started_by(server.process.pid) if server else []


# The same as in this process


def test_a_draft_is_the_same_as_one_made_in_this_process() -> None:
    draft = fenced.build_draft(talk(), OfflineProcessor())
    assert draft == OfflineProcessor().compose(talk())
    assert draft.occurred_from.tzinfo == ZoneInfo("Europe/Lisbon")


def test_a_text_that_is_no_unicode_crosses_too() -> None:
    odd = talk("I moved to Lisbon \ud800 last Friday.\x00", "你好。")
    assert fenced.build_draft(odd, OfflineProcessor()) == OfflineProcessor().compose(odd)


def test_vectors_are_the_same_as_those_made_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fenced, "TEXTS_A_TASK", 4)
    texts = [f"{text} {number}" for number, (_, text) in enumerate(LISBON * 3)] + [""]
    assert fenced.embed_many(texts, OfflineEmbedder()) == pytest.approx(OfflineEmbedder().embed(texts), abs=1e-5)
    assert fenced.embed_many([], OfflineEmbedder()).shape == (0, 512)


def test_a_bulk_is_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fenced, "TEXTS_A_TASK", 4)
    assert fenced.embed_many(["a"] * 10, Failing())[:, 0].tolist() == [4.0] * 8 + [2.0] * 2


def test_what_waits_for_a_service_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here: list[int] = []

    class Service(OfflineProcessor):
        in_process = OpenAIProcessor.in_process

        def compose(self, transcript: Transcript) -> Draft:
            here.append(os.getpid())
            return super().compose(transcript)

    fenced.build_draft(talk(), Service())
    assert here == [os.getpid()]
    monkeypatch.setattr(Service, "in_process", True)
    with pytest.raises(ProcessorFailed):  # a class of this function is not to be found from elsewhere
        fenced.build_draft(talk(), Service())
    assert here == [os.getpid()]


class NeedsDjango(HashedEmbedder):
    """Of a module that imports models, which Django's apps must be loaded for."""

    in_process = True


def test_a_class_whose_module_imports_models_is_found() -> None:
    assert fenced.embed_many(["a door"], NeedsDjango()) == pytest.approx(NeedsDjango().embed(["a door"]))


# Errors


def test_an_error_of_ours_comes_back_with_its_fields() -> None:
    with pytest.raises(TokensSpent, match="are spent") as caught:
        fenced.embed_many(["tokens"], Failing())
    assert caught.value.again_at == BEGAN


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("memory", OutOfMemory, "The embedder failing took more than 512 MB"),
        ("shape", EmbedderFailed, "vectors of shape"),
        ("words", ProcessorFailed, "something else than an array"),
    ],
)
def test_what_is_no_vector_is_refused(text: str, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        fenced.embed_many([text, "b"], Failing())


def test_what_is_no_draft_is_refused() -> None:
    with pytest.raises(ProcessorFailed, match="The processor careless gave no draft"):
        fenced.build_draft(talk(), Careless())


class Evil:
    """What a child would send, if it could, to be run where the keys are."""

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)

    path = ""


def test_what_a_child_sends_runs_nothing(tmp_path: Path) -> None:
    Evil.path = str(tmp_path / "made")
    evil = pickle.dumps(Evil())
    with pytest.raises(pickle.UnpicklingError):
        wire.load(evil)
    assert not Path(Evil.path).exists()
    pickle.loads(evil)  # noqa: S301  the negative control
    assert Path(Evil.path).exists()


@pytest.mark.parametrize("name", ["builtins:eval", "builtins:getattr", "stories.processors.base:field", "uuid:uuid4"])
def test_no_function_is_named_by_what_a_child_sends(name: str) -> None:
    module, _, function = name.partition(":")
    with pytest.raises(pickle.UnpicklingError):
        wire.load(b"c" + f"{module}\n{function}\n".encode() + b".")


# Limits


def test_a_limit_is_that_of_a_task_not_of_all_that_a_child_did(settings: Any) -> None:
    settings.PROCESSOR_CPU_SECONDS = 1
    fenced.close()
    fenced.build_draft(talk(), OfflineProcessor())
    [child] = children()

    def used() -> int:
        return sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))

    while used() < 2.5 * os.sysconf("SC_CLK_TCK"):
        fenced.build_draft(talk(*["I moved to Lisbon last Friday."] * 300), OfflineProcessor())
    assert children() == [child]


@pytest.mark.parametrize("deed", ["grow", "linger"])
def test_a_child_that_is_not_as_it_was_is_replaced(settings: Any, deed: str) -> None:
    settings.PROCESSOR_MEMORY_MB = 100
    fenced.close()
    fenced.build_draft(talk("Hello."), Greedy())
    [first] = children()
    fenced.build_draft(talk("Hello."), Greedy())
    assert children() == [first], "the control: it is used again"
    fenced.build_draft(talk(f"Hello, please {deed}."), Greedy())
    until(lambda: first not in children())
    fenced.build_draft(talk("Hello."), Greedy())
    assert first not in children()


def test_a_processor_that_changes_its_timer_is_given_up_all_the_same(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stories.processors.fence.pool.SPARE_SECONDS", 0.5)
    settings.PROCESSOR_WALL_SECONDS = 1.0
    fenced.close()
    fenced.build_draft(talk("Hello."), Greedy())
    [child] = children()
    with pytest.raises(TimedOut):
        fenced.build_draft(talk("Hello, please oversleep."), Greedy())
    until(lambda: child not in children())


WATCHED = """
import sys, time
from stories.processors.fence.child import MemoryWatch, held_bytes
watch = MemoryWatch()
watch.most = held_bytes() + (int(sys.argv[1]) << 20)
held = [bytearray(b"x" * (1 << 20)) for _ in range(100)]
time.sleep(1)
print("goes on")
"""


@pytest.mark.parametrize(("megabytes", "ends", "said"), [(50, NO_MEMORY, ""), (500, 0, "goes on\n")])
def test_where_the_system_keeps_no_limit_a_thread_watches(megabytes: int, ends: int, said: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", WATCHED, str(megabytes)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout) == (ends, said), process.stderr


@pytest.mark.parametrize("name", ["PROCESSOR_CPU_SECONDS", "PROCESSOR_MEMORY_MB", "PROCESSOR_WALL_SECONDS"])
@pytest.mark.parametrize("value", [0, -1, 2**40])
def test_a_senseless_limit_is_refused_by_name(settings: Any, name: str, value: int) -> None:
    setattr(settings, name, value)
    with pytest.raises(ConfigurationError, match=name):
        fenced.processor_limits()


# Processes


def test_a_child_has_nothing_of_this_process() -> None:
    """No thread, no connection to the database, no file but the socket."""
    fenced.close()  # another test's server may have loaded a class that imports models
    fenced.build_draft(talk(), OfflineProcessor())
    for process in (fenced._pool._server.process.pid, *children()):  # type: ignore[union-attr]
        assert len(list(Path(f"/proc/{process}/task").iterdir())) == 1
        status = Path(f"/proc/{process}/maps").read_text()
        assert "psycopg" not in status
    for child in children():
        files = [str(each.readlink()) for each in Path(f"/proc/{child}/fd").iterdir()]
        assert [each.partition(":")[0] for each in files if each != os.devnull] == ["socket"]
        limits = Path(f"/proc/{child}/limits").read_text()
        assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core")] == ["1"]


def test_many_threads_each_get_their_own_answer() -> None:
    made: dict[int, list[Draft]] = {number: [] for number in range(6)}
    texts = {number: [f"I painted door {number} green." for _ in range(5)] for number in made}

    def build(number: int) -> None:
        for _ in range(5):
            made[number].append(fenced.build_draft(talk(*texts[number]), OfflineProcessor()))

    threads = [threading.Thread(target=build, args=[number]) for number in made]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for number, drafts in made.items():
        assert drafts == [OfflineProcessor().compose(talk(*texts[number]))] * 5


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(list)
    yield made
    made.close()


def run(pool: Pool, text: str) -> Draft:
    return pool.run("x", "tests.attacks.greedy:Greedy", "compose", talk(text), fenced.processor_limits())  # type: ignore[no-any-return]


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[Exception]]:
    raised: list[Exception] = []

    def held() -> None:
        try:
            work()
        except Exception as problem:
            raised.append(problem)

    thread = threading.Thread(target=held)
    thread.start()
    return thread, raised


def busy(pool: Pool) -> int:
    """The server, once a child of it works."""
    server = until(lambda: pool._server)
    until(lambda: pool._busy and started_by(server.process.pid))
    return int(server.process.pid)


@pytest.mark.parametrize(("end", "kind"), [("stop", Stopped), ("close", Crashed)])
def test_whoever_waits_hears_at_once_that_it_was_ended(pool: Pool, end: str, kind: type[Exception]) -> None:
    run(pool, "Hello.")
    thread, raised = in_thread(lambda: run(pool, "Hello, please sleep."))
    server = busy(pool)
    processes = [server, *started_by(server)]
    getattr(pool, end)()
    thread.join()
    assert [type(each) for each in raised] == [kind]
    until(lambda: not any(Path(f"/proc/{each}").exists() for each in processes))
    if end == "stop":
        with pytest.raises(Stopped):
            run(pool, "Hello.")
    else:
        run(pool, "Hello.")


def test_a_killed_child_fails_its_build_and_no_other(pool: Pool) -> None:
    run(pool, "Hello.")
    thread, raised = in_thread(lambda: run(pool, "Hello, please sleep."))
    [child] = started_by(busy(pool))
    os.kill(child, signal.SIGKILL)
    thread.join()
    assert [str(each) for each in raised] == ["The process of the x ended by SIGKILL before it answered."]
    run(pool, "Hello.")


@pytest.mark.parametrize("both", [False, True])
def test_what_is_killed_while_nothing_is_built_costs_no_build(pool: Pool, both: bool) -> None:
    run(pool, "Hello.")
    assert pool._server
    server = pool._server.process.pid
    for each in [*started_by(server), *([server] if both else [])]:
        os.kill(each, signal.SIGKILL)
    until(lambda: not started_by(server))
    run(pool, "Hello.")


def test_a_forked_process_begins_with_no_child() -> None:
    fenced.build_draft(talk("Hello."), OfflineProcessor())
    before, pool = children(), fenced._pool
    process = os.fork()
    if not process:
        os._exit(fenced._pool is pool or fenced._pool._server is not None)
    assert os.waitpid(process, 0)[1] == 0
    fenced.build_draft(talk("Hello."), OfflineProcessor())
    assert children() == before


def test_a_child_holds_what_it_says() -> None:
    before = held_bytes()
    held = bytearray(b"x" * (64 << 20))
    assert held_bytes() - before >= len(held)
    assert BEGAN.astimezone(UTC).hour == 11


# SIGTERM: tests/attacks/test_fences.py has it with a real worker


def test_builds_are_ended_with_a_worker_that_is_to_stop_and_may_begin_again_after_it(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(fenced, "stop", lambda: told.append("stop"))
    monkeypatch.setattr(fenced, "resume", lambda: told.append("resume"))
    with at_work({"stories": 1}):
        assert told == []
    assert told == ["stop", "resume"]


def test_a_pool_that_was_stopped_goes_on_once_it_is_resumed(pool: Pool) -> None:
    pool.stop()
    with pytest.raises(Stopped):
        run(pool, "Hello.")
    pool.resume()
    run(pool, "Hello.")


def test_a_build_that_was_ended_is_put_back_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(**_: object) -> None:
        raise Stopped

    def one_is_due(*, user_id: UUID, actor: Actor) -> int:
        return building.try_building(user_id, UUID(int=2), actor=actor)

    monkeypatch.setattr(building, "build_story", stopped)
    monkeypatch.setattr(building, "put_off", lambda *_, **__: pytest.fail("noted as a failure"))
    monkeypatch.setattr(tasks, "build_due", one_is_due)
    with pytest.raises(tasks.WorkerEnding) as caught:
        tasks.build.func(user_id=str(UUID(int=1)))
    job = SimpleNamespace(attempts=500)
    assert tasks.Retry().get_retry_decision(exception=caught.value, job=job)  # type: ignore[arg-type]
    assert not tasks.Retry().get_retry_decision(exception=tasks.JobFailed(), job=job)
