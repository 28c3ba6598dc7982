"""docs/security.md answers every item of OWASP ASVS 5.0, levels 1 and 2, once, and what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
# How many items of levels 1 and 2 the sections of each chapter of version 5.0.0 have, from the first; 0 for a section
# of level 3 alone. Items of level 3 come behind them.
CHAPTERS = {
    1: (2, 9, 11, 3, 2),
    2: (3, 3, 4, 1),
    3: (0, 2, 4, 6, 5, 0, 2),
    4: (3, 1, 2, 4),
    5: (1, 3, 2, 3),
    6: (3, 12, 4, 4, 5, 3, 0, 4),
    7: (3, 4, 2, 5, 2, 2),
    8: (2, 3, 1, 1),
    9: (3, 4),
    10: (2, 2, 4, 11, 5, 2, 3),
    11: (2, 3, 3, 4, 1, 1),
    12: (3, 2, 4),
    13: (1, 5, 2, 5),
    14: (2, 4, 3),
    15: (3, 3, 7),
    16: (1, 5, 4, 3, 3),
    17: (1, 4, 2),
}
WANTED = [
    f"{chapter}.{section}.{number}"
    for chapter, lasts in CHAPTERS.items()
    for section, last in enumerate(lasts, start=1)
    for number in range(1, last + 1)
]
ROWS = re.findall(r"^\| ([0-9][^|]*?) \| ([a-z ]+) \| (.+) \|$", TEXT, re.MULTILINE)


def spread(cell):
    """`1.2.6 to 1.2.8, 1.3.1` as single items."""
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        section, _, number = first.rpartition(".")
        for each in range(int(number), int((last or first).rpartition(".")[2]) + 1):
            yield f"{section}.{each}"


def test_every_item_is_answered_once():
    answered = [item for cell, _, _ in ROWS for item in spread(cell)]
    assert len(WANTED) == 253
    assert sorted(answered) == sorted(WANTED)


def test_every_answer_says_how_or_why():
    assert {kind for _, kind, _ in ROWS} == {"held", "operator", "not here", "open"}
    assert all(len(how) > 5 for _, _, how in ROWS)


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT))))
def test_tests_that_are_named_exist(named):
    assert (ROOT / named).exists()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([A-Z][A-Z_]{5,})", TEXT))))
def test_settings_that_are_named_exist(named):
    assert named in (ROOT / "vibe" / "settings.py").read_text()
