"""Words: a passage and a question must come to the same ones, in any language, whatever is thrown at them."""

from __future__ import annotations

import threading
import time
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.text.words import MAX_WORD, STOP_WORDS, date_words, forms, words


def test_stop_words_go_and_the_rest_is_stemmed_in_order_with_repeats() -> None:
    assert words("The dogs are running, and the dog was in the garden") == ["dog", "run", "dog", "garden"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("camping trips", "camp trip"),
        ("went swimming", "go swim"),
        ("my children's shelves", "child shelf"),
        ("Mum", "mother"),
        ("Zo\u00eb's caf\u00e9", "ZOE CAFE"),
        ("cafe\u0301", "caf\u00e9"),
        ("\uff28\uff45\uff4c\uff4c\uff4f", "hello"),
        ("Ivy\u2019s bike", "Ivy's bikes"),
    ],
)
def test_forms_of_one_word_meet(one: str, other: str) -> None:
    assert words(one) == words(other) != []


def test_contractions_leave_nothing_behind() -> None:
    assert words("I don't, she isn't, we\u2019ll, that's") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我喜欢北京", ["我喜", "我", "喜欢", "喜", "欢北", "欢", "北京", "北", "京"]),
        ("茶", ["茶"]),
        ("iPhone手机", ["iphon", "手机", "手", "机"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("Привет, мир", ["привет", "мир"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
    ],
)
def test_other_scripts_yield_words(text: str, found: list[str]) -> None:
    assert words(text, "english") == found


def test_thai_gives_pairs_that_a_part_of_the_text_gives_too() -> None:
    assert set(words("ประเทศ")) <= set(words("ประเทศไทย"))


def test_another_language_has_its_own_stems_beside_the_english_ones() -> None:
    assert forms("die Häuser", "german") == [("die",), ("hauser", "haeuser", "haus")]
    assert forms("die Häuser", "english") == [("die",), ("hauser", "haeuser")]


def test_a_day_is_found_as_people_write_it() -> None:
    assert set(date_words(date(2024, 5, 3))) == set(words("3 May 2024")) == {"3", "may", "2024"}


@pytest.mark.parametrize("text", ["", "   ", "?!…", "_ _", "'", "-", "\u200d\ufe0f", "the of and"])
def test_nothing_to_count(text: str) -> None:
    assert words(text) == []


@given(st.text(max_size=300))
def test_any_text_gives_bounded_words_without_spaces_or_capitals(text: str) -> None:
    for word in words(text):
        assert 0 < len(word) <= 2 * MAX_WORD
        assert not any(letter.isspace() for letter in word)
        assert word not in STOP_WORDS or word not in text.casefold().split()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=100))
def test_the_way_a_text_is_composed_makes_no_difference(text: str) -> None:
    assert words(unicodedata.normalize("NFC", text)) == words(unicodedata.normalize("NFD", text))


def test_a_hundred_kilobytes_take_no_time_to_speak_of() -> None:
    started = time.process_time()
    assert len(words("lorem ipsum dolor " * 6_000)) == 18_000
    assert len(words("x" * 100_000)[0]) <= MAX_WORD
    assert time.process_time() - started < 2


def test_threads_do_not_spoil_each_others_stems() -> None:
    texts = [" ".join(f"{stem}{ending}" for stem in ("garden", "walk", "paint")) for ending in ("ing", "ed", "s", "er")]
    wrong: list[list[str]] = []

    def work(text: str, expected: list[str]) -> None:
        for number in range(300):
            found = words(f"{text} unseen{number}{threading.get_ident()}ing", "english")
            if found[:3] != expected:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(text, words(text, "english"))) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
