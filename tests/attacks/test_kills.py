"""Fault: web workers, job workers, database backends and the postmaster are killed while memories are added.

What was acknowledged is there, once, and opens. (In numbers: `python -m benchmarks.kills`. That without keys retries
double: test_api_retries.)
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from random import Random
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.attacks.corpus import tries
from tests.installation import Installation, Killer
from tests.processes import until
from tests.servers import started_by
from tests.writers import Refusal, Writer, compare

EACH = tries(1, 25)
CLIENTS, SIZES = 2, (1, 10, 100)
UNBUILT = "SELECT 1 FROM stories WHERE built_at IS NULL OR due_at <= now()"
AGAIN = 20  # tries of what is left to chance
CONVERSATIONS, MESSAGES = 40, 250  # of an import: five batches


def writers_on(installation: Installation, count: int = CLIENTS) -> list[Writer]:
    return [
        Writer(
            number, installation.web.port, local_tokens.issue(uid=f"killed-{number}"), threading.Event(), sizes=SIZES
        )
        for number in range(count)
    ]


def test_what_was_acknowledged_is_there_once_and_opens(installation: Installation, record_property) -> None:
    killer, chance = Killer(installation, Random()), Random()
    planned = list(killer.kinds) * EACH
    chance.shuffle(planned)
    installation.start_worker()
    writers = writers_on(installation)
    for writer in writers:
        writer.start()
    for kind in planned:
        before = sum(len(each.written.acknowledged) for each in writers)
        until(killer.kinds[kind])
        until(lambda before=before: sum(len(each.written.acknowledged) for each in writers) > before)
    for writer in writers:
        writer.over.set()
    for writer in writers:
        writer.join()
    kept = compare(writers)
    assert kept.acknowledged > 0
    assert (kept.lost, kept.doubled, kept.untyped) == (0, 0, set())
    assert set(kept.failed) <= {"answered 503", "RemoteDisconnected", "ConnectionResetError"}, kept.failed
    for writer in writers:
        for path in writer.paths:
            conversation = writer.read(path.removesuffix("/memories"))
            assert conversation["memory_count"] == len(list(writer.items(path)))
    installation.settle()
    lineage = installation.manage("check_lineage")
    assert lineage.returncode == 0, lineage.stdout + lineage.stderr
    trail = installation.manage("verify_audit")
    assert trail.returncode == 0, trail.stdout + trail.stderr
    record_property("figure", f"{len(planned)} kills over {kept.acknowledged:,} acknowledged writes, 0 lost, 0 doubled")


def test_an_import_whose_worker_is_killed_in_the_middle_comes_in_whole_and_once(installation: Installation) -> None:
    installation.do("DELETE FROM job_workers")
    headers = {"Authorization": f"Bearer {local_tokens.issue(uid='imports')}"}
    here = "FROM encrypted_memories m JOIN users u ON u.id = m.user_id WHERE u.firebase_uid = 'imports'"

    def asked(method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        status, answer = installation.web.send(method, path, body, **headers, **{"Content-Type": kind})
        assert status < 300, answer
        return json.loads(answer or b"null")

    begun = asked("POST", "/api/v1/me/import", b'{"format": "jsonl"}')
    path = f"/api/v1/me/import/{begun['id']}"
    asked("PUT", f"{path}/parts/0", b"\n".join(map(exported, range(CONVERSATIONS))), "application/octet-stream")
    asked("POST", f"{path}/start", b'{"parts": 1}')
    installation.start_worker()
    until(lambda: installation.ask(f"SELECT 1 {here} LIMIT 1"))
    installation.end_worker()
    [(some,)] = installation.ask(f"SELECT count(*) {here}")
    assert 0 < some < CONVERSATIONS * MESSAGES, "it was in the middle"
    assert asked("GET", path)["state"] == "running"
    installation.do("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    installation.start_worker()
    until(lambda: asked("GET", path)["state"] == "done")
    counts = asked("GET", path)["counts"]
    assert (counts["unchanged"], counts["memories"]) == (some, CONVERSATIONS * MESSAGES - some), (
        "read again, taken once"
    )
    found = installation.ask(f"SELECT count(*), count(DISTINCT m.message_ids) {here}")
    assert found == [(CONVERSATIONS * MESSAGES, CONVERSATIONS * MESSAGES)]


def exported(number: int) -> bytes:
    """A conversation of a file to be imported."""
    said = [
        {"id": f"m{number}-{each}", "author": "Ada", "text": f"Said {each}.", "sent_at": "2026-05-12T09:30:00Z"}
        for each in range(MESSAGES)
    ]
    return json.dumps({"conversation": {"id": f"c{number}"}, "messages": said}).encode()


def test_a_worker_outlives_a_restart_of_the_database(installation: Installation) -> None:
    """Nothing is to be restarted: the same process does what comes afterwards."""
    installation.do("DELETE FROM job_workers")  # those of workers that were killed
    installation.start_worker()
    worker = installation.worker
    until(lambda: installation.ask("SELECT 1 FROM job_workers"))
    for pause in (0, 6):  # more than a heartbeat
        installation.stop_postgres()
        time.sleep(pause)
        installation.start_postgres()
        [writer] = writers_on(installation, 1)
        writer.write([f"Memory {pause}."])
        installation.do("UPDATE stories SET due_at = now()")
        until(lambda: not (installation.worker_runs() and installation.ask(UNBUILT)))
    assert installation.worker is worker
    assert installation.worker_runs(), installation.worker_log()


@pytest.mark.parametrize(("wait", "runs"), [("60", True), ("0", False)])
def test_a_worker_that_is_started_while_the_database_is_away_waits_for_it(
    installation: Installation, wait: str, runs: bool
) -> None:
    """With no time to wait it ends, the control."""
    installation.do("DELETE FROM job_workers")
    installation.stop_postgres()
    before = len(installation.worker_log())
    installation.start_worker(DATABASE_WAIT_SECONDS=wait)
    until(lambda: "No PostgreSQL answers" in installation.worker_log()[before:] or not installation.worker_runs())
    installation.start_postgres()
    until(lambda: not installation.worker_runs() or installation.ask("SELECT 1 FROM job_workers"))
    assert installation.worker_runs() is runs, installation.worker_log()


def test_control_without_waiting_for_the_disk_an_acknowledged_write_is_lost(installation: Installation) -> None:
    """What holds them is that a commit is on disk before it is answered."""
    with installation.configured(synchronous_commit="off", wal_writer_delay="10s", wal_writer_flush_after="1GB"):
        assert "synchronous_commit" in installation.manage("doctor").stdout

        def lost() -> int:
            [writer] = writers_on(installation, 1)
            for number in range(3):
                writer.write([f"Memory {number}."])
            power_off(installation)
            try:
                return compare([writer]).lost
            except Refusal as refusal:
                assert refusal.status == 404, "the conversation is gone too"
                return 1

        assert any(lost() for _ in range(AGAIN))


def power_off(installation: Installation) -> None:
    """All of PostgreSQL at once, as when the machine loses its memory."""
    postmaster = installation.postmaster()
    for process in (postmaster, *started_by(postmaster)):
        os.kill(process, signal.SIGKILL)
    installation.start_postgres()
    until(lambda: installation.web.ask("/readyz")[0] == 200)
