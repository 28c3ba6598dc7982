"""Ranking: each part of a score does what it says, the parts add up, and a part of the passages is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.search.ranking import Passages, Ranker, StoryWords
from stories.search.scoring import ALONE, ASSISTED, Collection, Weights

ONE_WORD = np.array([1])


def conversation(*counts: int, similarity: list[float] | None = None, story: list[int] | None = None) -> Passages:
    """Messages in a row of ten words each, in one conversation unless said otherwise; one word is asked for."""
    stories = np.array(story or [0] * len(counts), dtype=np.int64)
    position = np.array([int((stories[:at] == stories[at]).sum()) for at in range(len(counts))], dtype=np.int64)
    likeness = None if similarity is None else np.array(similarity)
    return Passages(stories, position, np.array([counts]), np.full(len(counts), 10), likeness)


@st.composite
def people(draw: st.DrawFn) -> Passages:
    size = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    story = np.sort(rng.integers(0, 4, size))
    return Passages(
        story=story,
        position=np.arange(size),
        counts=rng.integers(0, 3, (draw(st.integers(0, 4)), size)),
        lengths=rng.integers(6, 30, size),
        similarity=draw(st.sampled_from([None, rng.uniform(-0.2, 0.9, size)])),
        asking=draw(st.sampled_from([None, rng.random(size) < 0.3])),
        dated=draw(st.sampled_from([None, rng.random(size) < 0.3])),
        spoken=draw(st.sampled_from([None, rng.random(size) < 0.5])),
        author=draw(st.sampled_from([None, rng.integers(0, 3, size)])),
        assistant=draw(st.sampled_from([None, rng.random(size) < 0.3])),
        foreign=draw(st.sampled_from([None, rng.random(size) < 0.5])),
    )


def everyone_asked(passages: Passages) -> Ranker:
    return Ranker(np.ones(len(passages.counts), dtype=np.int64))


def taken(passages: Passages, rows: np.ndarray) -> Passages:
    given = {name: getattr(passages, name) for name in Passages.__slots__}
    return Passages(**{name: None if array is None else array[..., rows] for name, array in given.items()})


def test_the_word_decides_without_vectors() -> None:
    ranking = Ranker(ONE_WORD).rank(conversation(0, 0, 0, 2, 0, 0, 0))
    assert ranking.passages.best(1).tolist() == [3]
    assert "vector" not in ranking.passages.parts


def test_the_vector_decides_without_words() -> None:
    ranking = Ranker(np.zeros(0, dtype=np.int64)).rank(
        Passages(np.zeros(3, int), np.arange(3), np.zeros((0, 3), int), np.full(3, 9), np.array([0.1, 0.8, 0.3]))
    )
    assert ranking.passages.best().tolist() == [1, 2, 0]


def test_a_neighbour_gains_by_nearness_and_other_conversations_nothing() -> None:
    found = Ranker(ONE_WORD).rank(conversation(1, 0, 0, 0, 0, 0, story=[0, 0, 0, 0, 1, 1])).passages.parts["neighbours"]
    assert found[1] > found[2] > 0
    assert found[[0, 3, 4, 5]] == pytest.approx([0, 0, 0, 0])


def test_nearness_goes_by_position_not_by_what_happens_to_be_given() -> None:
    passages = conversation(1, 0, 0, 0, 0, 0)
    far = taken(passages, np.array([0, 5]))
    assert Ranker(ONE_WORD).rank(far).passages.parts["neighbours"][1] == 0
    near = taken(passages, np.array([2, 0]))
    assert Ranker(ONE_WORD).rank(near).passages.parts["neighbours"][0] > 0


def test_a_word_all_around_does_not_count_thrice() -> None:
    by_word = Ranker(ONE_WORD).rank(conversation(1, 1, 1, 1, 1, 0, 0, 0, 0, 0)).passages
    assert by_word.parts["neighbours"].max() < by_word.parts["words"].max()


def test_who_was_asked_about_goes_first_among_equals() -> None:
    passages = replace(conversation(1, 0, 0, 0, 0, 1), spoken=np.array([False] * 5 + [True]))
    ranked = Ranker(ONE_WORD).rank(passages).passages
    assert ranked.best(2).tolist() == [5, 0]
    assert ranked.why(5)["speaker"] == Weights().speaker
    assert "speaker" not in ranked.why(0)


def test_what_was_said_in_the_time_asked_about_goes_first_among_equals() -> None:
    passages = replace(conversation(1, 0, 0, 0, 0, 1), timely=np.array([0.1] * 5 + [1.0]))
    ranked = Ranker(ONE_WORD).rank(passages).passages
    assert ranked.best(2).tolist() == [5, 0]
    assert ranked.why(5)["time"] == Weights().time
    assert "time" not in Ranker(ONE_WORD).rank(replace(passages, timely=None)).passages.parts


def test_what_an_assistant_says_goes_behind_its_equal_unless_it_is_asked_for() -> None:
    passages = replace(conversation(1, 0, 0, 0, 0, 1), assistant=np.array([True] + [False] * 5))
    ranked = Ranker(ONE_WORD).rank(passages).passages
    assert ranked.best(2).tolist() == [5, 0]
    assert ranked.why(0)["assistant"] == -Weights().assistant
    asked = Ranker(ONE_WORD).rank(replace(passages, spoken=passages.assistant)).passages
    assert asked.best(2).tolist() == [0, 5]
    assert asked.why(0)["assistant"] == 2 * Weights().assistant


def test_words_speak_for_a_neighbour_only_across_a_change_of_speaker() -> None:
    passages = replace(conversation(0, 0, 1, 0, 0), author=np.array([5, 7, 7, 5, 5]))
    assert neighbours(passages) == [False, False, False, True, False]
    assert neighbours(replace(passages, author=None)) == [True, True, False, True, True], "without it all of them"


def test_an_assistants_words_speak_for_nothing_else() -> None:
    passages = replace(conversation(0, 1, 0), author=np.array([5, 7, 5]))
    assert neighbours(passages) == [True, False, True]
    assert neighbours(replace(passages, assistant=np.array([False, True, False]))) == [False] * 3
    assert neighbours(replace(passages, assistant=np.array([True, False, True]))) == [True, False, True]


def neighbours(passages: Passages) -> list[bool]:
    return (Ranker(ONE_WORD).rank(passages).passages.parts["neighbours"] > 0).tolist()


def test_beside_an_assistant_neither_asking_nor_length_tells_anything() -> None:
    talk = replace(
        conversation(1, 0, 0, 0), asking=np.array([True, False, False, False]), author=np.array([5, 7, 5, 7])
    )
    assisted = replace(talk, assistant=np.array([False, True, False, True]))
    whys = [Ranker(ONE_WORD).rank(each).passages.why(0) for each in (talk, assisted)]
    assert [{"asking", "substance"} & why.keys() for why in whys] == [{"asking", "substance"}, set()]
    assert whys[0]["conversation"] < whys[1]["conversation"]


def test_a_person_opens_a_conversation_with_an_assistant_with_what_it_is_about() -> None:
    said = conversation(1, 0, 1, 1, 0, 1, story=[0, 0, 0, 1, 1, 1])
    beside = replace(said, author=np.array([1, 9, 1, 1, 2, 1]), assistant=np.array([0, 1, 0, 0, 0, 0]) == 1)
    opening = Ranker(ONE_WORD).rank(beside).passages.parts["opening"]
    assert opening[0] > 0, "what a person opens with"
    assert not opening[1:].any(), "nothing else, and no opening among people"
    assert Ranker(ONE_WORD).rank(beside).passages.best(1).tolist() == [0]
    greeted = replace(beside, author=np.array([9, 1, 1, 1, 2, 1]), assistant=np.array([1, 0, 0, 0, 0, 0]) == 1)
    assert not Ranker(ONE_WORD).rank(greeted).passages.parts["opening"].any(), "an assistant's greeting says nothing"


def test_notes_of_one_author_stand_each_by_itself() -> None:
    notes = replace(conversation(1, 0, 0, 1, story=[0, 0, 0, 1]), author=np.array([5, 5, 5, 5]))
    assert Ranker(ONE_WORD).rank(notes).passages.why(0).keys() == {"words"}
    assert Ranker(ONE_WORD).rank(replace(notes, author=None)).passages.why(0).keys() > {"words"}


def test_weights_are_those_of_what_there_is_and_the_same_for_all() -> None:
    weights = Weights()
    assert weights.mixed(0, 0) == weights
    assert weights.mixed(1, 0) == replace(weights, **ASSISTED)
    assert weights.mixed(0, 1) == replace(weights, **ALONE)
    half = replace(
        conversation(1, 0, 1, 0, story=[0, 0, 1, 1]),
        author=np.array([5, 7, 5, 7]),
        assistant=np.array([False, True, False, False]),
    )
    whys = [Ranker(ONE_WORD).rank(half).passages.why(at) for at in (0, 2)]
    assert whys[0]["conversation"] == whys[1]["conversation"] == pytest.approx(weights.mixed(0.5, 0).conversation)


def test_a_question_goes_behind_its_equal() -> None:
    passages = replace(conversation(1, 0, 0, 0, 0, 1), asking=np.array([True] + [False] * 5))
    assert Ranker(ONE_WORD).rank(passages).passages.best(2).tolist() == [5, 0]


def test_a_message_that_names_a_time_goes_first_if_one_is_asked_for() -> None:
    passages = replace(conversation(1, 0, 0, 0, 0, 1), dated=np.array([False] * 5 + [True]))
    assert Ranker(ONE_WORD).rank(passages).passages.best(2).tolist() == [5, 0]


def test_of_two_that_fit_alike_the_longer_says_more() -> None:
    passages = replace(conversation(0, 0, 0, similarity=[0.9, 0.9, 0.1]), lengths=np.array([5, 20, 5]))
    assert Ranker(ONE_WORD).rank(passages).passages.best(1).tolist() == [1]


def test_what_can_have_no_word_of_the_question_is_judged_by_its_meaning() -> None:
    """The last one is nearest in meaning, in another language; a word stands in the first two."""
    passages = conversation(1, 1, 0, 0, 0, similarity=[0.1, 0.2, 0.1, 0.0, 0.9], story=[0, 0, 1, 1, 2])
    foreign = replace(passages, foreign=np.array([False] * 4 + [True]))
    assert Ranker(ONE_WORD).rank(passages).passages.best(1).tolist() == [1]
    ranked = Ranker(ONE_WORD).rank(foreign).passages
    assert ranked.best(1).tolist() == [4]
    assert ranked.why(4)["other_language"] > 0
    assert "other_language" not in ranked.why(0)


def test_its_meaning_counts_less_where_something_in_the_language_of_the_question_is_nearer() -> None:
    passages = conversation(0, 0, 0, similarity=[0.9, 0.0, 0.5], story=[0, 1, 2])
    ranked = Ranker(ONE_WORD).rank(replace(passages, foreign=np.array([False, False, True]))).passages
    assert ranked.best().tolist() == [0, 2, 1]


@given(people())
def test_no_passage_loses_by_being_in_another_language(passages: Passages) -> None:
    alike = replace(passages, foreign=None)
    for which in (np.zeros(len(passages), np.bool_), np.ones(len(passages), np.bool_)):
        given = replace(passages, foreign=which)
        own, other = (everyone_asked(each).rank(each).passages for each in (alike, given))
        assert sorted(own.best().tolist()) == sorted(other.best().tolist())
        if not which.any():
            assert other.score == pytest.approx(own.score)


def test_a_conversation_about_it_lifts_its_passages() -> None:
    passages = conversation(1, 0, 0, 0, 1, 0, 0, 1, story=[0] * 4 + [1] * 4)
    assert Ranker(ONE_WORD).rank(passages).passages.best(1).tolist() == [4]
    without = replace(Ranker(ONE_WORD), weights=replace(Weights(), conversation=0.0))
    assert without.rank(passages).passages.best(1).tolist() == [0]


def test_stories_are_ranked_by_their_best_passages_and_their_whole() -> None:
    ranking = Ranker(ONE_WORD).rank(conversation(0, 0, 3, 1, 1, 0, story=[7, 7, 5, 5, 9, 9]))
    assert ranking.story.tolist() == [5, 7, 9]
    assert ranking.story[ranking.stories.best()].tolist() == [5, 9, 7]
    assert set(ranking.stories.why(0)) == {"passages", "conversation"}


def test_an_unknown_likeness_counts_as_none() -> None:
    ranked = Ranker(ONE_WORD).rank(conversation(0, 0, 0, similarity=[0.9, np.nan, 0.2])).passages
    assert ranked.parts["vector"][0] > 0
    assert ranked.parts["vector"][1:].tolist() == [0, 0]


def test_all_likenesses_unknown_is_words_alone() -> None:
    unknown = Ranker(ONE_WORD).rank(conversation(0, 1, 0, similarity=[np.nan] * 3)).passages
    assert unknown.score == pytest.approx(Ranker(ONE_WORD).rank(conversation(0, 1, 0)).passages.score)


def test_nothing_to_rank() -> None:
    ranking = Ranker(ONE_WORD).rank(conversation())
    assert (ranking.passages.best().tolist(), ranking.stories.best().tolist()) == ([], [])


def test_nothing_found_keeps_the_order_given() -> None:
    assert Ranker(ONE_WORD).rank(conversation(0, 0, 0)).passages.best().tolist() == [0, 1, 2]


@given(people())
def test_the_parts_add_up(passages: Passages) -> None:
    ranking = everyone_asked(passages).rank(passages)
    for ranked in (ranking.passages, ranking.stories):
        assert np.isfinite(ranked.score).all()
        assert sum(ranked.parts.values()) == pytest.approx(ranked.score)


@given(people(), st.randoms(use_true_random=False))
def test_the_order_in_which_passages_are_given_changes_no_score(passages: Passages, random: object) -> None:
    rows = np.random.default_rng(len(passages)).permutation(len(passages))
    straight, shuffled = (everyone_asked(passages).rank(given) for given in (passages, taken(passages, rows)))
    assert shuffled.passages.score == pytest.approx(straight.passages.score[rows])
    assert shuffled.stories.score == pytest.approx(straight.stories.score)


@settings(max_examples=50)
@given(people(), st.floats(0.1, 5), st.floats(-1, 1))
def test_only_differences_of_cosines_count(passages: Passages, scale: float, shift: float) -> None:
    if passages.similarity is None:
        return
    moved = replace(passages, similarity=passages.similarity * scale + shift)
    straight, changed = (everyone_asked(passages).rank(given).passages.score for given in (passages, moved))
    assert changed == pytest.approx(straight, abs=1e-6)


def test_candidates_with_the_figures_of_all_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    size = 400
    counts = (rng.random((3, size)) < 0.05).astype(int)
    everything = Passages(
        np.arange(size) // 20, np.arange(size) % 20, counts, rng.integers(6, 30, size), rng.uniform(0, 1, size)
    )
    # How well a conversation fits takes in its three nearest passages, which candidates may lack: the rest is exact.
    exact = Weights(conversation_vector=0.0)
    whole = replace(everyone_asked(everything), weights=exact).rank(everything)
    candidates = np.sort(whole.passages.best(100))
    around = np.unique(np.clip(candidates[:, None] + np.arange(-2, 3), 0, size - 1))
    assert everything.similarity is not None
    words = StoryWords.of(everything)
    ranker = replace(
        everyone_asked(everything),
        collection=Collection.of(counts, everything.lengths),
        story_words=words,
        floor=float(everything.similarity.min()),
        weights=exact,
    )
    part = ranker.rank(taken(everything, around))
    assert around[part.passages.best(20)].tolist() == whole.passages.best(20).tolist()
    assert part.story.tolist() == whole.story.tolist()
