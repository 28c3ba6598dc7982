"""Of the people and places that are named most are found, and little else (benchmarks/names.py)."""

from __future__ import annotations

import pytest

from benchmarks.names import KINDS, SETS, measure, sample
from stories.processors.offline.names import people, places


@pytest.mark.parametrize("told", SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_most_who_and_where_are_found_and_little_else(told: str, kind: str) -> None:
    figures = measure(SETS[told](), kind)
    assert figures["recall"] >= 0.8
    assert figures["precision"] >= 0.9


def test_without_titles_frames_and_names_of_the_world_few_people_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(people, "names_of_the_world", frozenset)
    monkeypatch.setattr(people, "TITLES", frozenset())
    assert measure(sample(), "people")["recall"] < 0.6


def test_without_the_words_around_them_few_places_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(places, "PLACED", ())
    assert measure(sample(), "places")["recall"] < 0.6
