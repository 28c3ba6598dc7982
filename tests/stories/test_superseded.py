"""What somebody said last stands before what it ended, in a search for memories, and nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from stories.search import answers
from stories.search.services import search_memories
from tests.building import converse
from tests.cast import DAY, TESTER
from tests.stories.conftest import HashedEmbedder

PAIRS = {
    "Where do I live?": ("I live in Bergen, and I live well.", "We moved to Turin last weekend."),
    "What is my phone number?": ("My phone number is 020 7946 0018.", "I have a new number, it's 020 7946 0991."),
    "Am I a vegan?": ("I am a vegan, a happy vegan.", "I'm no longer vegan: there was cheese."),
}


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


@pytest.fixture
def said(ada: UUID) -> UUID:
    for number, (old, new) in enumerate(PAIRS.values()):
        converse(ada, [("user", old)], at=DAY + timedelta(days=number))
        converse(ada, [("user", new)], at=DAY + timedelta(days=100 + number))
    converse(ada, [("user", "The tram was late."), ("assistant", "I live in Bergen too, said the parrot.")])
    return ada


def found(user_id: UUID, question: str) -> list[str]:
    return [each.text for each in search_memories(user_id=user_id, question=question, actor=TESTER).memories]


@pytest.mark.parametrize("question", PAIRS)
def test_what_ended_it_comes_first(said: UUID, question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = PAIRS[question]
    texts = found(said, question)
    assert texts.index(new) < texts.index(old)
    monkeypatch.setattr(answers, "newest_word_first", lambda _vault, order, _stated: order)
    texts = found(said, question)
    assert texts.index(old) < texts.index(new), "the control: by words and vectors the old one fits better"


def test_what_states_nothing_that_has_ended_keeps_its_place(said: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    def others() -> list[str]:
        return [text for text in found(said, "Where do I live?") if not any(text in pair for pair in PAIRS.values())]

    before = others()
    monkeypatch.setattr(answers, "newest_word_first", lambda _vault, order, _stated: order)
    assert before == others()
    assert len(before) == 2
