"""One line an attack at the end of `make attack`: how many tests, how many held, what the tests themselves count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import pytest

from tests.attacks.corpus import FULL
from tests.installation import Installation, a_folder, installed


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A test says what it counts by `record_property("figure", "10,000 swaps, 0 opened")`."""
    if not FULL:
        return
    tried: dict[str, int] = defaultdict(int)
    held: dict[str, int] = defaultdict(int)
    figures: dict[str, list[str]] = defaultdict(list)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if "tests/attacks/" in report.nodeid:
                attack = PurePath(report.nodeid.partition("::")[0]).stem.removeprefix("test_")
                tried[attack] += 1
                held[attack] += outcome == "passed"
                figures[attack] += [str(value) for name, value in report.user_properties if name == "figure"]
    terminalreporter.section("attacks")
    for attack in sorted(tried):
        said = "; ".join(dict.fromkeys(figures[attack]))
        terminalreporter.write_line(f"{attack:<22} {tried[attack]:>5} tried {held[attack]:>5} held  {said}")


@pytest.fixture(scope="session")
def one_installation() -> Iterator[Installation]:
    with a_folder() as folder, installed(folder, STORY_QUIET_SECONDS="0") as installation:
        yield installation


@pytest.fixture
def installation(one_installation: Installation) -> Iterator[Installation]:
    """One that may be broken. Whoever breaks it mends it; no worker runs at first."""
    yield one_installation
    one_installation.end_worker()
