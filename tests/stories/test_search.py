"""Search finds what answers, in the person's own stories alone, and says when it is less than it could be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import TransactionStatus

from accounts.keys.services.data_keys import destroy_data_keys
from accounts.people.services.people import Profile, ensure_person
from audit.models import AuditLog
from memories.models import Conversation
from stories.building.services.reembedding import reembed_person
from stories.index.services import settle_graph
from stories.models import Passage, SearchSet, Story
from stories.processors.embedding import OfflineEmbedder
from stories.processors.openai_compatible.embedder import OpenAIEmbedder
from stories.search import asking
from stories.search import services as search
from stories.search.answers import Answer
from stories.search.filters import Filters
from stories.search.services import search_stories
from tests.cast import DAY, TESTER
from tests.stories.conftest import (
    LISBON,
    MARATHON,
    BrokenEmbedder,
    HashedEmbedder,
    build_all,
    conversation_of,
    external_ids,
)
from vibe.core.crypto.errors import DataKeyMissing
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import AuditUnavailable, InputError


@pytest.fixture
def real_embedder() -> None:
    """Keeps the fast double away."""


def ask(user_id: UUID, question: str, **options: object) -> Answer:
    return search_stories(user_id=user_id, question=question, actor=TESTER, **options)  # type: ignore[arg-type]


def test_asked_for_several_things_conversations_count_for_nothing(ada_told: UUID) -> None:
    """They were said in several; what fits one thing well must not bring the rest of its conversation along."""
    several, one = (
        [each.why for story in ask(ada_told, question).stories for each in story.passages]
        for question in ("Which pianos did Ada carry?", "Which piano did Ada carry?")
    )
    assert not any("conversation" in why for why in several)
    assert any("conversation" in why for why in one)


def texts(answer: Answer) -> list[str]:
    return [story.passages[0].text for story in answer.stories]


@pytest.fixture(autouse=True)
def fast(request: pytest.FixtureRequest, use_embedder: Callable[[object], None]) -> None:
    if "real_embedder" not in request.fixturenames:
        use_embedder(HashedEmbedder())


@pytest.mark.usefixtures("real_embedder")
def test_it_finds_by_words_and_by_meaning(ada: UUID, tell: Callable[..., None]) -> None:
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON)
    build_all(ada)
    ada_told = ada
    assert texts(ask(ada_told, "How long did I run?"))[0].startswith("I ran the marathon")
    assert external_ids(ada_told, ask(ada_told, "Who carried a heavy instrument?"))[0] == "lisbon"


def test_every_result_says_why(ada_told: UUID) -> None:
    [first, second] = ask(ada_told, "Where did I move to?").stories
    assert sum(first.why.values()) >= sum(second.why.values())
    assert first.score == max(each.score for each in first.passages)
    best = first.passages[0]
    assert {"words", "vector", "conversation", "speaker"} <= best.why.keys()
    assert 0 < best.score < 1
    assert best.message_ids == ("m1",)


@pytest.mark.usefixtures("real_embedder")
def test_a_search_of_a_small_set_is_four_round_trips(
    committed: None, tell: Callable[..., None], sent: list[Any]
) -> None:
    """Who asks, the candidates, what is shown, and the row that records it together with the commit."""
    ada = ensure_person(profile=Profile("ada"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    build_all(ada)
    sent.clear()
    assert len(ask(ada, "Who carried the piano?").stories) == 1
    assert len(sent) == 4


def test_nobody_finds_anybody_elses(ada_told: UUID, jonas_told: UUID) -> None:
    said = [text for _, text in LISBON]
    for user_id, other in ((ada_told, jonas_told), (jonas_told, ada_told)):
        with as_user(other):
            others = set(Story.objects.of(other).values_list("pk", flat=True))
        for question in ("marathon", "compass in Bergen", "Who dropped the piano?", *said):
            found = {story.id for story in ask(user_id, question, limit=100).stories}
            assert found
            assert not found & others


def test_words_are_looked_up_under_the_same_wall(ada_told: UUID, jonas_told: UUID) -> None:
    """The role that may use the index of words sees the rows of one person that hold the words asked for, no others."""
    with as_user(ada_told), connection.cursor() as cursor:
        every = [word for words in Passage.objects.of(ada_told).values_list("words", flat=True) for word in words]
        cursor.execute("SET LOCAL ROLE vibe_words")
        cursor.execute("SELECT count(*) FROM passages")
        assert cursor.fetchone() == (0,), "no word was asked for"
        for owner, expected in ((ada_told, 6), (jonas_told, 0)):
            cursor.execute("SET LOCAL vibe.user_id = %s; SET LOCAL vibe.words = %s", [str(owner), array(every)])
            cursor.execute("SELECT count(*) FROM passages")
            assert cursor.fetchone() == (expected,)


def array(numbers: list[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def test_fewer_than_asked_for_only_where_there_are_no_more(ada_told: UUID) -> None:
    assert len(ask(ada_told, "xylophone quartz", limit=2).stories) == 2
    assert len(ask(ada_told, "Lisbon", limit=1).stories) == 1


FILTERS = {
    "by a whole name": (Filters(places=["Lisbon"]), {"lisbon"}),
    "by a name of several": (Filters(events=["marathon", "Oslo"]), {"marathon"}),
    "by kinds together": (Filters(places=["Lisbon"], people=["Tomas"]), {"lisbon"}),
    "by kinds that do not meet": (Filters(places=["Porto"], people=["Tomas"]), set()),
    "by nobody": (Filters(people=["Zoltan"]), set()),
    "by an empty name": (Filters(people=[""]), set()),
    "from a time on": (Filters(since=DAY + timedelta(days=1)), {"marathon"}),
    "up to a time": (Filters(until=DAY + timedelta(hours=1)), {"lisbon"}),
    "between times": (Filters(since=DAY - timedelta(days=9), until=DAY - timedelta(days=8)), set()),
    "not archived": (Filters(archived=False), {"marathon"}),
    "archived": (Filters(archived=True), {"lisbon"}),
    "by all": (Filters(), {"lisbon", "marathon"}),
}


@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
@pytest.mark.parametrize("name", FILTERS)
def test_filters(apart: UUID, name: str, strategy: str, in_graph: Callable[[UUID], None]) -> None:
    if strategy == "hnsw":
        in_graph(apart)
    filters, expected = FILTERS[name]
    answer = ask(apart, "What happened?", filters=filters)
    assert set(external_ids(apart, answer)) == expected


@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
def test_filter_by_conversation(apart: UUID, strategy: str, in_graph: Callable[[UUID], None]) -> None:
    if strategy == "hnsw":
        in_graph(apart)
    conversation = conversation_of(apart, "marathon")
    [story] = ask(apart, "Lisbon", filters=Filters(conversation_id=conversation)).stories
    assert story.conversation_id == conversation


@pytest.fixture
def apart(ada: UUID, tell: Callable[..., None]) -> UUID:
    """Two conversations, ten days apart, the older one archived."""
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON, DAY + timedelta(days=10))
    with as_user(ada):
        Conversation.objects.of(ada).filter(external_id="lisbon").update(is_archived=True)
    build_all(ada)
    return ada


@pytest.fixture
def in_graph(settings: object) -> Callable[[UUID], None]:
    """Bring a person's set into the graph, small as it is."""

    def move(user_id: UUID) -> None:
        settings.SEARCH_EXACT_UP_TO = 0  # type: ignore[attr-defined]
        assert settle_graph(user_id=user_id, actor=TESTER)

    return move


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InputError):
        Filters(since=DAY.replace(tzinfo=None))


@pytest.mark.parametrize("question", ["", " \n\t", "x" * 100_001])
def test_what_cannot_be_asked(ada: UUID, question: str) -> None:
    with pytest.raises(InputError):
        ask(ada, question)


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_how_many_cannot_be_asked_for(ada: UUID, limit: int) -> None:
    with pytest.raises(InputError):
        ask(ada, "Lisbon", limit=limit)


ODD = [
    "the of and",
    "?",
    "\U0001f642",
    "リスボンはどこですか",
    "أين تقع لشبونة",
    "Lisbon " * 14_000,
    "\0",
    "\ud800",
    "' OR 1=1; --",
    "%b %s {}",
]


@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
@pytest.mark.parametrize("question", ODD, ids=range(len(ODD)))
def test_odd_questions_find_all_there_is(
    ada_told: UUID, question: str, strategy: str, in_graph: Callable[[UUID], None]
) -> None:
    if strategy == "hnsw":
        in_graph(ada_told)
    answer = ask(ada_told, question)
    assert (len(answer.stories), answer.strategy) == (2, strategy)


@pytest.mark.parametrize("question", ["the of ?", "?!"])
def test_a_question_of_nothing_says_so(ada_told: UUID, question: str) -> None:
    """The double's vectors are of words alone."""
    assert ask(ada_told, question).degraded == search.NOTHING_TO_GO_BY
    assert ask(ada_told, f"{question} piano").degraded == ""


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(question=st.text(min_size=1, max_size=80))
def test_any_text_can_be_asked(ada_told: UUID, question: str) -> None:
    if question.strip():
        assert len(ask(ada_told, question).stories) == 2


def test_a_person_without_stories(ada: UUID) -> None:
    assert ask(ada, "Lisbon") == Answer("exact", ())


def test_without_a_data_key(ada_told: UUID) -> None:
    destroy_data_keys(user_id=ada_told, actor=TESTER)
    with pytest.raises(DataKeyMissing):
        ask(ada_told, "Lisbon")


@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
@pytest.mark.parametrize("answer", [ConnectionError("Ada's secret"), [[0.1] * 63], [], None, [[float("inf")] * 64]])
def test_a_failing_embedder_leaves_words_and_the_answer_says_so(  # noqa: PLR0917
    ada: UUID,
    tell: Callable[..., None],
    use_embedder: Callable[[object], None],
    in_graph: Callable[[UUID], None],
    caplog: pytest.LogCaptureFixture,
    answer: object,
    strategy: str,
) -> None:
    use_embedder(HashedEmbedder())
    tell(ada, "lisbon", LISBON)
    build_all(ada)
    if strategy == "hnsw":
        in_graph(ada)
    broken = BrokenEmbedder()
    broken.answer = answer
    use_embedder(broken)
    found = ask(ada, "Who carried the piano?")
    assert found.degraded == asking.NO_EMBEDDER
    assert found.strategy == strategy
    assert "piano" in texts(found)[0]
    assert "vector" not in found.stories[0].passages[0].why
    assert "secret" not in caplog.text


def test_vectors_of_another_model_are_not_compared(ada_told: UUID, use_embedder: Callable[[object], None]) -> None:
    """Of one that cannot be asked any more: words alone, until all are made anew."""
    other = HashedEmbedder()
    other.name = "another"
    use_embedder(other)
    assert ask(ada_told, "piano").degraded == asking.OTHER_EMBEDDER
    assert reembed_person(user_id=ada_told, actor=TESTER)
    assert ask(ada_told, "piano").degraded == ""


@pytest.mark.parametrize("in_process", [False, True])
def test_a_question_is_embedded_in_no_transaction_unless_the_model_is_in_this_process(
    committed: None, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch, in_process: bool
) -> None:
    """A slow service holds up no snapshot; what is read before and after, or all at once, is read as one."""
    monkeypatch.setattr(HashedEmbedder, "in_process", in_process, raising=False)
    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    build_all(ada)
    embed, read, seen, levels = asking.embed, search.read_asker, [], []

    def watched(texts: list[str], model: object) -> object:
        seen.append((connection.in_atomic_block, connection.connection.info.transaction_status))
        return embed(texts, model)  # type: ignore[arg-type]

    def reading(*arguments: object, **options: object) -> object:
        asker = read(*arguments, **options)  # type: ignore[arg-type]
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            levels.append(cursor.fetchone())
        return asker

    monkeypatch.setattr(asking, "embed", watched)
    monkeypatch.setattr(search, "read_asker", reading)
    assert external_ids(ada, ask(ada, "Who dropped the piano?")) == ["lisbon"]
    assert seen == [(True, TransactionStatus.INTRANS) if in_process else (False, TransactionStatus.IDLE)]
    assert levels == [("repeatable read",)] * (1 if in_process else 2)


def test_the_offline_model_is_in_this_process() -> None:
    assert OfflineEmbedder().in_process
    assert not hasattr(OpenAIEmbedder, "in_process")


def test_a_key_destroyed_while_the_question_is_embedded_opens_nothing(
    ada_told: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = asking.embed

    def destroying(texts: list[str], model: object) -> object:
        destroy_data_keys(user_id=ada_told, actor=TESTER)
        return embed(texts, model)  # type: ignore[arg-type]

    monkeypatch.setattr(asking, "embed", destroying)
    with pytest.raises(DataKeyMissing):
        ask(ada_told, "Who dropped the piano?")


def test_a_search_is_on_record_with_ids_and_no_words(ada_told: UUID) -> None:
    answer = ask(ada_told, "Who dropped the piano?")
    with as_support():
        row = AuditLog.objects.get(action="stories.search", subject=ada_told)
    assert row.details == {"strategy": "exact", "stories": [str(story.id) for story in answer.stories]}
    assert "piano" not in str(row.details)


def test_nothing_is_shown_that_could_not_be_recorded(ada_told: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise AuditUnavailable

    monkeypatch.setattr(search, "record", full)
    with pytest.raises(AuditUnavailable):
        ask(ada_told, "piano")


def test_an_answer_does_not_print_what_was_said(ada_told: UUID) -> None:
    assert "piano" not in repr(ask(ada_told, "piano"))


def as_printed(*arguments: str) -> str:
    out = StringIO()
    call_command("search_stories", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_json(ada_told: UUID) -> None:
    answer = json.loads(as_printed("--user", "ada@example.com", "Who dropped the piano?", "--json", "--limit", "1"))
    assert answer.keys() == {"strategy", "stories"}
    assert answer["strategy"] == "exact"
    [story] = answer["stories"]
    assert {"id", "title", "score", "occurred_at", "passages"} <= story.keys()
    assert {"memory", "message_ids", "score", "text"} <= story["passages"][0].keys()
    assert story["passages"][0]["message_ids"] == ["m3"]


def test_the_command_prints_for_people(ada_told: UUID) -> None:
    printed = as_printed("--user", "ada", "Who dropped the piano?")
    assert "Ada: My brother Tomas did" in printed


def test_the_command_narrows(ada_told: UUID) -> None:
    found = json.loads(as_printed("--user", "ada", "What happened?", "--event", "marathon", "--json"))
    assert [story["title"] for story in found["stories"]] == ["About marathon"]
    assert json.loads(as_printed("--user", "ada", "x", "--since", "2030-01-01", "--json"))["stories"] == []


@pytest.mark.parametrize(
    "arguments", [["--user", "nobody", "x"], ["--user", "ada", " "], ["--user", "ada", "x", "--limit", "0"],
                  ["--user", "ada", "x", "--since", "yesterday"]]
)  # fmt: skip
def test_the_command_names_what_is_wrong(ada: UUID, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        as_printed(*arguments)


def test_a_search_set_is_searched_exactly_until_it_is_in_the_graph(ada_told: UUID, settings: object) -> None:
    settings.SEARCH_EXACT_UP_TO = 5  # type: ignore[attr-defined]
    assert ask(ada_told, "piano").strategy == "exact"
    assert settle_graph(user_id=ada_told, actor=TESTER)
    assert ask(ada_told, "piano").strategy == "hnsw"
    with as_user(ada_told):
        assert SearchSet.objects.of(ada_told).get().in_graph
