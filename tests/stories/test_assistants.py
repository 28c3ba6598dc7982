"""Who talks with an assistant finds what they said themselves, and what it said when that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from stories.models import Passage
from stories.search.filters import Filters
from stories.search.services import search_memories
from tests.building import converse, index_all
from tests.cast import TESTER
from tests.stories.conftest import HashedEmbedder
from vibe.core.db.scopes import as_user


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


def found(user_id: UUID, question: str) -> list[tuple[str, str]]:
    index_all(user_id)
    answer = search_memories(user_id=user_id, question=question, actor=TESTER, limit=10)
    return [(memory.role, memory.text) for memory in answer.memories]


LONG = "For a headache rest, water and a dark room help most people with a headache. " * 20


def test_a_long_answer_does_not_bury_what_the_person_said(ada: UUID) -> None:
    said = [("Ada", "I get a headache from red wine."), ("Assistant", LONG), ("Ada", "Thanks, noted.")]
    converse(ada, said)
    assert found(ada, "What gives me a headache?")[0] == ("user", "I get a headache from red wine.")


def test_what_the_assistant_said_is_found_when_it_is_asked_for(ada: UUID) -> None:
    converse(ada, [("Ada", "What helps against a headache?"), ("Assistant", LONG), ("Ada", "My headache is gone.")])
    assert found(ada, "What did you recommend for my headache?")[0][0] == "assistant"
    assert found(ada, "What about my headache?")[0][0] == "user", "asked otherwise it is not the first"


@pytest.mark.parametrize(
    ("author", "text", "embedded_along"),
    [
        ("Assistant", "I see. You said: the cat is ill.", False),
        ("Assistant", "Did the cat eat the grey pill?", True),
        ("Ines", "The cat is ill, you said.", True),
    ],
)
def test_of_an_assistant_only_a_question_is_embedded_with_the_reply(
    ada: UUID, author: str, text: str, *, embedded_along: bool
) -> None:
    conversation_id = converse(ada, [(author, text), ("Ada", "Yes, twice.")])
    index_all(ada)
    with as_user(ada):
        [*_, reply] = Passage.objects.of(ada).filter(conversation_id=conversation_id).order_by("occurred_at", "id")
        assert (reply.context is not None) == embedded_along


def test_narrowed_to_a_role_what_is_left_is_not_taken_for_notes(ada: UUID) -> None:
    converse(ada, [("Ada", "My cat is ill."), ("Assistant", "Is the cat eating?"), ("Ada", "It sleeps.")])
    index_all(ada)
    asked = {"user_id": ada, "question": "How is my cat?", "actor": TESTER}
    [best, *_] = search_memories(**asked, filters=Filters(roles=["user"])).memories
    assert best.why["conversation"] > 0
