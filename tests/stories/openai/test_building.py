"""A conversation told and found by way of a service, and what becomes of it when the service fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from stories.models import Story
from stories.processors import configured
from stories.processors.openai_compatible.budget import spending_for
from stories.processors.openai_compatible.errors import BadAnswer
from stories.search.services import search_stories
from tests.building import build_conversation, index_all
from tests.cast import TESTER
from tests.stories.conftest import LISBON, build_all, conversation_of
from tests.stories.openai.fake_service import FakeService, Reply, story_answer
from vibe.core.db.scopes import as_user


@pytest.fixture
def told_by_service(configure: Callable[..., None], settings: Any, token_use: None) -> Iterator[Callable[..., None]]:
    """The settings that a person would make."""
    settings.STORY_PROCESSOR = "stories.processors.openai_compatible.processor.OpenAIProcessor"
    settings.STORY_EMBEDDER = "stories.processors.openai_compatible.embedder.OpenAIEmbedder"

    def forget() -> None:
        for made in (configured.processor, configured.embedder):
            if made.cache_info().currsize:
                made().client.openai.close()
            made.cache_clear()

    configured.processor.cache_clear()
    configured.embedder.cache_clear()
    configure(daily_tokens=100_000)
    yield configure
    forget()


def test_a_conversation_is_told_and_found(told_by_service, service: FakeService, ada: UUID, tell):
    tell(ada, "lisbon", LISBON)
    with spending_for(ada):
        assert build_all(ada) == 1
        with as_user(ada):
            [story] = Story.objects.of(ada)
        assert (story.processor, story.embedder) == ("openai:teller/3", "openai:vectors:8")
        answer = search_stories(user_id=ada, question="Who dropped the piano?", actor=TESTER)
        assert [found.id for found in answer.stories] == [story.pk]
        assert answer.degraded == ""
        service.always = Reply({}, 401)
        without = search_stories(user_id=ada, question="Who dropped the piano?", actor=TESTER)
        assert [found.id for found in without.stories] == [story.pk]
        assert "words alone" in without.degraded
    sent = json.dumps(service.requests)
    assert str(ada) not in sent
    assert "ada@example.com" not in sent


def test_a_story_that_cannot_be_told_leaves_the_one_before(told_by_service, service: FakeService, ada: UUID, tell):
    tell(ada, "lisbon", LISBON)
    with spending_for(ada):
        build_all(ada)
        tell(ada, "lisbon", [*LISBON, ("Ada", "The neighbours heard it.")])
        index_all(ada)
        service.always = Reply(story_answer("no"))
        with pytest.raises(BadAnswer):
            build_conversation(ada, conversation_of(ada, "lisbon"))
    with as_user(ada):
        assert Story.objects.of(ada).exclude(title=None).exists()
