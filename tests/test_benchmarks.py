"""Benchmarks that go past the product's own way to the database keep up with it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.processes import PROJECT


def benchmark(name: str, *options: str) -> Any:
    """What a short run of it tells."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_operation_of_the_api_is_measured_against_its_own_sql() -> None:
    told = benchmark("api", "--rounds", "2", "--seconds", "1")
    assert {"search", "add memory: operation", "get memory: verb"} <= told["milliseconds"].keys()
    assert all(each["statements"] and each["times_its_sql"] for each in told["milliseconds"].values())
    assert all(told["gunicorn"].values()) and len(told["gunicorn"]) == 3


def test_rows_are_written_in_every_way() -> None:
    told = benchmark("bulk", "--rounds", "1")
    assert told["vectors"].keys() >= {"arrays", "copy", "text"}
    assert all(rate for each in told.values() for rate in each.values())
