"""The TypeScript client, compiled and run by Node against a server: as the Python one, with its README's examples."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.clients.conftest import Live
from tests.clients.test_examples import MOST_LINES, PAGE, blocks, meant, set_in
from tests.clients.test_fake import comparable
from tests.processes import PATIENCE, PROJECT

PACKAGE = PROJECT / "clients" / "typescript"
PINNED = json.loads((PACKAGE / "package.json").read_text())["devDependencies"]["typescript"]
PAGES = {"clients": PAGE, "readme": PACKAGE / "README.md"}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, what it is put through, and the examples of its docs, compiled together with all checks on."""
    if not shutil.which("npx"):
        pytest.skip("no Node.js: npx is not there")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("src", "package.json", "tsconfig.json"):
        copy = shutil.copytree if name == "src" else shutil.copy
        copy(PACKAGE / name, folder / name)
    shutil.copy(Path(__file__).with_name("scene.ts"), folder / "src")
    for name, page in PAGES.items():
        text = "\n".join(blocks(page, "ts")).replace('"vibe-client"', '"./index.js"')
        (folder / "src" / f"{name}.ts").write_text(text.replace('"vibe-client/fake"', '"./fake.js"'))
    command = ["npx", "--yes", f"--package=typescript@{PINNED}", "tsc"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if "npm error" in done.stderr:
        pytest.skip(f"npx cannot install typescript@{PINNED}")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(script: Path, *arguments: str) -> str:
    """What a script prints."""
    command = ["node", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def scene(compiled: Path, part: str, *arguments: str) -> Any:
    return json.loads(run(compiled / "dist" / "scene.js", part, *arguments))


def test_the_usual(live: Live, compiled: Path) -> None:
    assert scene(compiled, "usual", live.address, live.person()[1]) == {
        "upload": "waiting",
        "pages": "0123456",
        "down": "6543210",
        "filtered": 7,
        "outdated": True,
        "missing": "NotFound",
        "unknown": 1,
        "unauthorized": True,
        "unreachable": True,
        "stopped": "AbortError",
    }


def test_what_is_tried_again_is_done_once(live: Live, compiled: Path) -> None:
    live.faults.extend(["away", "lost"])
    assert scene(compiled, "faults", live.address, live.person()[1]) == {"count": 1}
    assert len(live.seen) == 4


def test_control_without_the_key_it_would_be_done_twice(live: Live, compiled: Path) -> None:
    live.without = {"HTTP_IDEMPOTENCY_KEY"}
    live.faults.append("lost")
    assert scene(compiled, "faults", live.address, live.person()[1]) == {"count": 2}


def test_a_token_of_firebase_that_expires_midway_is_renewed_once(live: Live, compiled: Path) -> None:
    uid, good = live.person()
    told = scene(compiled, "expired", live.address, local_tokens.issue(uid=uid, seconds=-3600), good)
    assert told == {"name": "Ada Tavares", "asked": [False, True], "never": "token-expired"}


def test_the_fake_answers_as_the_server_does(live: Live, compiled: Path) -> None:
    told = scene(compiled, "compared", live.address, live.person()[1])
    for number, (real, faked) in enumerate(zip(told["server"], told["fake"], strict=True)):
        assert comparable(faked) == comparable(real), f"answer {number}"
    assert told["requests"] > 40
    assert "does not know GET /me/access-log" in told["unknown"]


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(live: Live, compiled: Path, page: str) -> None:
    script = compiled / "dist" / f"{page}.js"
    script.write_text(set_in(script.read_text(), meant(live)))
    said = run(script).splitlines()
    assert said[0] == "I moved to Lisbon last Friday."
    if page == "readme":
        assert said[1:] == ["Ada I moved to Lisbon last Friday.", "external-id-taken true", "true", "Ada 3"]


def test_the_first_memory_takes_ten_lines_at_most() -> None:
    assert len([line for line in blocks(PAGE, "ts")[0].splitlines() if line.strip()]) <= MOST_LINES
