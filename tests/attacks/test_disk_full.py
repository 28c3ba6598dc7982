"""Fault: the disk of the database is full. Requests are refused without content, nothing acknowledged is lost, and once
there is room again everything works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.installation import a_folder, installed
from tests.processes import PROJECT, until
from tests.writers import Refusal, Writer, compare

MEGABYTES = 224
CANARY = "the heron at the weir "
SIZES = (50,)


@contextmanager
def mounted(megabytes: int) -> Iterator[Path]:
    """A disk that is soon full."""
    if os.geteuid():
        pytest.skip("mounting a small disk needs root")
    with a_folder() as disk:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("nothing may be mounted here")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with mounted(MEGABYTES) as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Take all there is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    return ballast


class Believer(Writer):
    """The control: it takes a refusal for an acknowledgement."""

    def insist(self, path: str, body: Any, key: str) -> Any:
        try:
            return self.send("POST", path, body, key)
        except Refusal as refusal:
            self.written.failed[str(refusal)] += 1


def test_nothing_acknowledged_is_lost_and_it_works_again_once_there_is_room(
    small_disk: Path, record_property: pytest.RecordProperty
) -> None:
    with installed(small_disk, processes=1) as installation:
        writer = Writer(
            0, installation.web.port, local_tokens.issue(uid="full"), threading.Event(), sizes=SIZES, about=CANARY * 20
        )
        writer.start()
        until(lambda: len(writer.written.acknowledged) >= 200)
        believer = Believer(1, installation.web.port, local_tokens.issue(uid="believes"), threading.Event())
        believer.write(["Before."])
        ballast = fill(small_disk)
        until(lambda: sum(writer.written.failed.values()) >= 5)
        until(
            lambda: believer.write([f"{len(believer.written.acknowledged)} {CANARY * 500}"]) or believer.written.failed
        )
        refused, before = dict(writer.written.failed), len(writer.written.acknowledged)
        ballast.unlink()
        if not installation.postgres.is_running():
            installation.start_postgres()  # it gave up where it could not write its log, and is started again
        until(lambda: len(writer.written.acknowledged) >= before + 200)
        writer.over.set()
        writer.join()
        kept, believed = compare([writer]), compare([believer])
        said = installation.web.said() + installation.postgres.log.read_text(errors="replace")
        trail = installation.manage("verify_audit")
    assert (kept.lost, kept.doubled, kept.untyped) == (0, 0, set())
    assert believed.lost == sum(believed.failed.values()) > 0, "the control"
    assert set(kept.failed) <= {"answered 500", "answered 503"}, kept.failed
    assert CANARY not in said + "".join(writer.written.refusals)
    assert trail.returncode == 0, trail.stdout + trail.stderr
    record_property("figure", f"{kept.acknowledged:,} acknowledged, {sum(refused.values())} refused while full, 0 lost")


COUNTING = """
import sys
from vibe.metrics import shared
if sys.argv[1] == "reserved":
    shared.reserve_room()
from prometheus_client import Counter
counter = Counter("routes", "Of requests.", ["route"])
counter.labels("first").inc()
try:
    with open(f"{sys.argv[2]}/ballast", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
for number in range(3000):
    counter.labels(f"route {number}").inc()
"""


@pytest.mark.parametrize(("how", "ends"), [("reserved", 0), ("as it ships", -signal.SIGBUS)])
def test_whoever_counts_goes_on_while_the_disk_of_the_counts_fills(how: str, ends: int) -> None:
    """The control: with the library's own files, the system ends the process."""
    with mounted(8) as disk:
        counts = {"PROMETHEUS_MULTIPROC_DIR": str(disk), "DJANGO_SETTINGS_MODULE": "vibe.settings"}
        command = [sys.executable, "-c", COUNTING, how, str(disk)]
        done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **counts}, capture_output=True, check=False)
    assert done.returncode == ends, done.stderr.decode()
