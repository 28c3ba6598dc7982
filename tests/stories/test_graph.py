"""A set is searched in the graph or outside it, as its size says: no fewer results, no others, no moment without."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from django.conf import settings as configured
from django.db import connection
from pgvector import HalfVector
from psycopg import sql

from accounts.keys.services.data_keys import open_vault
from memories.models import Conversation
from stories.building.services.build import build_story
from stories.index.services import settle_graph
from stories.models import Passage, SearchSet, Story
from stories.search import graph, services, word_index
from stories.search import services as search
from stories.search.asking import embedded, read_asker, understood
from stories.search.candidates import EVERY, Wanted, column_values, columns
from stories.search.filters import Filters, narrowed_by
from stories.search.services import search_stories, strategy_for
from tests.building import build_all, converse
from tests.cast import TESTER
from tests.stories.conftest import HashedEmbedder, external_ids
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

NOUNS = ["boat", "piano", "compass", "marathon", "bakery", "harbour", "violin", "garden", "letter", "kitchen"]
VERBS = ["sold", "carried", "found", "painted", "lost", "repaired"]


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:
    use_embedder(HashedEmbedder())


CONVERSATIONS = 12


@pytest.fixture
def many(ada: UUID, tell: Callable[..., None]) -> UUID:
    """Ada with 12 conversations of 5 messages, of different things."""
    fill(ada, tell, CONVERSATIONS)
    return ada


def fill(user_id: UUID, tell: Callable[..., None], conversations: int, at: int = 0) -> None:
    rng = np.random.default_rng(at)
    for number in range(at, at + conversations):
        said = [
            (
                "Ada" if turn % 2 else "Mia",
                f"I {rng.choice(VERBS)} the {rng.choice(NOUNS)} of {rng.choice(NOUNS)} {number}",
            )
            for turn in range(5)
        ]
        tell(user_id, f"c{number}", said)
    build_all(user_id)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds small enough to matter to a small set."""
    monkeypatch.setattr(graph, "NEAREST", 6)
    monkeypatch.setattr(word_index, "MOST_ROWS", 40)
    monkeypatch.setattr(graph, "MOST_ROWS", 40)


def best(user_id: UUID, question: str, limit: int = 10) -> tuple[str, list[str]]:
    answer = search_stories(user_id=user_id, question=question, actor=TESTER, limit=limit)
    return answer.strategy, external_ids(user_id, answer)


QUESTIONS = [
    "Who sold the boat?",
    "the violin in the garden",
    "What happened to the compass and the letter?",
    "17",
    "Mia",
]


def test_both_strategies_find_the_same(many: UUID, settings: object) -> None:
    exact = [best(many, question) for question in QUESTIONS]
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    assert settle_graph(user_id=many, actor=TESTER)
    by_graph = [best(many, question) for question in QUESTIONS]
    assert {strategy for strategy, _ in exact} == {"exact"}
    assert {strategy for strategy, _ in by_graph} == {"hnsw"}
    for (_, one), (_, other) in zip(exact, by_graph, strict=True):
        assert one[0] == other[0]
        assert len(set(one[:5]) & set(other[:5])) >= 4


def test_a_set_between_is_searched_exactly_without_being_read_whole(
    many: UUID, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    whole = [best(many, question) for question in QUESTIONS]
    monkeypatch.setattr(services, "READ_WHOLE", 10)
    for (_, one), (ran, other) in zip(whole, (best(many, question) for question in QUESTIONS), strict=True):
        assert (ran, other[0], len(other)) == ("exact", one[0], len(one))


def test_what_the_graph_cannot_reach_is_found_by_looking_at_all(
    many: UUID, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    before = best(many, "Who sold the boat?")
    walk = graph.nearest
    monkeypatch.setattr(graph, "nearest", lambda *arguments: walk(*arguments)[:3])
    assert best(many, "Who sold the boat?") == ("exact", before[1])


def test_never_fewer_than_there_are(many: UUID, settings: object, small: None) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    for question in ("boat", "zzz", "?"):
        for limit in (1, 10, CONVERSATIONS, 100):
            ran, found = best(many, question, limit)
            assert (ran, len(found)) == ("hnsw", min(limit, CONVERSATIONS))
            assert len(set(found)) == len(found)


def test_a_filter_that_leaves_little_is_searched_exactly(many: UUID, settings: object) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    with as_user(many):
        ids = list(Conversation.objects.of(many).order_by("id").values_list("pk", flat=True))
    one = search_stories(user_id=many, question="boat", actor=TESTER, filters=Filters(conversation_id=ids[3]))
    assert (one.strategy, [story.conversation_id for story in one.stories]) == ("exact", [ids[3]])
    some = search_stories(user_id=many, question="boat", actor=TESTER, limit=100, filters=Filters(archived=False))
    assert (some.strategy, len(some.stories)) == ("hnsw", CONVERSATIONS)


def test_a_set_moves_in_when_it_grows_and_out_only_well_below(many: UUID, settings: object) -> None:
    def moved(most: int) -> tuple[bool, bool]:
        settings.SEARCH_EXACT_UP_TO = most  # type: ignore[attr-defined]
        changed = settle_graph(user_id=many, actor=TESTER)
        with as_user(many):
            search_set = SearchSet.objects.of(many).get()
            assert set(Passage.objects.of(many).values_list("in_graph", flat=True)) == {search_set.in_graph}
            assert strategy_for(search_set) == ("hnsw" if search_set.in_graph else "exact")
            return changed, search_set.in_graph

    assert [moved(most) for most in (60, 59, 119, 120, 120)] == [
        (False, False), (True, True), (False, True), (True, False), (False, False),
    ]  # fmt: skip


def test_what_is_said_while_a_set_is_in_the_graph_is_found_at_once_and_goes_there(many: UUID, settings: object) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    converse(many, [("Ada", "I bought an accordion")], external_id="new")
    ran, found = best(many, "accordion")
    assert (ran, found[0]) == ("hnsw", "new")
    with as_user(many):
        assert Passage.objects.of(many).filter(in_graph=False).count() == 1, "it is looked at by itself"
    assert settle_graph(user_id=many, actor=TESTER)
    assert best(many, "accordion")[1][0] == "new"
    with as_user(many):
        assert not Passage.objects.of(many).filter(in_graph=False).exists()


def test_control_without_a_look_outside_the_graph_it_would_be_missed(
    many: UUID, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    converse(many, [("Ada", "I bought an accordion")], external_id="new")
    look = graph.by_likeness
    monkeypatch.setattr(graph, "by_likeness", lambda which, *a, **k: [] if "NOT" in which else look(which, *a, **k))
    monkeypatch.setattr(graph, "best_by_words", lambda *_: [])
    assert "new" not in best(many, "accordion", limit=3)[1]


def wanted_of(user_id: UUID) -> Wanted:
    with as_user(user_id):
        asker = read_asker(user_id, "the boat")
        asked = embedded(user_id, understood(asker, "the boat"))
        wanted = search.wanted_by(asked, asker)
    assert wanted.vector
    return wanted


def plan(user_id: UUID, wanted: Wanted) -> str:
    """The plan of the statement just as search sends it."""
    run = bulk.run
    lines: list[str] = []

    def explained(statement: str, given: dict[str, object], **how: bool) -> list[object]:
        lines.extend(line for (line,) in run(f"EXPLAIN {statement}", given, **how))
        return []

    bulk.run = explained  # type: ignore[assignment]
    try:
        with as_user(user_id):
            graph.nearest(user_id, wanted, None, 10)
    finally:
        bulk.run = run
    return "\n".join(lines)


def test_the_planner_has_no_choice_on_the_first_and_the_thousandth_call(many: UUID, settings: object) -> None:
    """One connection, statistics of all kinds, statements prepared at once, and generic plans if it could have them."""
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    vector = wanted_of(many)
    assert "Index Scan using passages_embedding " in plan(many, vector)
    with as_user(many):
        first = graph.nearest(many, vector, None, 10)
        for _ in range(998):
            graph.nearest(many, vector, None, 10)
        assert graph.nearest(many, vector, None, 10) == first
    assert "Index Scan using passages_embedding " in plan(many, vector)
    before = best(many, "boat")
    asked_for, connection.connection.prepare_threshold = connection.connection.prepare_threshold, 0
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan; ANALYZE passages")
        for _ in range(8):
            assert best(many, "boat") == before
        assert "Index Scan using passages_embedding " in plan(many, vector)
    finally:
        connection.connection.prepare_threshold = asked_for
        with connection.cursor() as cursor:
            cursor.execute("RESET plan_cache_mode")


@pytest.mark.parametrize("width", [768, 1024])
def test_wider_vectors_have_a_graph_of_their_own(many: UUID, settings: object, width: int) -> None:
    settings.SEARCH_EXACT_UP_TO = 10  # type: ignore[attr-defined]
    settle_graph(user_id=many, actor=TESTER)
    vector = HalfVector([1.0] * width)
    assert f"Index Scan using passages_embedding_{width} " in plan(many, replace(wanted_of(many), vector=vector))


@pytest.mark.skipif(configured.DATABASE_POOLER, reason="behind a pooler no statement is kept")
def test_what_every_search_asks_is_kept_by_the_session_and_finds_the_same(
    many: UUID, person: Callable[..., UUID], tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned for anybody, whoever was first to ask: with filters and without, by the exact way of either size."""
    fill(ben := person("ben"), tell, 2)
    vectors = {person: wanted_of(person) for person in (ben, many)}

    def found() -> list[object]:
        with as_user(many):
            ids = Conversation.objects.of(many).order_by("id").values_list("pk", flat=True)
            some = narrowed_by(many, Filters(conversation_id=ids[3]), open_vault())
            near = [graph.nearest_of_all(many, vectors[many], of, 7) for of in (None, some)]
        return [*near, best(many, "boat"), best(ben, "boat")]

    with monkeypatch.context() as apart:
        apart.setattr(connection.connection, "prepare_threshold", None)
        planned_each_time = found()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        assert [found(), found()] == [planned_each_time] * 2
        cursor.execute("SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%FROM passages p%'")
        assert sorted(cursor.fetchall()) == [(2,), (2,), (4,)]


def test_a_small_set_is_never_searched_in_the_graph(many: UUID) -> None:
    """Its statement sorts by nothing, so the index could give it nothing even if its rows were there."""
    wanted = wanted_of(many)
    rest = EVERY.format(narrowed=sql.SQL("")).as_string(None)
    with as_user(many):
        lines = bulk.run(
            f"EXPLAIN SELECT {columns(wanted)} {rest}", {**column_values(wanted), "user": many}, vectors=True
        )
    assert "passages_embedding" not in str(lines)


@pytest.mark.parametrize(("role", "served"), [("vibe_words", True), ("vibe_user", False)])
def test_words_are_looked_up_by_their_index_in_the_role_for_it_alone(ada_told: UUID, role: str, served: bool) -> None:
    """With every other index gone the planner takes this one wherever it may. The person's own role never may."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE passages DROP CONSTRAINT passages_one_per_part; DROP INDEX passages_of_story; "
            "DROP INDEX passages_outside_graph; DROP INDEX passages_newest"
        )
    with as_user(ada_told), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}; SET LOCAL vibe.words = '{{5}}'")
        cursor.execute("EXPLAIN SELECT story_id FROM passages WHERE words && '{5}'::bigint[]")
        assert ("passages_words" in str(cursor.fetchall())) is served


def test_a_set_moves_without_a_moment_in_which_search_misses_it(
    committed: None, settings: object, tell: Callable[..., None]
) -> None:
    """Committed for real: one thread searches while the set goes in and out and stories are built."""
    from accounts.people.services.people import Profile, ensure_person

    ada = ensure_person(profile=Profile(firebase_uid="ada"), actor=TESTER)
    fill(ada, tell, 8)
    done, found, problems = threading.Event(), [], []

    def searching() -> None:
        try:
            while not done.is_set():
                answer = search_stories(user_id=ada, question="Who sold the boat 3?", actor=TESTER, limit=8)
                found.append((answer.strategy, len(answer.stories), answer.degraded))
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    searcher = threading.Thread(target=searching)
    searcher.start()
    try:
        for turn in range(12):
            settings.SEARCH_EXACT_UP_TO = 10 if turn % 2 == 0 else 10_000  # type: ignore[attr-defined]
            assert settle_graph(user_id=ada, actor=TESTER)
            rebuild(ada)
    finally:
        done.set()
        searcher.join()
    assert not problems
    assert {(count, degraded) for _, count, degraded in found} == {(8, "")}
    assert {strategy for strategy, _, _ in found} == {"exact", "hnsw"}


def rebuild(user_id: UUID) -> None:
    """Build a story again, as after a change."""
    with as_user(user_id):
        story = Story.objects.of(user_id).order_by("?").values_list("pk", flat=True)[0]
    assert build_story(user_id=user_id, story_id=story, actor=TESTER)
