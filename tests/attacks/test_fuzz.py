"""Attack: bytes from outside that no honest sender writes. Every parser gives a value or its own typed error, which
shows nothing of the input."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.corpus import tries
from tests.attacks.parsers import CANARY, LINE, ODD, PARSERS, Parser, mutated

INPUTS = tries(3_000, 100_000)
NAMES = sorted(PARSERS)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_a_value_or_a_typed_error_comes_out(name, record_property):
    parser, chance = PARSERS[name], Random(name)
    for _ in range(INPUTS):
        tried = mutated(chance, parser.seeds)
        assert parser.crash(tried) is None, tried
    record_property("figure", f"{INPUTS:,} inputs a parser, 0 crashes")


@pytest.mark.parametrize("name", NAMES)
def test_nor_for_what_hypothesis_thinks_of(name):
    parser = PARSERS[name]

    @settings(max_examples=tries(50, 2_000), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode), st.sampled_from(ODD)))
    def tried(given):
        assert parser.crash(given) is None

    tried()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [("user", "firebase_uid"), ("user", "email"), ("conversation", "started_at"), ("messages",), ("messages", 0)]


@settings(max_examples=tries(200, 5_000), deadline=None, database=None)
@given(st.sampled_from(FIELDS), json_values)
def test_any_json_value_in_any_place_of_a_line(path, value):
    line = json.loads(LINE)
    here = line
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    assert PARSERS["import line"].crash(json.dumps(line).encode()) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_is_read(name):
    """Or all of it would be about refusing."""
    if name != "cursor":  # which is sealed under a nonce, and has no seed that opens
        PARSERS[name].read(PARSERS[name].seeds[0])


def test_a_planted_crash_is_found():
    """The negative control: of an untyped error, and of one that shows the input."""
    careless = Parser(json.loads, (ValueError,), (LINE,))
    chatty = Parser(int, (ValueError,), (CANARY.encode(),))
    for parser in (careless, chatty):
        chance = Random(1)
        assert any(parser.crash(mutated(chance, parser.seeds)) for _ in range(2_000))
