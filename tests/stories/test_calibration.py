"""A score is a probability: comparable between questions, never greater further down, small where nothing answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from benchmarks.calibration.fitting import Observed, area_under_curve, calibration_error, fit, reliability
from stories.search.ranking import Ranker
from stories.search.scoring import BY_WORDS, OFFLINE, features
from stories.search.services import calibration_of, search_memories, search_stories
from tests.building import converse, index_all
from tests.cast import TESTER
from tests.stories.conftest import HashedEmbedder
from tests.stories.test_ranking import ONE_WORD, conversation
from vibe.core.errors import InputError

FOREIGN = "quantum chromodynamics lattice gauge theory"
SAID = [
    ("Ada", "I moved to Lisbon in May, to a flat above a bakery."),
    ("Ines", "I ran the Porto marathon in four hours and a half."),
    ("Ada", "My dog Pastel has a weak heart and takes two pills a day."),
    ("Ines", "Rui and I marry in June, in a vineyard near Setúbal."),
]


@pytest.fixture
def talked(ada: UUID) -> UUID:
    converse(ada, SAID)
    index_all(ada)
    return ada


def scores(user_id: UUID, question: str, **options: object) -> list[float]:
    answer = search_memories(user_id=user_id, question=question, actor=TESTER, **options)  # type: ignore[arg-type]
    return [each.score for each in answer.memories]


def test_what_nothing_answers_is_unlikely_and_what_is_there_is_not(talked: UUID) -> None:
    assert max(scores(talked, FOREIGN)) < 0.2
    assert scores(talked, "Which illness does my dog Pastel have?")[0] > 0.25


def test_what_is_less_likely_than_wanted_is_left_out(talked: UUID) -> None:
    assert scores(talked, FOREIGN, min_score=0.2) == []
    assert search_stories(user_id=talked, question=FOREIGN, actor=TESTER, min_score=0.2).stories == ()
    everything = scores(talked, "When do Rui and Ines marry?")
    kept = scores(talked, "When do Rui and Ines marry?", min_score=everything[1])
    assert kept == everything[:2] and len(everything) == len(SAID), "without it all are there"
    [story] = search_stories(user_id=talked, question="When do Rui and Ines marry?", actor=TESTER).stories
    assert story.score == everything[0]


def test_without_vectors_words_alone_tell_what_is_unlikely(
    talked: UUID, use_embedder: Callable[[object], None]
) -> None:
    use_embedder(HashedEmbedder())
    assert calibration_of(HashedEmbedder().name) is BY_WORDS and calibration_of("use-multilingual-3") is OFFLINE
    nowhere, there = (max(scores(talked, asked)) for asked in (FOREIGN, "Porto marathon"))
    assert nowhere < 0.2 < there


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_score_that_is_no_probability_is_refused(ada: UUID, least: float) -> None:
    with pytest.raises(InputError, match="min_score"):
        search_memories(user_id=ada, question="Where?", actor=TESTER, min_score=least)


def test_further_down_is_never_more_likely_and_the_newest_is_not_for_being_new() -> None:
    given = conversation(0, 1, 2, 0, similarity=[0.1, 0.9, 0.3, 0.2])
    ranking = Ranker(ONE_WORD).rank(given)
    in_order = ranking.probability[ranking.passages.best()]
    assert (np.diff(in_order) <= 0).all() and in_order[0] > in_order[-1]
    newest = Ranker(ONE_WORD).rank(replace(given, said_at=np.array([4, 1, 2, 3])))
    assert "newest" in newest.passages.parts
    assert newest.probability == pytest.approx(ranking.probability)


def test_likeness_and_words_of_the_best_count_the_same_for_every_question() -> None:
    counts, weights = np.array([[1, 0], [0, 0]]), np.array([3.0, 1.0])
    near, far = (features(np.array([0.8, 0.5]), np.array([cosine, 0.0]), counts, weights) for cosine in (0.9, 0.1))
    assert near.tolist() == [[0.9, 0.75, 0.0], [0.9, 0.75, pytest.approx(-0.3)]]
    assert (OFFLINE.probability(near) > OFFLINE.probability(far)).all()
    assert features(np.zeros(0), None, np.zeros((2, 0)), weights).shape == (0, 3)


def test_the_fit_finds_the_curve_that_made_the_answers_and_no_coefficient_below_zero() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (4_000, 3))
    chance = 1 / (1 + np.exp(-(-1 + inputs @ np.array([2.0, 0.0, 3.0]) - 0.5 * inputs[:, 1])))
    answers = (rng.random(len(chance)) < chance) * 1.0
    intercept, *found = fit([(1.0, [Observed(True, inputs, answers)])], [0, 1, 2])
    assert [intercept, *found] == pytest.approx([-1, 2, 0, 3], abs=0.2)
    assert found[1] == 0, "it spoke against an answer"
    assert calibration_error(reliability(chance, answers)) < 0.03 < calibration_error(reliability(1 - chance, answers))


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area_under_curve(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == (1 + 1 + 1 + 0.5) / 4
    assert json.dumps(area_under_curve(np.array([1.0]), np.array([0.0]))) == "1.0"
