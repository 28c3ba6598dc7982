"""The examples of docs/api.md run as they stand, in their order, against a server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections

from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.cast import TESTER
from tests.processes import PATIENCE
from vibe.api.instance import api

GUIDE = (Path(__file__).resolve().parent.parent.parent / "docs" / "api.md").read_text()
V1 = "/api/v1"


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Closing(WSGIHandler):
    """The server's thread ends while the test goes on; its connection must not."""

    def __call__(self, *args: object) -> object:
        try:
            return list(super().__call__(*args))
        finally:
            connections.close_all()


@pytest.fixture
def server(committed: None) -> Iterator[str]:
    ensure_person(profile=Profile("sample-ada", name="Ada"), actor=TESTER)
    with make_server("127.0.0.1", 0, Closing(), handler_class=Silent) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}{V1}"
        running.shutdown()
        thread.join()


def script(address: str) -> str:
    """Every indented line of the guide that is a command, with this server and a token of this process."""
    lines = [line.removeprefix("    ") for line in GUIDE.splitlines() if re.match(r"    (?! *[{\"])", line)]
    text = "\n".join(lines).replace(".venv/bin/python -c", f"{sys.executable} -c")
    text = re.sub(r"^API=.*$", f"API={address}", text, flags=re.MULTILINE)
    text = re.sub(r"^TOKEN=.*$", f"TOKEN={local_tokens.issue(uid='sample-ada')}", text, flags=re.MULTILINE)
    return text.replace("curl -s", "curl -s --fail-with-body -w '\\n'")


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_the_examples_run(server: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(server)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"title":"Moving to Lisbon"' in done.stdout
    assert "I moved to Lisbon last Friday." in done.stdout
    assert '{"theme":"dark"}' in done.stdout
    assert "api:change_preferences" in done.stdout


def test_every_operation_is_in_the_guide() -> None:
    named = {
        (method, path)
        for row in re.findall(r"^\| (`[A-Z].*?) \|", GUIDE, re.MULTILINE)
        for methods, path in re.findall(r"((?:`[A-Z]+`, )*`[A-Z]+) (/[^`]*)`", row)
        for method in re.findall(r"[A-Z]+", methods)
    }
    there = {
        (method.upper(), re.sub(r"\{.*?\}", "ID", path.removeprefix(V1)))
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    }
    assert there == named


def test_every_code_of_ours_is_in_the_guide() -> None:
    from vibe.core.errors import InputError, VibeError

    def kinds(base: type[VibeError]) -> Iterator[type[VibeError]]:
        for kind in base.__subclasses__():
            yield kind
            yield from kinds(kind)

    told = {
        kind.code for kind in kinds(VibeError) if kind.__module__.startswith(("vibe.api", "memories.services.adding"))
    }
    assert {code for code in told | {InputError.code} if f"`{code}`" not in GUIDE} <= {"error"}
