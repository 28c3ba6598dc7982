"""Each message of a conversation becomes one passage, which knows what it replies to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stories.building.passages import ASKS, DATES, MAX_CONTEXT, MAX_EMBEDDED, asks, passages
from stories.processors.base import Message
from stories.text.words import words

NOON = datetime(2024, 5, 3, 12, tzinfo=UTC)


def said(*lines: tuple[str, str]) -> list[Message]:
    return [Message(f"m{at}", who, text, NOON + timedelta(minutes=at)) for at, (who, text) in enumerate(lines)]


def test_a_reply_is_embedded_with_what_it_replies_to_but_counts_its_own_words() -> None:
    question, reply = passages(said(("Ivy", "Did you sell the boat?"), ("Otto", "Yes, twice!")))
    assert question.embedded == "Did you sell the boat?"
    assert reply.embedded == "Did you sell the boat? Yes, twice!"
    assert question.words == ("ivi", "sell", "boat", "3", "may", "2024", ASKS)
    assert reply.words == ("otto", "yes", "twice", "3", "may", "2024")
    assert (question.length, reply.length) == (6, 6)
    assert [(p.message_id, p.position) for p in (question, reply)] == [("m0", 0), ("m1", 1)]


def test_times_that_a_text_names_are_resolved_counted_once_each_and_marked() -> None:
    [passage] = passages(said(("Otto", "See you tomorrow, I mean tomorrow")))
    assert passage.words[-7:] == ("3", "may", "2024", "4", "may", "2024", DATES)
    assert passage.length == len(passage.words) - 1


def test_long_messages_are_embedded_in_part_and_counted_in_full() -> None:
    first, second = passages(said(("Ivy", "start " * 2_000), ("Otto", "word " * 2_000)))
    assert len(first.embedded) <= MAX_EMBEDDED
    assert len(second.embedded) <= MAX_EMBEDDED + MAX_CONTEXT + 1
    assert second.embedded.startswith("start start")
    assert second.words.count("word") == 2_000


def test_what_asks() -> None:
    assert all(map(asks, ["Really?", "Really?!", "Is it? \U0001f600", "好吗？", "Like it? [image: a boat]"]))
    assert not any(map(asks, ["", "Really. ", "Why? Because.", "[image: who?] Look!"]))


def test_no_text_gives_a_mark() -> None:
    assert {ASKS, DATES}.isdisjoint(words("? ?? ask? @ me@home @me"))


def test_empty_conversation_and_empty_messages() -> None:
    assert passages([]) == []
    [empty] = passages(said(("", "  ")))
    assert (empty.embedded, empty.words) == ("", ("3", "may", "2024"))


def test_a_passage_does_not_print_what_was_said() -> None:
    [passage] = passages(said(("Ivy", "secret")))
    assert "secret" not in repr(passage)
