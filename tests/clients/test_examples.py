"""Every example of the clients' docs runs as it stands there, against a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.conftest import Live
from tests.processes import PATIENCE, PROJECT

PAGE = PROJECT / "docs" / "clients.md"
PROTOTYPE = PROJECT / "docs" / "from-prototype.md"
PYTHON = PROJECT / "clients" / "python" / "README.md"
MOST_LINES = 10


def blocks(page: Path, language: str) -> list[str]:
    """The examples of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def meant(live: Live) -> dict[str, str]:
    """What stands in the examples, and what is meant here: this server, and somebody new."""
    key = live.key("people", "read", "write")
    return {"https://memory.example": live.address, "KEY": key, "telegram:5512": f"telegram:{uuid4()}"}


@pytest.fixture
def scene(live: Live) -> dict[str, str]:
    return meant(live)


def set_in(text: str, scene: dict[str, str]) -> str:
    for name, value in scene.items():
        text = text.replace(name, value)
    return text


@pytest.mark.parametrize("page", [PAGE, PYTHON], ids=["clients.md", "python"])
def test_python(page: Path, scene: dict[str, str], capsys: Any) -> None:
    text = "\n".join(each for each in blocks(page, "python") if "import VibeS" not in each)  # tests of their own
    exec(compile(set_in(text, scene), str(page), "exec"), {"__name__": "example"})  # noqa: S102
    said = capsys.readouterr().out
    assert said.startswith("I moved to Lisbon last Friday.\n")
    if page == PYTHON:
        assert said.endswith("It is gone.\nMoving to Lisbon\n")
        assert "Ada I moved to Lisbon" in said
        assert "external-id-taken" in said


def test_from_a_prototype(scene: dict[str, str]) -> None:
    every = blocks(PROTOTYPE, "python")
    assert len(every) == 5
    scope: dict[str, Any] = {"__name__": "example"}
    exec(compile(set_in("\n".join(every), scene), str(PROTOTYPE), "exec"), scope)  # noqa: S102
    assert [each["text"] for each in scope["ada"].filter_memories(until="2026-06-01T00:00:00Z")] == [
        "My cat is called Mouse."
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl(scene: dict[str, str]) -> None:
    [text] = blocks(PAGE, "sh")
    text = set_in(text.replace("$KEY", "KEY"), scene).replace("curl -s", "curl -s --fail-with-body")
    command = ["bash", "-euc", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("I moved to Lisbon last Friday.") == 2


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_a_day_of_the_readme(live: Live) -> None:
    """Context, add, search, forget: as they stand there, for somebody who is not of the sample."""
    page = (PROJECT / "README.md").read_text(encoding="utf-8")
    day = page[page.index("## Try it") : page.index("**Forget.**")] + "\n    vibe DELETE /memories/ID\n"
    token, short, *calls = [line.strip() for line in day.splitlines() if re.match(r"    (TOKEN=|vibe)", line)]
    assert token == "TOKEN=$(.venv/bin/python manage.py issue_token --user sample-teo)"
    short = short.replace("http://127.0.0.1:8000", live.address).replace("curl -s", "curl -s --fail-with-body")
    mine, made = live.person("Teo")[1], ""

    def answer(call: str) -> Any:
        command = ["bash", "-ec", f"TOKEN={mine}\n{short}\n{call.replace('ID', made)}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout or "null")

    context, add, search, forget = calls
    assert [call.split()[1] for call in calls] == ["POST", "POST", "POST", "DELETE"]
    assert answer(context)["tokens"] <= 300
    made = answer(add)["id"]
    assert [each["id"] for each in answer(search)["items"]] == [made]
    assert answer(forget) is None
    assert answer(search)["items"] == []


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_first_memory_takes_ten_lines_at_most(language: str) -> None:
    assert len([line for line in blocks(PAGE, language)[0].splitlines() if line.strip()]) <= MOST_LINES
