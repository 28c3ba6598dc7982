"""A question is turned to the one person it is about, and to nobody if it is about two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.search.question import MAX_WORDS, understand
from stories.text.words import words

PEOPLE = ("Ada Lovelace", "Grace", "Agnes")


@pytest.mark.parametrize(
    ("asked", "spoken", "speaker"),
    [
        ("Where does Grace live?", "Where does I live?", "Grace"),
        ("What is grace's dog called?", "What is my dog called?", "Grace"),
        ("What is Agnes' dog called?", "What is my dog called?", "Agnes"),
        ("What is Agnes\u2019s dog called?", "What is my dog called?", "Agnes"),
        ("Has Ada been to Rome?", "Has I been to Rome?", "Ada Lovelace"),
        ("Has Ada Lovelace been to Rome?", "Has I been to Rome?", "Ada Lovelace"),
        ("What did Grace and Ada cook?", "What did Grace and Ada cook?", None),
        ("Who graced the stage?", "Who graced the stage?", None),
        ("Who was there?", "Who was there?", None),
    ],
)
def test_the_one_named_becomes_i(asked: str, spoken: str, speaker: str | None) -> None:
    question = understand(asked, PEOPLE)
    assert (question.spoken, question.speaker) == (spoken, speaker)


@pytest.mark.parametrize(
    ("asked", "spoken", "speaker"),
    [
        ("What did Grace give to Ada?", "What did I give to Ada?", "Grace"),
        ("Did Ada like Grace's cake?", "Did I like Grace's cake?", "Ada Lovelace"),
        ("What does Agnes’ aunt say of Grace?", "What does my aunt say of Grace?", "Agnes"),
        ("What did Grace, Ada and Agnes cook?", "What did Grace, Ada and Agnes cook?", None),
        ("Did Grace or Ada win?", "Did Grace or Ada win?", None),
        ("Where did Grace meet Ada, and did both dance?", "Where did Grace meet Ada, and did both dance?", None),
    ],
)
def test_of_several_the_first_named_becomes_i_unless_they_are_joined(
    asked: str, spoken: str, speaker: str | None
) -> None:
    question = understand(asked, PEOPLE)
    assert (question.spoken, question.speaker) == (spoken, speaker)


@pytest.mark.parametrize(
    ("asked", "spoken", "speaker"),
    [
        ("Who is Grace Palmer?", "Who is Grace Palmer?", None),
        ("Did Grace meet Grace Palmer?", "Did I meet Grace Palmer?", "Grace"),
        ("What is Grace's Instagram name?", "What is my Instagram name?", "Grace"),
        ("Has Ada Lovelace been to Rome?", "Has I been to Rome?", "Ada Lovelace"),
        ("WHERE DOES GRACE LIVE?", "WHERE DOES I LIVE?", "Grace"),
        ("What would Grace I know do?", "What would I I know do?", "Grace"),
        ("Trinkt Grace Tee?", "Trinkt I Tee?", "Grace"),
    ],
)
def test_a_name_with_another_surname_is_somebody_else(asked: str, spoken: str, speaker: str | None) -> None:
    question = understand(asked, PEOPLE)
    assert (question.spoken, question.speaker) == (spoken, speaker)


@pytest.mark.parametrize(
    ("asked", "begins", "ends"),
    [
        ("What did I buy yesterday?", "2026-05-11", "2026-05-12"),
        ("Whom did I meet last week?", "2026-05-04", "2026-05-11"),
        ("What did I cook in October 2025?", "2025-10-01", "2025-11-01"),
    ],
)
def test_times_are_reckoned_where_and_when_it_is_asked(asked: str, begins: str, ends: str) -> None:
    tokyo = timezone(timedelta(hours=9))
    late = datetime(2026, 5, 12, 0, 30, tzinfo=tokyo)  # in UTC it is the day before
    [span] = understand(asked, PEOPLE, asked_at=late).times
    assert span == tuple(datetime.fromisoformat(f"{day}T00:00:00+09:00") for day in (begins, ends))


@pytest.mark.parametrize("asked", ["What did I buy?", "What happened on 31 February?", "What did I buy today?"])
def test_no_time_and_one_that_does_not_exist_are_none(asked: str) -> None:
    assert understand(asked, PEOPLE, asked_at=datetime(9999, 12, 31, tzinfo=UTC)).times == ()


def test_a_first_name_that_two_bear_names_neither() -> None:
    question = understand("Where does Ada live?", ("Ada Lovelace", "Ada Byron"))
    assert (question.spoken, question.speaker) == ("Where does Ada live?", None)
    assert understand("Where does Ada Byron live?", ("Ada Lovelace", "Ada Byron")).speaker == "Ada Byron"


@pytest.mark.parametrize("asked", ["Where did I park?", "What is my address?", "who called me"])
def test_in_the_first_person_it_is_about_who_asks(asked: str) -> None:
    assert understand(asked, PEOPLE, asker="Grace").speaker == "Grace"
    assert understand(asked, PEOPLE).speaker is None


@pytest.mark.parametrize(
    "asked",
    [
        "What did you recommend for my headache?",
        "What have you told me about Rome?",
        "Remind me what you suggested for dinner.",
        "Which wine did the assistant mention?",
        "What was your last suggestion?",
    ],
)
def test_asking_what_an_assistant_said(asked: str) -> None:
    question = understand(asked, PEOPLE, asker="Grace")
    assert question.of_assistant


@pytest.mark.parametrize(
    "asked", ["What did I tell you about Rome?", "Can you tell me where I parked?", "What did the doctor recommend?"]
)
def test_asking_an_assistant_is_not_asking_what_it_said(asked: str) -> None:
    assert not understand(asked, PEOPLE, asker="Grace").of_assistant


def test_a_name_goes_before_an_assistant() -> None:
    question = understand("What did you recommend to Grace?", PEOPLE)
    assert (question.speaker, question.of_assistant) == ("Grace", False)


def test_a_name_goes_before_who_asks() -> None:
    assert understand("What did Ada tell me?", PEOPLE, asker="Grace").speaker == "Ada Lovelace"


@pytest.mark.parametrize(
    "asked",
    ["When did Grace move?", "Since when is she here?", "In which month was it?", "What day is it", "How long ago?"],
)
def test_asking_for_a_time(asked: str) -> None:
    assert understand(asked, PEOPLE).when


@pytest.mark.parametrize(
    "asked", ["What did Grace say when she moved?", "Who goes there?", "Whenever?", "What month-long trip?"]
)
def test_not_asking_for_a_time(asked: str) -> None:
    assert not understand(asked, PEOPLE).when


@pytest.mark.parametrize(
    "asked",
    [
        "What pets does Grace have?",
        "Which other books did I read?",
        "how many trips",
        "What kind of tea",
        "Name all men",
    ],
)
def test_asking_for_several_things(asked: str) -> None:
    assert understand(asked, PEOPLE).several


@pytest.mark.parametrize(
    "asked", ["What is Grace's status?", "What does she do?", "What was the news?", "Which bus?", "Whatever, boys"]
)
def test_not_asking_for_several_things(asked: str) -> None:
    assert not understand(asked, PEOPLE).several


def test_the_words_are_those_of_the_text_and_keep_the_name() -> None:
    question = understand("Which gardens, oh which gardens did Grace visit?", PEOPLE)
    assert dict(question.words) == {"garden": 2, "oh": 1, "grace": 1, "visit": 1}


def test_only_so_many_words_are_searched_for() -> None:
    assert len(understand(" ".join(f"w{number}" for number in range(500))).words) == MAX_WORDS


@pytest.mark.parametrize("asked", ["", " ", "?", "the of and", "x" * 100_000])
def test_odd_questions_are_no_error(asked: str) -> None:
    assert understand(asked, PEOPLE).speaker is None


def test_a_question_does_not_print_what_was_asked() -> None:
    assert "Rome" not in repr(understand("Has Grace been to Rome?", PEOPLE))
    assert "Grace" not in repr(understand("Has Grace been to Rome?", PEOPLE))


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_and_any_names(asked: str, names: list[str]) -> None:
    question = understand(asked, names, asker="Me")
    assert (
        question.speaker is None or question.speaker == "Me" or question.speaker in {" ".join(n.split()) for n in names}
    )
    assert set(question.words) <= set(words(asked))
