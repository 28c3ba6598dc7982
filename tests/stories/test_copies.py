"""What was said several times is one result that says how often and when; the newest goes first if that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from stories.search import answers
from stories.search.answers import FoundMemory
from stories.search.services import search_memories
from tests.building import converse, index_all
from tests.cast import DAY, TESTER
from tests.stories.conftest import HashedEmbedder

KEY = "The spare key of the boat hangs behind the red door."
MOVED = "The spare key of the boat lies under the mat now."


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


@pytest.fixture
def boat(ada: UUID) -> UUID:
    """Ada says where the key is seven times, in two spellings; Ines once; then it is moved."""
    for day in range(7):
        text = KEY if day % 2 else KEY.upper() + " "
        converse(ada, [("Ada", text), ("Assistant", "Noted.")], at=DAY + timedelta(days=day))
    converse(ada, [("Ines", KEY)], at=DAY + timedelta(days=8))
    converse(ada, [("Ada", MOVED), ("Assistant", "Okay.")], at=DAY + timedelta(days=9))
    index_all(ada)
    return ada


def found(user_id: UUID, limit: int = 5, **options: object) -> list[FoundMemory]:
    asked = "Where is the spare key of the boat?"
    return list(search_memories(user_id=user_id, question=asked, actor=TESTER, limit=limit, **options).memories)  # type: ignore[arg-type]


def said(memory: FoundMemory) -> tuple[str, str]:
    return memory.author, memory.text.strip().lower()


def test_copies_of_one_statement_are_one_result_that_says_when(boat: UUID) -> None:
    results = found(boat, 3)
    assert sorted(map(said, results)) == sorted([("Ada", KEY.lower()), ("Ada", MOVED.lower()), ("Ines", KEY.lower())])
    [often] = [each for each in results if said(each) == ("Ada", KEY.lower())]
    days = sorted([often.occurred_at, *(copy.occurred_at for copy in often.copies)])
    assert days == [DAY + timedelta(days=day) for day in range(7)]
    assert [copy.occurred_at for copy in often.copies] == sorted(copy.occurred_at for copy in often.copies)
    assert len({often.id, *(copy.id for copy in often.copies)}) == 7
    assert all(not each.copies for each in results if each is not often), "somebody else's and another statement"


def test_without_folding_copies_take_the_places(boat: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "statement", lambda memory: memory.id)
    assert sum(KEY.lower() in each.text.lower() for each in found(boat, 6)) > 2


def test_there_are_never_fewer_results_than_statements(boat: UUID) -> None:
    results = found(boat, 5)
    assert len(results) == 5, "three statements of people, and two of the assistant's"
    assert {said(each) for each in results} >= {("Assistant", "noted."), ("Assistant", "okay.")}
    assert len(found(boat, 100)) == 5


def test_the_newest_goes_first_if_that_is_preferred(boat: UUID) -> None:
    results = found(boat, 3, prefer="newest")
    assert said(results[0]) == ("Ada", MOVED.lower())
    assert "newest" in results[0].why
    [often] = [each for each in results if said(each) == ("Ada", KEY.lower())]
    assert often.occurred_at == DAY + timedelta(days=6), "of copies the newest is shown"
    assert "newest" not in found(boat, 3)[0].why
