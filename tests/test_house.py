"""How the code is arranged: where verbs are, how large a folder is, and what -OO leaves of an error."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("accounts", "audit", "memories", "stories", "vibe")
MOST = 20  # modules in one folder
# What records besides verbs: requests, calls of tools, and commands that prove the log itself.
RECORD_TOO = {
    "accounts/authentication/middleware.py",
    "accounts/idempotency.py",
    "accounts/models/people.py",
    "audit/management/commands/verify_audit.py",
    "audit/middleware.py",
    "stories/tasks.py",
    "vibe/mcp/calls.py",
    "vibe/mcp/web.py",
}


def sources() -> list[Path]:
    return [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py")) if "migrations" not in path.parts]


def records(source: str) -> bool:
    """Whether a module calls `record`."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "record"
        for node in ast.walk(ast.parse(source))
    )


def is_services(path: Path) -> bool:
    return "services" in path.parts or path.name == "services.py"


def test_verbs_are_in_services() -> None:
    recording = {path for path in sources() if records(path.read_text(encoding="utf-8"))}
    elsewhere = {str(path.relative_to(ROOT)) for path in recording if not is_services(path)}
    assert elsewhere <= RECORD_TOO
    assert len(recording) > 25


def test_control_a_verb_elsewhere_is_found() -> None:
    assert records("def change():\n    record(actor=actor, action='x')\n")
    assert not is_services(ROOT / "accounts" / "people" / "lookup.py")


def test_no_folder_holds_more_modules_than_one_can_take_in() -> None:
    folders = {path.parent for path in sources()}
    large = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := len([path for path in folder.glob("*.py") if path.name != "__init__.py"])) > MOST
    }
    assert not large


def test_folders_that_architecture_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:accounts|audit|memories|stories|vibe|tests)(?:/\w+)+)`", text))
    assert len(named) > 20
    assert not {name for name in named if not (ROOT / name).is_dir()}


@pytest.mark.parametrize("flag", [[], ["-OO"]], ids=["plain", "without docstrings"])
def test_the_message_of_an_error_is_there_whatever_python_leaves_out(flag: list[str]) -> None:
    program = "from vibe.core.crypto.errors import SealBroken; print(SealBroken())"
    said = subprocess.run(
        [sys.executable, *flag, "-c", program],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith("The seal does not hold")


KNOWN = frozenset(
    [
        ".ci",
        ".dockerignore",
        ".github",
        ".gitignore",
        "Dockerfile",
        "Makefile",
        "README.md",
        "manage.py",
        "pyproject.toml",
        "requirements.lock",
        "requirements-dev.lock",
        "accounts",
        "audit",
        "benchmarks",
        "clients",
        "compose.yaml",
        "deploy",
        "docs",
        "memories",
        "scripts",
        "stories",
        "tests",
        "vibe",
    ]
)


def test_nothing_that_a_run_left_behind_is_in_the_project() -> None:
    """A database and its keys, made in this folder, would go with the next commit of everything."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    assert {path.partition("/")[0] for path in listed.stdout.splitlines()} == KNOWN
