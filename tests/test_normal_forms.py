"""Normal forms are Unicode's own, but for marks in a row that no language has."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe.core.folding import MOST_MARKS, normalized


@given(st.text(max_size=MOST_MARKS), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_an_ordinary_text_has_the_form_that_unicode_gives_it(text: str, form: str) -> None:
    assert normalized(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("mark", ["\u0301", "\u0323", "\uff9e", "\u0f73"])
def test_of_too_many_marks_in_a_row_the_first_count(mark: str) -> None:
    assert normalized("NFD", f"a{mark * 1000}b{mark}") == unicodedata.normalize("NFD", f"a{mark * MOST_MARKS}b{mark}")
