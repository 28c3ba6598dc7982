"""Clients that others' generators make of the description compile, leave nothing out, and work with the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Live
from tests.clients.test_typescript import PINNED
from tests.processes import PATIENCE
from vibe.api.instance import api

NPM = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", f"typescript-7@npm:typescript@{PINNED}")
PIP = ("openapi-python-client==0.29.1", "ruamel.yaml==0.19.1", "shellingham==1.5.4", "typer==0.27.3")
PIP += ("annotated-doc==0.0.7",)  # with --no-deps: the rest is there
ROUND_TRIP = [["I moved to Lisbon."], "I moved to Lisbon.", 204, "not-found"]
# The export is lines of JSON, which the generator knows as bytes when it is told so.
CONFIG = {"content_type_overrides": {"application/x-ndjson": "application/octet-stream"}, "post_hooks": []}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "packages")}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
    )


def done(folder: Path, *command: str) -> str:
    ended = run(folder, *command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warn" not in (ended.stdout + ended.stderr).lower(), ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def description(tmp_path: Path) -> Any:
    schema = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    (tmp_path / "openapi.json").write_text(json.dumps(schema))
    return schema


def operations(description: Any) -> set[str]:
    return {each["operationId"] for methods in description["paths"].values() for each in methods.values()}


def test_openapi_typescript(live: Live, tmp_path: Path, description: Any) -> None:
    if not shutil.which("npm"):
        pytest.skip("no Node.js: npm is not there")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
    if run(tmp_path, "npm", "install", *options, *NPM).returncode:
        pytest.skip(f"npm cannot install {' and '.join(NPM)}")
    shutil.copy(Path(__file__).with_name("generated.ts"), tmp_path)
    done(tmp_path, "node_modules/.bin/openapi-typescript", "openapi.json", "-o", "schema.ts")
    made = (tmp_path / "schema.ts").read_text().partition("export interface operations {")[2]
    assert all(f"\n    {name}: {{" in made for name in operations(description))
    checks = ("--strict", "--target", "ES2022", "--module", "NodeNext", "--lib", "ES2023,DOM", "--types", "")
    done(tmp_path, "node", "node_modules/typescript-7/bin/tsc", *checks, "generated.ts")
    assert json.loads(done(tmp_path, "node", "generated.js", live.address, live.person()[1])) == ROUND_TRIP


def test_openapi_python_client(live: Live, tmp_path: Path, description: Any) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "packages")
    if run(tmp_path, *pip, *PIP).returncode:
        pytest.skip(f"pip cannot install {' and '.join(PIP)}")
    generate = (sys.executable, "-m", "openapi_python_client", "generate", "--path=openapi.json", "--meta=none")
    generate += ("--config=config.json", "--fail-on-warning", "--overwrite", "--output-path=generated_client")
    (tmp_path / "config.json").write_text(json.dumps({"post_hooks": []}))
    assert run(tmp_path, *generate).returncode, "the control: a response that it leaves out is told"
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    done(tmp_path, *generate)
    assert {each.stem for each in tmp_path.glob("generated_client/api/*/[a-z]*.py")} == operations(description)
    script = shutil.copy(Path(__file__).with_name("generated.py"), tmp_path)
    done(tmp_path, sys.executable, "-m", "mypy", "--config-file=", "--strict", "generated_client", script)
    assert json.loads(done(tmp_path, sys.executable, script, live.address, live.person()[1])) == ROUND_TRIP
