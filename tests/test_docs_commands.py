"""Every command and statement of docs/operations.md works as it stands there."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection, transaction

from tests.processes import PROJECT, url

PAGE = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
SHELL = [line.strip() for kind, block in BLOCKS if kind in ("sh", "") for line in block.splitlines() if line.strip()]
SQL = [block.strip() for kind, block in BLOCKS if kind == "sql"]
NAMED = sorted(set(re.findall(r"manage\.py (\w+(?: --[\w-]+)*)", PAGE)))
# What changes a machine, fetches or serves is checked in parts below, or in a test of its own.
ELSEWHERE = ("useradd", "install ", "git ", "cd ", "systemctl", "make install")
SECRETS = {name: os.urandom(32).hex() for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")}


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As an administrator types it, on a production machine with this database."""
    environment = {
        **os.environ, **SECRETS, "DEBUG": "off", "ALLOWED_HOSTS": "vibe.example", "DATABASE_URL": url(),
        "VIBE_STATE_DIR": str(folder),
    }  # fmt: skip
    words = line.replace(".venv/bin/python", sys.executable)
    options = {"cwd": PROJECT, "env": environment, "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(["sh", "-c", words], check=False, **options)


def test_the_page_is_read():
    assert len(SQL) >= 5
    assert len(SHELL) >= 8
    assert {"doctor", "migrate", "serve --worker"} <= set(NAMED)


RUNNABLE = sorted({line for line in SHELL if not line.startswith(ELSEWHERE)})


@pytest.mark.parametrize("line", RUNNABLE)
def test_a_command_of_the_page_runs(committed: None, tmp_path: Path, line: str) -> None:
    done = run(line, tmp_path)
    found = "doctor" in line and done.returncode in (1, 2) and "checks, worst:" in done.stdout
    assert done.returncode == 0 or found, done.stdout + done.stderr


@pytest.mark.parametrize("named", NAMED)
def test_a_command_that_is_named_takes_these_options(named: str) -> None:
    name, *options = named.split()
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    assert set(options) <= set(parser._option_string_actions)


@pytest.mark.parametrize("statement", SQL, ids=lambda text: text[:40])
def test_a_statement_of_the_page_runs(db: None, statement: str) -> None:
    with connection.cursor() as cursor, transaction.atomic():
        if "pg_stat_statements" in statement:
            cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'")
            if not cursor.fetchone()[0]:
                pytest.skip("pg_stat_statements is not in this database")
        cursor.execute(statement)
        assert cursor.description


def test_make_targets_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ +)make ([a-z-]+)", PAGE, re.MULTILINE))
    assert named
    assert named <= targets


def units() -> list[str]:
    return [block for kind, block in BLOCKS if kind == "ini" and "[" in block]


def test_the_units_are_sound(tmp_path):
    socket_unit, service = units()
    for text in (socket_unit, service):
        configparser.ConfigParser(strict=False, interpolation=None).read_string(text)
    [start] = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    options = start.partition("serve ")[2].split()
    from vibe.management.commands.serve import Command

    assert vars(Command().create_parser("manage.py", "serve").parse_args(options))["processes"] == 2
    if verify := subprocess.run(
        ["which", "systemd-analyze"], capture_output=True, text=True, check=False
    ).stdout.strip():
        (tmp_path / "vibe.socket").write_text(socket_unit)
        (tmp_path / "vibe.service").write_text(re.sub(r"(?m)^(ExecStart|User|WorkingDirectory)=.*$", "", service))
        done = subprocess.run([verify, "verify", str(tmp_path / "vibe.socket")], capture_output=True, check=False)
        assert b"Unknown" not in done.stderr


def test_the_environment_file_names_settings_that_exist():
    [block] = [block for kind, block in BLOCKS if kind == "ini" and "DEBUG=off" in block]
    named = set(re.findall(r"^\s*([A-Z_]+)=", block, re.MULTILINE))
    read = set(re.findall(r"""(?:env\.\w+|secret)\(\s*"([A-Z_]+)\"""", (PROJECT / "vibe" / "settings.py").read_text()))
    assert named <= read
    assert {"ENCRYPTION_KEY", "DATABASE_URL", "SECRET_KEY", "AUDIT_SIGNING_KEY", "ALLOWED_HOSTS"} <= named


def test_the_names_of_figures_are_those_of_metrics(client, db, settings):
    settings.METRICS_TOKEN = "a-token-for-prometheus"
    text = client.get("/metrics", headers={"Authorization": "Bearer a-token-for-prometheus"}).content.decode()
    assert all(f"# HELP {name}" in text for name in set(re.findall(r"\bvibe_[a-z_]+", PAGE)))


def test_a_wrong_command_would_be_seen(committed: Any, tmp_path: Path) -> None:
    assert run(".venv/bin/python manage.py collectstatics", tmp_path).returncode != 0
    assert json.dumps(NAMED)
