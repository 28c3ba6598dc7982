"""`manage.py run`, as a newcomer meets it: it starts by itself, tells stories by itself, and ends whole."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import User
from tests.processes import PATIENCE
from vibe.core.db.embedded.server import BINARIES
from vibe.core.db.scopes import as_support
from vibe.management.commands.run import make_staff

ROOT = Path(__file__).resolve().parent.parent
LINE = {
    "user": {"firebase_uid": "run-1", "email": "run-1@example.com", "name": "Ida"},
    "conversation": {"id": "c1", "title": "A new boat"},
    "messages": [
        {"id": "1", "author": "Ida", "text": "I bought a small boat in Bergen.", "sent_at": "2026-03-01T10:00:00Z"},
        {"id": "2", "author": "Vibe", "text": "What will you call it?", "sent_at": "2026-03-01T10:01:00Z"},
    ],
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def manage(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=PATIENCE, check=False, **options,
    )  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "DATABASE", "PYTEST"))
    }
    return {**outside, "VIBE_STATE_DIR": str(folder), "PYTHONUNBUFFERED": "1"}


def wait_for(text: str, output: Path, seconds: float = PATIENCE) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if text in (said := output.read_text()):
            return said
        time.sleep(0.2)
    pytest.fail(f"{text!r} was not said within {seconds} s:\n{output.read_text()}")


@pytest.fixture
def running(tmp_path):
    port, output = free_port(), tmp_path / "output"
    folder = tmp_path / "state"
    with output.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run", "--no-sample", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT, env=environment(folder), stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for("Ctrl-C ends it", output)
        yield process, folder, port, output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE)


def fetch(url: str, seconds: float = PATIENCE) -> tuple[int, str]:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def test_from_start_to_end(running):
    process, folder, port, output = running
    said = output.read_text()
    assert len(re.findall(r"(?:admin|support)@example\.com\s+\S{12,}", said)) == 2
    assert fetch(f"http://127.0.0.1:{port}/")[0] == 200
    assert "Vibe" in fetch(f"http://127.0.0.1:{port}/admin/login/")[1]

    imported = manage(folder, "import_conversations", "-", input=json.dumps(LINE))
    assert imported.returncode == 0, imported.stderr
    deadline, found = time.monotonic() + PATIENCE, {"stories": []}
    while not found["stories"] and time.monotonic() < deadline:
        found = json.loads(manage(folder, "search_stories", "--user", "run-1", "--json", "Which boat?").stdout)
    told = [passage["text"] for story in found["stories"] for passage in story["passages"]]
    assert LINE["messages"][0]["text"] in told, "the worker told no story"

    os.kill(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    status = subprocess.run(
        [BINARIES / "pg_ctl", "status", "-D", folder / "postgres" / "data"], check=False, capture_output=True
    )
    assert status.returncode != 0, "the database outlived the command"


def test_support_finds_people_and_the_superuser_everything(ada):
    """Whoever signs in as printed is not to stand before an empty page."""
    assert set(make_staff()) == {"admin@example.com", "support@example.com"}
    for email, page, status in (
        ("support@example.com", "/admin/accounts/user/?q=ada", 200),
        ("support@example.com", "/admin/health/", 403),
        ("admin@example.com", "/admin/health/", 200),
    ):
        client = Client()
        user = User.objects.get_by_natural_key(email)
        with as_support():
            client.force_login(user)
        assert client.get(page).status_code == status, (email, page)
        shown = client.get(f"/admin/accounts/user/{ada}/change/").content.decode()
        assert ("/admin/audit/auditlog/?" in shown) is user.is_superuser, "a link is shown to who may follow it"
    assert make_staff() == {}


def test_the_sign_ins_are_shown_once(running):
    process, folder, port, output = running
    os.kill(process.pid, signal.SIGTERM)
    process.wait(PATIENCE)
    second = output.with_name("second")
    with second.open("w") as sink:
        again = subprocess.Popen(
            [sys.executable, "manage.py", "run", "--no-sample", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT, env=environment(folder), stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
    said = wait_for("Ctrl-C ends it", second)
    os.kill(again.pid, signal.SIGINT)
    again.wait(PATIENCE)
    assert "@example.com" not in said


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = manage(tmp_path, "run", "--no-sample", "--bind", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode != 0
    assert "cannot be used" in done.stderr


def test_it_is_refused_with_debug_off(tmp_path, monkeypatch):
    for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY"):
        monkeypatch.setenv(name, os.urandom(32).hex())
    monkeypatch.setenv("DEBUG", "off")
    done = manage(tmp_path, "run", "--no-sample")
    assert done.returncode != 0
    assert "DEBUG is off" in done.stderr
