"""Each memory becomes one passage or, if it is long, several; the first knows what it replies to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stories.processors.base import Message
from stories.text.passages import ASKS, DATES, MAX_CONTEXT, WINDOW, asks, passages, windows
from stories.text.words import words

NOON = datetime(2024, 5, 3, 12, tzinfo=UTC)


def said(who: str, text: str, minute: int = 0) -> Message:
    return Message(f"m{minute}", who, text, NOON + timedelta(minutes=minute))


def test_a_reply_is_embedded_with_what_it_replies_to_but_counts_its_own_words() -> None:
    asked = said("Ivy", "Did you sell the boat?")
    [question] = passages(asked)
    [reply] = passages(said("Otto", "Yes, twice!", 1), asked)
    assert question.embedded == "Did you sell the boat?"
    assert reply.embedded == "Did you sell the boat? Yes, twice!"
    assert question.words == ("ivi", "sell", "boat", "3", "may", "2024", ASKS)
    assert reply.words == ("otto", "yes", "twice", "3", "may", "2024")
    assert (question.length, reply.length, question.part) == (6, 6, 0)


def test_who_goes_on_speaking_is_embedded_alone() -> None:
    """Measured: it costs nothing where two people take turns, and helps on notes of one author."""
    [more] = passages(said("Ivy", "And the oars too.", 1), said("Ivy", "I sold the boat."))
    assert more.embedded == "And the oars too."


def test_times_that_a_text_names_are_resolved_counted_once_each_and_marked() -> None:
    [passage] = passages(said("Otto", "See you tomorrow, I mean tomorrow"))
    assert passage.words[-7:] == ("3", "may", "2024", "4", "may", "2024", DATES)
    assert passage.length == len(passage.words) - 1


def test_a_long_message_has_several_parts_that_are_found_each_by_its_own() -> None:
    text = " ".join(f"Sentence {number} is about the harbour." for number in range(500)) + " The key is under the mat."
    made = passages(said("Otto", text), said("Ivy", "start " * 2_000))
    assert len(made) > 5
    assert [each.part for each in made] == list(range(len(made)))
    assert all(len(each.embedded) <= WINDOW for each in made[1:])
    assert len(made[0].embedded) <= WINDOW + MAX_CONTEXT + 1
    assert made[0].embedded.startswith("start start")
    assert "mat" in made[-1].words
    assert "mat" not in made[0].words
    assert " ".join(windows(text)) == text, "nothing is lost"


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000, "\u732b" * 100_000, "." * 50_000])
def test_a_text_of_any_kind_is_cut_into_windows_without_a_loss(text: str) -> None:
    made = windows(text)
    assert all(0 < len(each) <= WINDOW for each in made)
    assert "".join(made).replace(" ", "") == text.replace(" ", "")


def test_what_asks() -> None:
    assert all(map(asks, ["Really?", "Really?!", "Is it? \U0001f600", "好吗？", "Like it? [image: a boat]"]))
    assert not any(map(asks, ["", "Really. ", "Why? Because.", "[image: who?] Look!"]))


def test_no_text_gives_a_mark() -> None:
    assert {ASKS, DATES}.isdisjoint(words("? ?? ask? @ me@home @me"))


def test_a_message_without_a_text_has_a_part_that_nothing_finds() -> None:
    [empty] = passages(said("Ivy", "  "))
    assert (empty.embedded, empty.words, empty.length) == ("", (), 0)


def test_a_passage_does_not_print_what_was_said() -> None:
    [passage] = passages(said("Ivy", "secret"))
    assert "secret" not in repr(passage)
