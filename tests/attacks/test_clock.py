"""Fault: the clock of the machine is set forward and back under everything, PostgreSQL too. Promises are kept."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection

from accounts.authentication import local_tokens, rate_limit_store
from tests.installation import Installation, a_folder, installed
from tests.processes import until
from tests.writers import Refusal, Writer, compare
from vibe.core.http.rate_limits import Rate, RateLimitResult

SOURCE = Path(__file__).resolve().parent.parent / "shifted_clock.c"
HOUR, DAY = 3_600, 86_400


class Clock:
    """How far the clock of everything that is preloaded is off; it may be changed at any time."""

    def __init__(self, folder: Path) -> None:
        self.library, self.file = folder / "clock.so", folder / "shift"
        self.set(0)
        compiled = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", str(self.library), str(SOURCE), "-ldl"], check=False
        )
        if compiled.returncode:
            pytest.skip("the C library's headers are not installed")
        folder.chmod(0o755)
        self.environment = {"LD_PRELOAD": str(self.library), "SHIFTED_CLOCK": str(self.file)}

    def set(self, seconds: int) -> None:
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
        self.seconds = seconds

    def token(self, uid: str, *, seconds: int = HOUR) -> str:
        """As this clock's machine would issue it now."""
        ours = time.time
        local_tokens.time.time = lambda: ours() + self.seconds  # type: ignore[assignment]
        try:
            return local_tokens.issue(uid=uid, seconds=seconds)
        finally:
            local_tokens.time.time = ours


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    with a_folder() as folder:
        yield Clock(folder)


@pytest.fixture(scope="module")
def shifted(clock: Clock) -> Iterator[Installation]:
    """An installation under that clock, PostgreSQL included."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clock.environment.items():
            patch.setenv(name, value)
        with a_folder() as folder, installed(folder, processes=1, STORY_QUIET_SECONDS="0") as installation:
            [(apart,)] = installation.ask("SELECT abs(extract(epoch FROM clock_timestamp()) - %s)", time.time())
            assert apart < HOUR
            clock.set(DAY)
            [(apart,)] = installation.ask("SELECT abs(extract(epoch FROM clock_timestamp()) - %s)", time.time())
            assert apart > HOUR, "PostgreSQL has not this clock"
            clock.set(0)
            yield installation
            clock.set(0)


def status_of(writer: Writer, token: str) -> int:
    writer.token = token
    try:
        writer.send("GET", writer.paths[0])
    except Refusal as refusal:
        return refusal.status
    return 200


def test_what_was_acknowledged_is_there_once_and_the_trail_proves(clock: Clock, shifted: Installation) -> None:
    shifted.start_worker()
    writer = Writer(0, shifted.web.port, clock.token("jumping"), threading.Event(), sizes=(1, 20))
    writer.start()
    for seconds in (HOUR, -HOUR, 40 * DAY, -40 * DAY, 20 * HOUR, -20 * HOUR, 0):
        clock.set(seconds)
        writer.token = clock.token("jumping")
        before = len(writer.written.acknowledged)
        until(lambda before=before: len(writer.written.acknowledged) > before + 5)
    writer.over.set()
    writer.join()
    kept = compare([writer])
    assert (kept.lost, kept.doubled, kept.untyped) == (0, 0, set())
    assert set(kept.failed) <= {"answered 401"}, "a token of another hour, and nothing else"
    shifted.settle()
    unsealed = "SELECT 1 FROM audit_logs r WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.row_id = r.id) LIMIT 1"
    until(lambda: not shifted.ask(unsealed))
    shifted.end_worker()
    trail = shifted.manage("verify_audit")
    assert trail.returncode == 0, trail.stdout + trail.stderr
    lineage = shifted.manage("check_lineage")
    assert lineage.returncode == 0, lineage.stdout + lineage.stderr


def test_a_token_holds_for_its_time_by_whatever_clock_there_is(clock: Clock, shifted: Installation) -> None:
    token = clock.token("token")
    writer = Writer(0, shifted.web.port, token, threading.Event())
    writer.write(["Before."])
    found = {}
    for seconds in (0, HOUR // 2, 2 * HOUR, -2 * HOUR, 0):
        clock.set(seconds)
        found[seconds] = status_of(writer, token)
    assert found == {0: 200, HOUR // 2: 200, 2 * HOUR: 401, -2 * HOUR: 401}


def test_a_retry_is_a_retry_for_a_day_by_whatever_clock_there_is(clock: Clock, shifted: Installation) -> None:
    writer = Writer(0, shifted.web.port, clock.token("retrying"), threading.Event())
    writer.write(["Begun."])
    path, body, key = writer.paths[0], {"author": "Ada", "text": "Once."}, uuid4().hex
    first = writer.send("POST", path, body, key)
    for seconds in (23 * HOUR, -23 * HOUR, -40 * DAY, 0):
        clock.set(seconds)
        writer.token = clock.token("retrying")
        assert writer.send("POST", path, body, key) == first
    assert writer.texts() == {"Begun.": 1, "Once.": 1}
    clock.set(25 * HOUR)
    writer.token = clock.token("retrying")
    assert writer.send("POST", path, body, key) != first, "the limit, and the control"
    clock.set(0)


# Of the parts


def full_at(name: str, interval: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_limits SET full_at = now() + %s::interval WHERE name = %s", [interval, name])


def after_the_clock_was_set_back(name: str) -> RateLimitResult:
    """What a caller is told whose bucket was written by a clock that was 20 hours ahead."""
    rate = Rate.parse("API_LIMIT_PERSON", "60/10")
    assert rate
    assert rate_limit_store.take(name, rate).allowed
    full_at(name, "20 hours")
    return rate_limit_store.take(name, rate)


def test_a_bucket_of_a_clock_that_was_ahead_locks_nobody_out(db: None) -> None:
    refused = after_the_clock_was_set_back("ahead")
    assert (refused.allowed, refused.retry_after) == (False, 1)
    full_at("ahead", "8 seconds")
    assert rate_limit_store.take("ahead", refused.rate).allowed


def test_control_else_it_would_until_the_clock_is_there_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit_store, "TAKE", rate_limit_store.TAKE.replace(rate_limit_store.THERE, "kept.full_at"))
    assert after_the_clock_was_set_back("ahead").retry_after > 19 * HOUR
