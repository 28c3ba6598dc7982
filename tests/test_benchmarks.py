"""Benchmarks that send the product's own statements again keep up with what it sends."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.processes import PROJECT


def test_every_operation_of_the_api_is_measured_against_its_own_sql() -> None:
    command = [sys.executable, "-m", "benchmarks.api", "--rounds", "2", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"search", "add memory: operation", "get memory: verb"} <= told["milliseconds"].keys()
    assert all(each["statements"] and each["times_its_sql"] for each in told["milliseconds"].values())
    assert all(told["gunicorn"].values()) and len(told["gunicorn"]) == 3
