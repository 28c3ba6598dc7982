"""A linter finds nothing in the description of the API. redocly.yaml says what is left out of its rules, and why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PATIENCE
from vibe.api.instance import api

LINTER = "@redocly/cli@2.77.0"
RULES = Path(__file__).with_name("redocly.yaml")
SILENT = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["npx", "--yes", LINTER, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ, **SILENT}
    )


@cache
def missing() -> str:
    """Why there is no linter; empty if there is one."""
    if not shutil.which("npx"):
        return "no Node.js: npx is not there"
    return "" if run("--version").returncode == 0 else f"npx cannot install {LINTER}"


@pytest.fixture
def lint(tmp_path: Path) -> Callable[[Any], tuple[int, set[str]]]:
    """The number of problems of a description, and the rules that they are of."""
    if why := missing():
        pytest.skip(why)

    def found(description: Any) -> tuple[int, set[str]]:
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(description))
        told = json.loads(run("lint", f"--config={RULES}", "--format=json", str(file)).stdout)
        totals = told["totals"]
        return totals["errors"] + totals["warnings"], {each["ruleId"] for each in told["problems"]}

    return found


@pytest.fixture
def description() -> Any:
    return json.loads(json.dumps(api.get_openapi_schema(), default=str))


def test_nothing_is_found(lint: Any, description: Any) -> None:
    assert lint(description) == (0, set())


def without_servers(description: Any) -> None:
    del description["servers"]


def without_a_tag(description: Any) -> None:
    description["tags"].pop()


def example_that_is_none(description: Any) -> None:
    description["components"]["schemas"]["Memory"]["properties"]["utc_offset"]["examples"] = ["two hours"]


def list_of_examples(description: Any) -> None:
    description["components"]["parameters"]["VibePerson"]["examples"] = ["uid:ada"]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (without_servers, "no-empty-servers"),
        (without_a_tag, "operation-tag-defined"),
        (example_that_is_none, "no-invalid-schema-examples"),
        (list_of_examples, "struct"),
    ],
)
def test_control_what_is_wrong_is_found(lint: Any, description: Any, spoil: Any, rule: str) -> None:
    spoil(description)
    count, rules = lint(description)
    assert count
    assert rule in rules
