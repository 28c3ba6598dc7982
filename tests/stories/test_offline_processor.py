"""The offline processor makes a readable, bounded, repeatable story of anything."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.processors.base import Draft, Message, Processor, Transcript
from stories.processors.offline.events import LONGEST_WHAT, MOST_EVENTS
from stories.processors.offline.names.people import MOST_PEOPLE
from stories.processors.offline.names.places import MOST_PLACES
from stories.processors.offline.processor import LONGEST_TEXT, OfflineProcessor
from stories.processors.offline.sentences import LONGEST, pieces
from stories.processors.offline.titles import LONGEST_TITLE
from stories.processors.offline.voice import in_third_person, without_lead_in

BEGAN = datetime(2024, 5, 15, 12, tzinfo=UTC)
TALK = (
    "Hey Bertram! How are you?",
    "Hi Ottilie! Good, thanks. What's new?",
    "I joined a rowing club yesterday, and the coach is strict.",
    "Wow, that's great!",
    "The rowing club trains in Hamburg, and my sister Anna came too.",
    "I have a violin exam next Friday. I practise the violin every night.",
    "Good luck with it!",
    "Thanks!",
    "My rowing club has a regatta in June.",
)


def transcript(*texts: str, title: str = "Session 1") -> Transcript:
    authors = ("Ottilie", "Bertram")
    messages = (Message(f"m{n}", authors[n % 2], text, BEGAN + timedelta(minutes=n)) for n, text in enumerate(texts))
    return Transcript(title, tuple(messages))


def compose(*texts: str, title: str = "Session 1") -> Draft:
    processor: Processor = OfflineProcessor()
    return processor.compose(transcript(*texts, title=title))


def assert_bounded(draft: Draft) -> None:
    assert 0 < len(draft.title) <= LONGEST_TITLE
    assert len(draft.text) <= LONGEST_TEXT
    assert len(draft.people) <= MOST_PEOPLE
    assert len(draft.places) <= MOST_PLACES
    assert len(draft.events) <= MOST_EVENTS
    assert all(len(event.what) <= LONGEST_WHAT + 1 for event in draft.events)
    assert draft.occurred_from <= draft.occurred_to


def test_a_story_tells_what_happened_and_leaves_out_the_greetings() -> None:
    draft = compose(*TALK)
    assert draft.title == "Ottilie joined a rowing club"
    assert "Ottilie joined a rowing club yesterday [14 May 2024]" in draft.text
    assert not any(greeting in draft.text for greeting in ("Hey", "Thanks", "Good luck", "What's new"))
    assert draft.people == ("Ottilie", "Bertram", "Anna")
    assert draft.places == ("Hamburg",)
    assert ("Bertram", "has a violin exam") in {(event.who, event.what) for event in draft.events}
    assert (draft.occurred_from, draft.occurred_to) == (BEGAN, BEGAN + timedelta(minutes=8))


def test_a_title_that_means_something_is_kept() -> None:
    assert compose(*TALK, title="Four days before Oslo").title == "Four days before Oslo"
    assert compose(*TALK, title="Rowing").title == "Rowing: violin exam"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        (("The race in Hamburg was on Monday.",), "Race in Hamburg"),
        (("How are you?", "My knees hurt from all the rowing."), "My knees hurt from all the rowing"),
        (("Good morning!",), "Good morning!"),
        (("I bought a canoe with my own money last week and painted it green, of all colours, right away.",),
         "Ottilie bought a canoe with their own money and painted it green"),
    ],
)  # fmt: skip
def test_a_title_is_what_was_done_or_else_said(said: tuple[str, ...], title: str) -> None:
    assert compose(*said).title == title


@pytest.mark.parametrize("title", ["Session 12", "New chat", "Untitled", "", "Conversation 2024-05-01", "Chat with Bo"])
def test_a_title_made_by_software_is_replaced(title: str) -> None:
    assert compose(*TALK, title=title).title == "Ottilie joined a rowing club"


def test_messages_are_told_by_time_whatever_their_order() -> None:
    forward = transcript(*TALK)
    assert OfflineProcessor().compose(Transcript("", forward.messages[::-1])) == OfflineProcessor().compose(
        Transcript("", forward.messages)
    )


def test_notes_of_attachments_and_links_are_no_speech() -> None:
    draft = compose("I bought a canoe yesterday. [image: a photo of Anna in Rome] https://example.org/Oslo")
    assert draft.text == "Ottilie bought a canoe yesterday [14 May 2024]."
    assert draft.places == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I just moved to Oslo.", "Ada just moved to Oslo."),
        ("I'm learning Dutch.", "Ada is learning Dutch."),
        ("I love plums.", "Ada loves plums."),
        ("I sold my boat.", None),
        ("I owe you one.", None),
        ("Plums are fine.", None),
    ],
)
def test_the_third_person_is_used_only_where_it_is_safe(said: str, told: str | None) -> None:
    assert in_third_person(said, "Ada") == told


def test_where_nothing_is_told_the_first_words_are_the_story() -> None:
    assert compose("Hi!", "Hello!").text == 'Ottilie: "Hi!" Bertram: "Hello!"'
    assert compose("").text == ""
    assert compose("").title == "Conversation of 15 May 2024"


def test_openings_are_left_out() -> None:
    assert without_lead_in("Yeah, Ada! Well, I moved.") == "I moved."


def test_a_full_stop_after_a_title_ends_nothing() -> None:
    assert list(pieces("I saw Dr. Weiss. He smiled! \u6211\u597d\u3002\u4f60\u5462\uff1f")) == [
        "I saw Dr. Weiss.", "He smiled!", "\u6211\u597d\u3002", "\u4f60\u5462\uff1f",
    ]  # fmt: skip


def test_nothing_of_what_was_said_shows_when_a_value_prints() -> None:
    talk = transcript(*TALK, title="Secret plans")
    shown = repr(talk) + repr(OfflineProcessor().compose(talk))
    assert not any(word in shown for word in ("Ottilie", "Bertram", "Anna", "rowing", "violin", "Hamburg", "Secret"))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="m1: sent_at has no time zone"):
        Message("m1", "Ada", "hello", datetime(2024, 5, 15))


def test_a_transcript_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one message"):
        Transcript("", ())


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "?", "\U0001f600\U0001f600", "\x00", "'", "[image:", "I", "\ud800",
        "\u0412\u0447\u0435\u0440\u0430 \u044f \u0431\u044b\u043b \u0432 \u041c\u043e\u0441\u043a\u0432\u0435.",
        "\u6211\u6628\u5929\u53bb\u4e86\u5317\u4eac\u3002\u5929\u6c14\u5f88\u597d\u3002",
        "\u0630\u0647\u0628\u062a \u0625\u0644\u0649 \u0627\u0644\u0642\u0627\u0647\u0631\u0629 \u0623\u0645\u0633.",
        "Gestern war ich mit meiner Schwester Anna in K\u00f6ln.",
    ],
)  # fmt: skip
def test_any_script_and_no_script_at_all_gives_a_story(text: str) -> None:
    assert_bounded(compose(text))
    assert_bounded(compose(text, text, text))


WORDS = st.sampled_from([*" ".join(TALK).split(), "I", "my", "Anna's", "in", "...", "-", "[image:", "12", "May", "\n"])


@settings(max_examples=60)
@given(st.lists(st.lists(WORDS, max_size=30).map(" ".join) | st.text(max_size=200), min_size=1, max_size=8), st.text())
def test_any_text_gives_the_same_bounded_story_twice(texts: list[str], title: str) -> None:
    draft = compose(*texts, title=title)
    assert_bounded(draft)
    assert draft == compose(*texts, title=title)


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "[image", "\U0001f600", "'", '"', "I ", "Anna ", "in ", "12 ", "a-", "A, ", "\n", "\u6211", "my pal "],
)
def test_a_message_of_100_kb_is_cut_and_done_in_seconds(unit: str) -> None:
    began = time.process_time()
    draft = compose(unit * (100_000 // len(unit)))
    assert_bounded(draft)
    assert time.process_time() - began < 10


def test_no_piece_is_longer_than_the_bound() -> None:
    assert max(map(len, pieces("word " * 5_000 + "x" * 5_000))) <= LONGEST


def test_time_grows_with_the_length_and_not_faster() -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        assert_bounded(compose(*(f"{text} Number {n}." for n in range(times) for text in TALK)))
        return time.process_time() - began

    seconds(1)
    assert seconds(625) < 40 * max(seconds(62), 0.02)


def test_twenty_conversations_of_25_messages_a_second() -> None:
    talks = [transcript(*(TALK * 4)[:25], title=str(n)) for n in range(20)]
    OfflineProcessor().compose(talks[0])
    began = time.process_time()
    for talk in talks:
        OfflineProcessor().compose(talk)
    assert time.process_time() - began < 1.0
