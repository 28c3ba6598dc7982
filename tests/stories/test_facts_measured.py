"""Facts are read as well as the labelled set says (benchmarks/facts*.tsv), and no worse after a change of the rules."""

from __future__ import annotations

import pytest

from benchmarks import facts
from stories.facts.rules import sentences


def test_few_facts_are_false_and_most_are_read() -> None:
    found = facts.measure("facts")
    assert found["messages"] > 150
    assert found["precision"] >= 0.95
    assert found["recall"] >= 0.85
    assert min(found["now_known"], found["as_of_known"]) >= 0.95


def test_of_messages_that_the_rules_were_not_made_with_few_facts_are_false() -> None:
    found = facts.measure("facts_other")
    assert found["messages"] > 230
    assert found["precision"] >= 0.95
    assert found["recall"] >= 0.75
    assert found["now"] >= 0.8


def test_of_messages_whose_misses_nobody_has_seen_most_facts_are_read() -> None:
    found = facts.measure("facts_aside")
    assert found["precision"] >= 0.9
    assert found["recall"] >= 0.65
    assert found["now"] >= 0.6


def test_control_rules_that_take_everybody_at_their_word_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    careful = facts.measure("facts")["precision"]
    monkeypatch.setattr(sentences, "NOT_SO", sentences.JOKE)
    monkeypatch.setattr(sentences, "NOT_SAID", sentences.JOKE)
    assert facts.measure("facts")["precision"] < careful
