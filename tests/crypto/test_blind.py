"""Blind values are equal where a person would call the values equal, and nowhere else."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe.core.crypto.vault import BlindIndex
from vibe.core.folding import fold

INDEX = BlindIndex(bytes(range(32)))


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_unicode_form_does_not_matter(text, form):
    assert fold(unicodedata.normalize(form, text)) == fold(text)


@given(st.text())
def test_any_text_has_a_number_that_fits_a_bigint(text):
    assert -(2**63) <= INDEX.token("word", text) < 2**63


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lisbon", "lisbon"),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"),
        ("Jos\N{LATIN SMALL LETTER E WITH ACUTE}", "JOSE\N{COMBINING ACUTE ACCENT}"),
        ("  New \t York\n", "new york"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}da", "ada"),
        ("\u1f80", "\u1f00\u03b9"),  # an iota below, an iota beside
        ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"),
    ],
)
def test_equal_to_a_reader_is_equal(one, other):
    assert INDEX.token("name", one) == INDEX.token("name", other)


def test_kinds_do_not_meet():
    assert INDEX.token("word", "lisbon") != INDEX.token("place", "lisbon")


def test_many_words_do_not_collide():
    words = [f"word {number}" for number in range(50_000)]
    assert len(set(INDEX.tokens("word", words))) == len(words)


def test_another_key_gives_other_numbers():
    assert BlindIndex(os.urandom(32)).token("word", "lisbon") != INDEX.token("word", "lisbon")


def test_the_order_given_is_the_order_kept():
    assert INDEX.tokens("word", ["b", "a"]) == [INDEX.token("word", "b"), INDEX.token("word", "a")]
