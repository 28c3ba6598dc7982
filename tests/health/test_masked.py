"""Statements are shown without a value in them, whatever form the value has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe.core.db.health.statements import masked

CANARY = "xylocanary"
FORMS = (
    "'{}'",
    "'it''s {}'",
    "E'it\\'s {}'",
    "e'\\\\{}'",
    "U&'{}'",
    "N'{}'",
    "B'{}'",
    "x'{}'",
    "$${}$$",
    "$a$ $$ {} ' $a$",
    "date'{}'",
    "'{}",
    "E'{}",
    "$b${}",
    "/* {} */ 1",
    "/* {}",
    "-- {}\n 1",
    "'--' || '{}'",
    "'/*' || '{}'",
    "'\"' || '{}' || '\"'",
    "'$$' || '{}'",
    "ARRAY['a', '{}']",
    "'{}'::text",
    "'a\n{}'",
)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_value_comes_through(form):
    for statement in ("SELECT {} FROM users", 'UPDATE "users" SET a = {}', "SET LOCAL vibe.user_id = {}"):
        assert CANARY not in masked(statement.format(form.format(CANARY)))


@pytest.mark.parametrize("form", FORMS)
def test_control_without_masking_it_would(form):
    assert CANARY in f"SELECT {form.format(CANARY)} FROM users"


PARTS = st.sampled_from([form.format(CANARY) for form in FORMS if not form.startswith(("'{}", "E'{}", "$b$", "/* {}"))])
CODE = st.sampled_from(["SELECT ", ' "a b" ', ", ", " = ", "(", ")", " FROM t1 ", ' "it\'s" ', " $1 ", "::text", " "])


@given(st.lists(st.one_of(PARTS, CODE), max_size=12))
def test_nor_in_any_order(parts):
    assert CANARY not in masked(" ".join(parts))


@pytest.mark.parametrize("number", ["424242", "4.242", "1e42", "1e-42", ".42", "0x42ff"])
def test_numbers_go(number):
    assert masked(f"SELECT a1 FROM t2 WHERE b = {number}") == "SELECT a1 FROM t2 WHERE b = ?"


def test_what_is_no_value_stays():
    statement = 'SELECT "users"."id", "it\'s", $1 FROM "users" WHERE email = $2 LIMIT $3'
    assert masked(statement) == statement
