"""The model is changed while search goes on: from the old vectors to the end, then from the new, never from both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from io import StringIO
from uuid import UUID

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from accounts.keys.services.data_keys import destroy_data_keys
from accounts.people.services.people import Profile, ensure_person
from audit.models import AuditLog
from memories.services.changing import delete_memory
from stories.building.services import reembedding
from stories.building.services.lineage import check_lineage
from stories.building.services.reembedding import Pace, StillComing, reembed_person
from stories.index.services import settle_graph
from stories.models import NextVector, Passage, SearchSet, Story
from stories.processors.embedding import Vectors
from stories.search import asking
from stories.search.answers import Answer
from stories.search.services import search_stories
from tests.building import build_all, converse
from tests.cast import TESTER
from tests.killing import Killed, killed_at
from tests.stories.conftest import (
    LISBON,
    MARATHON,
    BrokenEmbedder,
    HashedEmbedder,
    external_ids,
    memory_saying,
)
from tests.stories.test_corrections import correct
from vibe.core.db.scopes import as_support, as_user

OLD = "tests.stories.conftest.HashedEmbedder"


class NewEmbedder(HashedEmbedder):
    """Another model, of another length: its vectors mean nothing to the old one's."""

    name = "newer"
    dimensions = 96

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.ascontiguousarray(super().embed([f"new {text}" for text in texts])[:, ::-1])


@pytest.fixture(autouse=True)
def old(use_embedder: Callable[[object], None], settings: object) -> None:
    settings.STORY_EMBEDDERS_RETIRED = [OLD]  # type: ignore[attr-defined]
    use_embedder(HashedEmbedder())


@pytest.fixture
def changed(ada_told: UUID, use_embedder: Callable[[object], None]) -> UUID:
    """Ada, told under the old model, with another one configured since."""
    use_embedder(NewEmbedder())
    return ada_told


def ask(user_id: UUID, question: str = "Who carried the piano?") -> Answer:
    return search_stories(user_id=user_id, question=question, actor=TESTER)


def scores(answer: Answer) -> list[object]:
    return [(story.id, story.score, [(each.memory, each.score) for each in story.passages]) for story in answer.stories]


def by_vector(answer: Answer) -> bool:
    """Whether vectors were compared, and gave something."""
    return answer.degraded == "" and any("vector" in p.why for story in answer.stories for p in story.passages)


def model_of(user_id: UUID) -> str:
    """The model of the person's set, which must be that of every story."""
    with as_user(user_id):
        name = SearchSet.objects.of(user_id).get().embedder
        assert set(Story.objects.of(user_id).exclude(embedding=None).values_list("embedder", flat=True)) <= {name}
    return name


def test_search_goes_on_from_the_old_vectors_and_then_from_the_new(changed: UUID) -> None:
    before = ask(changed)
    assert by_vector(before)
    assert model_of(changed) == "hashed"
    assert reembed_person(user_id=changed, actor=TESTER)
    assert model_of(changed) == "newer"
    after = ask(changed)
    assert by_vector(after)
    assert external_ids(changed, after) == external_ids(changed, before)
    with as_user(changed):
        assert not NextVector.objects.of(changed).exists()
        assert not Passage.objects.of(changed).filter(embedding=None).exists()
    assert not reembed_person(user_id=changed, actor=TESTER), "nothing is left to do"
    assert check_lineage(user_id=changed, actor=TESTER).faults == []


def test_the_new_vectors_are_those_of_a_story_built_by_the_new_model(
    changed: UUID, jonas: UUID, tell: Callable[..., None]
) -> None:
    """Word for word the same: the same likeness to a question, whoever's rotation they are under."""
    correct(changed, title="The year of the zeppelin", text="Zeppelins.")
    reembed_person(user_id=changed, actor=TESTER)
    tell(jonas, "lisbon", LISBON)
    tell(jonas, "marathon", MARATHON)
    build_all(jonas)
    correct(jonas, title="The year of the zeppelin", text="Zeppelins.")

    def likeness(user_id: UUID) -> list[object]:
        with as_user(user_id):
            rows = Passage.objects.of(user_id).order_by("occurred_at", "memory_id", "part")
            vectors = np.array(list(rows.values_list("embedding", flat=True)), dtype=np.float64)
        return pytest.approx(vectors @ vectors.T, abs=5e-3)

    with as_user(jonas):
        rows = Passage.objects.of(jonas).order_by("occurred_at", "memory_id", "part")
        vectors = np.array(list(rows.values_list("embedding", flat=True)), dtype=np.float64)
    assert vectors @ vectors.T == likeness(changed)


def test_a_message_that_comes_in_meanwhile_is_found_at_once_and_exchanged_with_the_others(
    changed: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, times = reembedding.embed_many, []

    def disturbed(texts: Sequence[str], model: object) -> Vectors:
        times.append(1)
        if len(times) == 1:
            converse(changed, [("Rui", "I bought an accordion.")], external_id="new")
            assert model_of(changed) == "hashed", "the new message is under the model that is searched"
            found = ask(changed, "accordion")
            assert by_vector(found)
            assert external_ids(changed, found)[0] == "new"
        return make(texts, model)  # type: ignore[arg-type]

    monkeypatch.setattr(reembedding, "embed_many", disturbed)
    assert reembed_person(user_id=changed, actor=TESTER)
    assert external_ids(changed, ask(changed, "accordion"))[0] == "new"
    assert by_vector(ask(changed, "accordion"))
    with as_user(changed):
        assert not Passage.objects.of(changed).filter(embedding=None).exists()


def test_one_that_keeps_changing_is_left_for_later(
    changed: UUID, tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = reembedding.embed_many

    def disturbed(texts: Sequence[str], model: object) -> Vectors:
        correct(changed, title="Again")
        return make(texts, model)  # type: ignore[arg-type]

    monkeypatch.setattr(reembedding, "embed_many", disturbed)
    monkeypatch.setattr(reembedding, "ROUNDS", 2)
    with pytest.raises(StillComing):
        reembed_person(user_id=changed, actor=TESTER)
    assert model_of(changed) == "hashed"
    assert by_vector(ask(changed))


def test_a_question_embedded_before_the_exchange_is_not_compared_with_what_comes_after(
    changed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, times = asking.embed, []

    def overtaken(texts: Sequence[str], model: object) -> Vectors:
        times.append(getattr(model, "name", ""))
        if len(times) == 1:
            reembed_person(user_id=changed, actor=TESTER)
        return make(texts, model)  # type: ignore[arg-type]

    monkeypatch.setattr(asking, "embed", overtaken)
    answer = ask(changed)
    assert times == ["hashed", "newer"]
    assert by_vector(answer)
    assert scores(answer) == scores(ask(changed))


def test_control_without_the_check_vectors_of_two_models_would_be_compared(changed: UUID) -> None:
    make, times = asking.embed, []

    def overtaken(texts: Sequence[str], model: object) -> Vectors:
        times.append(1)
        reembed_person(user_id=changed, actor=TESTER)
        return make(texts, model)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "embed", overtaken)
        patch.setattr(asking.Asked, "fits", lambda *_: True)
        answer = ask(changed)
    assert len(times) == 1
    assert scores(answer) != scores(ask(changed))


def test_a_deleted_memory_takes_its_next_vector_along(changed: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "exchange", lambda **_: False)
    monkeypatch.setattr(reembedding, "ROUNDS", 1)
    with pytest.raises(StillComing):
        reembed_person(user_id=changed, actor=TESTER)
    gone = memory_saying(changed, 0)
    with as_user(changed):
        assert NextVector.objects.of(changed).count() == 2 + 6
    delete_memory(user_id=changed, memory_id=gone.pk, actor=TESTER)
    with as_user(changed):
        assert not NextVector.objects.of(changed).filter(memory_id=gone.pk).exists()
        assert NextVector.objects.of(changed).count() == 1 + 4, "nor its story's, and that of the reply to it"


def test_a_story_of_which_nothing_is_left_holds_nobody_up(changed: UUID) -> None:
    for _ in LISBON:
        delete_memory(user_id=changed, memory_id=memory_saying(changed, 0).pk, actor=TESTER)
    assert reembed_person(user_id=changed, actor=TESTER)
    assert model_of(changed) == "newer"


def test_in_the_graph(changed: UUID, settings: object) -> None:
    settings.SEARCH_EXACT_UP_TO = 0  # type: ignore[attr-defined]
    settle_graph(user_id=changed, actor=TESTER)
    assert (ask(changed).strategy, by_vector(ask(changed))) == ("hnsw", True)
    reembed_person(user_id=changed, actor=TESTER)
    assert (ask(changed).strategy, by_vector(ask(changed))) == ("hnsw", True)


@pytest.mark.parametrize("dimensions", [384, 768, 1024])
def test_a_model_of_other_dimensions_takes_over_by_one_command_in_the_graph_and_out_of_it(
    changed: UUID, use_embedder: Callable[[object], None], settings: object, dimensions: int
) -> None:
    """And back again; what comes in meanwhile and afterwards is found too."""
    model, before = NewEmbedder(), external_ids(changed, ask(changed))
    model.dimensions, model.name = dimensions, f"wider-{dimensions}"
    use_embedder(model)
    settings.SEARCH_EXACT_UP_TO = 0  # type: ignore[attr-defined]
    settle_graph(user_id=changed, actor=TESTER)
    converse(changed, [("Rui", "I bought an accordion.")], external_id="new")
    assert (ask(changed).strategy, by_vector(ask(changed)), widths(changed)) == ("hnsw", True, {512})
    assert run() == f"1 people's vectors are of {model.name} now.\n"
    converse(changed, [("Rui", "I bought a xylophone.")], external_id="newer")
    assert (ask(changed).strategy, by_vector(ask(changed))) == ("hnsw", True)
    assert widths(changed) == {max(dimensions, 512)}
    build_all(changed)
    for question, found in (("Who carried the piano?", before[0]), ("accordion", "new"), ("xylophone", "newer")):
        assert external_ids(changed, ask(changed, question))[0] == found
    assert check_lineage(user_id=changed, actor=TESTER).faults == []
    settings.SEARCH_EXACT_UP_TO = 10_000  # type: ignore[attr-defined]
    settle_graph(user_id=changed, actor=TESTER)
    assert (ask(changed).strategy, by_vector(ask(changed))) == ("exact", True)
    use_embedder(HashedEmbedder())
    assert run() == "1 people's vectors are of hashed now.\n"
    assert (widths(changed), external_ids(changed, ask(changed))[0]) == ({512}, before[0])


def test_a_model_of_more_dimensions_than_are_stored_is_refused_and_all_stays(
    changed: UUID, use_embedder: Callable[[object], None]
) -> None:
    model = NewEmbedder()
    model.dimensions = 1025
    use_embedder(model)
    with pytest.raises(CommandError, match="1025 dimensions; at most 1024 are stored"):
        run()
    assert by_vector(ask(changed))


def widths(user_id: UUID) -> set[int]:
    """How many numbers the person's vectors have."""
    with as_user(user_id):
        rows = Passage.objects.of(user_id).exclude(embedding=None).values_list("embedding", flat=True)
        return set(map(len, rows))


def test_a_model_that_cannot_be_asked_any_more(changed: UUID, settings: object, tell: Callable[..., None]) -> None:
    """Words alone until the exchange; what comes in meanwhile is never compared with the wrong ones."""
    settings.STORY_EMBEDDERS_RETIRED = []  # type: ignore[attr-defined]
    converse(changed, [("Ada", "I bought an accordion.")], external_id="new")
    answer = ask(changed, "accordion")
    assert answer.degraded == asking.OTHER_EMBEDDER
    assert external_ids(changed, answer)[0] == "new"
    settings.STORY_EMBEDDERS_RETIRED = [OLD]  # type: ignore[attr-defined]
    with as_user(changed):
        assert Passage.objects.of(changed).filter(embedding=None).count() == 1
    assert by_vector(ask(changed)), "the others are found by their vectors again"
    assert check_lineage(user_id=changed, actor=TESTER).faults == []
    assert reembed_person(user_id=changed, actor=TESTER)
    assert by_vector(ask(changed, "accordion"))
    with as_user(changed):
        assert not Passage.objects.of(changed).filter(embedding=None).exists()


def test_a_new_person_begins_with_the_new_model(changed: UUID, jonas: UUID, tell: Callable[..., None]) -> None:
    tell(jonas, "boat", LISBON)
    build_all(jonas)
    assert model_of(jonas) == "newer"


# The command


def run(**options: object) -> str:
    out = StringIO()
    call_command("reembed_stories", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_the_command_brings_everybody_over(changed: UUID, jonas_told: UUID) -> None:
    """Jonas was told under the new model already."""
    assert run() == "1 people's vectors are of newer now.\n"
    assert run() == "0 people's vectors are of newer now.\n"
    with as_support():
        actions = list(AuditLog.objects.filter(subject=changed).values_list("action", flat=True))
    assert (actions.count("vectors.keep"), actions.count("search_set.exchange")) == (2, 1)


def test_the_command_for_one_person(changed: UUID, jonas: UUID) -> None:
    assert run(user="jonas") == "0 people's vectors are of newer now.\n"
    assert model_of(changed) == "hashed"
    for bad in ({"user": "nobody"}, {"batch": 0}, {"rate": -1.0}):
        with pytest.raises(CommandError):
            run(**bad)


def test_whose_keys_are_destroyed_is_named_and_the_others_are_done(changed: UUID) -> None:
    destroy_data_keys(user_id=changed, actor=TESTER)
    with pytest.raises(CommandError, match="1 people are left"):
        run()


def test_a_service_that_is_down_leaves_what_was_and_the_next_run_goes_on(
    changed: UUID, use_embedder: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, times = reembedding.embed_many, []

    def failing(texts: Sequence[str], model: object) -> Vectors:
        times.append(len(texts))
        broken = BrokenEmbedder()
        broken.name = "newer"
        return make(texts, broken if len(times) == 2 else model)  # type: ignore[arg-type]

    monkeypatch.setattr(reembedding, "embed_many", failing)
    with pytest.raises(CommandError, match="kept"):
        run()
    assert by_vector(ask(changed))
    assert run() == "1 people's vectors are of newer now.\n"
    assert len(times) == 3, "what was made before was not made again"


def test_the_pace_is_kept() -> None:
    asked: list[int] = []

    class Counting(HashedEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            asked.append(len(texts))
            return super().embed(texts)

    start = time.monotonic()
    made = Pace(batch=4, rate=40.0).embed([f"text {number}" for number in range(10)], Counting())
    assert (asked, made.shape) == ([4, 4, 2], (10, 64))
    assert time.monotonic() - start >= 0.2


# Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_statement_search_is_whole_and_the_next_run_goes_on(
    committed: None, tell: Callable[..., None], use_embedder: Callable[[object], None], after: bool
) -> None:
    ada = ensure_person(profile=Profile(firebase_uid="ada", name="Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON)
    build_all(ada)
    names, killed = ("hashed", "newer"), 0
    expected = {}
    for model in (HashedEmbedder(), NewEmbedder(), HashedEmbedder()):  # what each finds, undisturbed
        use_embedder(model)
        reembed_person(user_id=ada, actor=TESTER)
        expected[model.name] = scores(ask(ada))
    models = {"hashed": NewEmbedder(), "newer": HashedEmbedder()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "stories.processors.configured.embedder_named", {"hashed": HashedEmbedder(), "newer": NewEmbedder()}.get
        )
        patch.setattr("stories.search.asking.embedder_named", {"hashed": HashedEmbedder(), "newer": NewEmbedder()}.get)
        for statement in range(1, 200):
            now = model_of(ada)
            use_embedder(models[now])
            try:
                with killed_at(statement, after=after):
                    reembed_person(user_id=ada, actor=TESTER)
            except Killed:
                killed += 1
                assert scores(ask(ada)) == expected[model_of(ada)], "of one model, and all of them"
                reembed_person(user_id=ada, actor=TESTER)
            else:
                break
            assert {now, model_of(ada)} == set(names)
            assert scores(ask(ada)) == expected[model_of(ada)]
            assert check_lineage(user_id=ada, actor=TESTER).faults == []
    assert 30 < killed < 199
