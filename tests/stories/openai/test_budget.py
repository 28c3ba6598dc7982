"""Tokens of a person and day: counted in the database, held over all processes, nobody's without a name."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from stories.processors.openai_compatible import budget
from stories.processors.openai_compatible.budget import estimated, reserve, spending_for, spent
from stories.processors.openai_compatible.errors import BadAnswer, ProviderFailed, TokensBusy, TokensSpent
from tests.processes import PATIENCE
from tests.stories.openai.fake_service import SAID, STORY, Reply, story_answer, vectors_answer
from vibe.core.db.errors import ContextError
from vibe.core.db.scopes import as_user

pytestmark = pytest.mark.usefixtures("token_use")


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def test_a_story_costs_what_the_service_says(processor, service, ada):
    with spending_for(ada):
        processor(daily_tokens=100_000).compose(SAID)
        processor().compose(SAID)
    assert spent(ada, today()) == 2 * 777


def test_vectors_cost_what_the_service_says(embedder, service, ada):
    with spending_for(ada):
        embedder(daily_tokens=100_000, batch=2).embed(["one", "two", "three"])
    assert spent(ada, today()) == 30


def test_every_attempt_counts(processor, service, ada):
    service.always = Reply(story_answer("no"))
    with spending_for(ada), pytest.raises(BadAnswer):
        processor(daily_tokens=100_000).compose(SAID)
    assert spent(ada, today()) == 2 * 777


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": -5}, {"total_tokens": "9"}, {"total_tokens": 10**12}, 7])
def test_a_service_that_does_not_say_what_it_took_costs_the_estimate(embedder, service, ada, usage):
    service.always = Reply({**vectors_answer([[1.0] * 8]), "usage": usage})
    with spending_for(ada):
        embedder(daily_tokens=100_000).embed(["one"])
    assert spent(ada, today()) == estimated("one")


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 10**12}])
def test_a_story_of_a_service_that_does_not_say_what_it_took_costs_an_estimate_of_both_sides(
    processor, service, ada, usage
):
    answer = story_answer(STORY)
    service.always = Reply({**answer, "usage": usage})
    with spending_for(ada):
        processor(daily_tokens=100_000).compose(SAID)
    sent = service.requests[0]["messages"]
    said = estimated(*(message["content"] for message in sent))
    assert said < spent(ada, today()) < said + estimated(json.dumps(answer)) + 10


def test_the_two_halves_of_what_it_took_are_added(processor, service, ada):
    service.always = Reply({**story_answer(STORY), "usage": {"prompt_tokens": 300, "completion_tokens": 40}})
    with spending_for(ada):
        processor(daily_tokens=100_000).compose(SAID)
    assert spent(ada, today()) == 340


@pytest.mark.parametrize("status", [503, 401])
def test_what_was_not_done_costs_nothing(processor, service, ada, clock, status):
    service.always = Reply({}, status)
    with spending_for(ada), pytest.raises(ProviderFailed):
        processor(daily_tokens=100_000, deadline=1.5).compose(SAID)
    assert not spent(ada, today())


def test_what_may_have_been_done_costs(processor, service, ada):
    service.always = Reply(hang=PATIENCE)
    with spending_for(ada), pytest.raises(ProviderFailed):
        processor(daily_tokens=100_000, timeout=1.0, deadline=1.5).compose(SAID)
    assert spent(ada, today())


def test_nothing_is_sent_when_the_day_is_spent(processor, embedder, service, ada, jonas):
    with spending_for(ada):
        reserve(99_999, 100_000)
        with pytest.raises(TokensSpent, match="OPENAI_DAILY_TOKENS") as failed:
            processor(daily_tokens=100_000).compose(SAID)
        with pytest.raises(TokensSpent):
            embedder().embed(["a longer text"])
    assert not service.requests
    assert spent(ada, today()) == 99_999
    assert failed.value.again_at == datetime.combine(today() + timedelta(days=1), datetime.min.time(), UTC)
    with spending_for(jonas):
        assert processor().compose(SAID)


def test_it_begins_anew_at_midnight(ada, monkeypatch):
    with spending_for(ada):
        reserve(100, 100)
        with pytest.raises(TokensSpent):
            reserve(1, 100)
        tomorrow = timezone.now() + timedelta(days=1)
        monkeypatch.setattr(budget.timezone, "now", lambda: tomorrow)
        reserve(100, 100)


def test_what_can_never_be_had_is_refused(ada):
    with spending_for(ada), pytest.raises(TokensSpent):
        reserve(101, 100)
    assert spent(ada, today()) == 0


def test_nobody_spends_nobodys_tokens(processor, service):
    with pytest.raises(ContextError, match="spending_for"):
        processor(daily_tokens=1_000_000).compose(SAID)
    assert not service.requests


def test_without_a_bound_nothing_is_counted(processor, ada):
    with spending_for(ada):
        processor(daily_tokens=0).compose(SAID)
    assert spent(ada, today()) == 0


def test_nobody_sees_what_another_spent(ada, jonas):
    with spending_for(ada):
        reserve(5, 100)
    with as_user(jonas), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM token_use")
        assert cursor.fetchone() == (0,)


def at_once(count: int, verb) -> None:
    """Run in threads, each with a connection of its own, as processes have."""

    def run() -> None:
        try:
            verb()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def bob(committed: None) -> UUID:
    """A person whom every connection sees."""
    from accounts.people.services.people import Profile, ensure_person
    from tests.cast import TESTER

    return ensure_person(profile=Profile(firebase_uid="bob"), actor=TESTER)


def test_many_at_once_do_not_take_more_than_there_is(bob):
    taken = []

    def take() -> None:
        with spending_for(bob):
            for _ in range(5):
                with suppress(TokensSpent):
                    taken.append(reserve(10, 200))

    at_once(8, take)
    assert len(taken) == 20
    assert spent(bob, today()) == 200


def test_asking_first_and_counting_then_would_have_taken_more(bob, monkeypatch):
    """The control: between a look and a count, others look too."""
    together = threading.Barrier(4)

    def look_then_count(user_id: UUID, day: date, tokens: int, limit: int) -> bool:
        enough = spent(user_id, day) + tokens <= limit
        together.wait()
        with as_user(user_id), connection.cursor() as cursor:
            cursor.execute(budget.RESERVE, [budget.uuid7(), user_id, day, tokens, 10**9])
        return enough

    monkeypatch.setattr(budget, "reserved", look_then_count)

    def take() -> None:
        with spending_for(bob):
            reserve(10, 10)

    at_once(4, take)
    assert spent(bob, today()) == 40


def test_inside_an_older_transaction_it_fails_and_leaves_that_whole(bob):
    with as_user(bob):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT 1")
        at_once(1, lambda: take_one(bob))
        with pytest.raises(TokensBusy):
            take_one(bob)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_setting('vibe.user_id')")
            assert cursor.fetchone() == ("vibe_user", str(bob))
    assert transaction.get_connection().in_atomic_block is False
    assert spent(bob, today()) == 1


def take_one(user_id: UUID) -> None:
    with spending_for(user_id):
        reserve(1, 100)
