"""The examples of docs/api.md run as they stand, in their order, against a server."""

from __future__ import annotations

import importlib
import json
import pkgutil
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
from tests.api.conftest import Server
from tests.cast import TESTER
from tests.processes import PATIENCE
from vibe.api.error_handlers import Failed
from vibe.api.instance import api
from vibe.core.errors import NotFound, VibeError
from vibe.core.http.responses import problem
from vibe.middleware import Other

GUIDE = (Path(__file__).resolve().parent.parent.parent / "docs" / "api.md").read_text()
V1 = "/api/v1"
PARTS = ("accounts", "audit", "memories", "stories", "vibe")
OTHERS = (400, 405, 500, 503)  # what Django and our middleware refuse by status alone
NOT_SERVED = {  # errors with a status below or above 500 that no operation of the API lets out, and who meets them
    "audit-month-kept": "prune_audit",
    "backup-broken": "restore",
    "bad-line": "import_conversations; the API shows it in `problems` of an import",
    "names-another": "the same",
    "unreadable-file": "the same",
    "body-too-slow": "agents, over HTTP",
    "conflict": "nobody: the base of errors that say more",
    "database-not-ready": "commands; the API says busy",
    "embedder-failed": "jobs; a search goes by words, a correction waits for a job",
    "form-too-old": "the admin",
    "job-not-failed": "the admin",
    "mail-not-sent": "jobs",
    "no-longer": "the admin",
    "not-open": "the admin",
    "not-waiting": "the admin",
    "processing-failed": "jobs",
    "processor-failed": "jobs",
    "processor-timed-out": "jobs",
    "processor-out-of-memory": "jobs",
    "processor-crashed": "jobs",
    "processor-stopped": "jobs",
    "provider-away": "jobs",
    "provider-answer-cut": "jobs",
    "provider-bad-answer": "jobs",
    "provider-busy": "jobs",
    "provider-declined": "jobs",
    "provider-failed": "jobs",
    "provider-refused": "jobs",
    "provider-slow": "jobs",
    "provider-unreachable": "jobs",
    "provider-wrong-dimensions": "jobs",
    "still-coming": "reembed_stories",
    "tokens-busy": "jobs",
    "tokens-spent": "jobs",
    "unauthenticated": "nobody: the base of errors that say more",
    "wrong-master-key": "commands; the API says service-unavailable",
    "too-many-failures": "the admin",
}


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
    text = re.sub(r"^KEY=.*$", f"KEY={Server.with_scopes('people', 'read', 'write').key}", text, flags=re.MULTILINE)
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
    assert '"uid":"telegram:5512"' in done.stdout
    assert done.stdout.count("I moved to Lisbon last Friday.") >= 4  # of the server, and of the person
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
        (method.upper(), re.sub(r"\{.*?\}", "ID", path.replace("{uid}", "UID").removeprefix(V1)))
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    }
    assert there == named


def kinds(base: type[VibeError] = VibeError) -> Iterator[type[VibeError]]:
    """All errors of ours, of the modules that are imported."""
    for kind in base.__subclasses__():
        if kind.__module__.partition(".")[0] in PARTS:
            yield kind
        yield from kinds(kind)


def import_everything() -> None:
    """Import all modules of ours, so that `kinds` knows all errors."""
    for part in PARTS:
        for module in pkgutil.walk_packages(importlib.import_module(part).__path__, f"{part}."):
            if ".migrations." not in module.name:
                importlib.import_module(module.name)


def served() -> set[tuple[str, str]]:
    """Status and code of everything that the API may answer."""
    import_everything()
    ours = {kind for kind in kinds() if kind.status != Failed.status and kind.code not in NOT_SERVED} | {Failed}
    others = [Other(status) for status in OTHERS]
    return {(str(each.status), each.code) for each in [*ours, *others]}


def test_every_problem_is_in_the_guide_as_it_is_served_and_no_other() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (`[a-z`, -]+`) \| \S.* \|$", GUIDE, re.MULTILINE)
    told = [(status, code) for status, codes in rows for code in re.findall(r"[a-z-]+", codes)]
    assert len(told) == len(set(told))
    assert set(told) == served()


def test_the_description_names_the_same_codes() -> None:
    described = api.get_openapi_schema()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert len(described) == len(set(described))
    assert set(described) == {code for _, code in served()}


def test_what_is_not_served_is_there() -> None:
    import_everything()
    assert set(NOT_SERVED) <= {kind.code for kind in kinds()}


def test_problems_are_described_as_they_are_served() -> None:
    said = json.loads(problem(NotFound(), request_id="x").content)
    described = api.get_openapi_schema()["components"]["schemas"]["Problem"]["properties"]
    assert described["type"]["examples"] == [said["type"]]
    assert set(said) <= set(described)
