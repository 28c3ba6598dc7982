"""What is sealed of a memory: written compactly, read back the same, and refused in another form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memories.metadata import LARGEST, check_metadata
from memories.payload import Payload, local_time, offset_of
from vibe.core.crypto.errors import FormatUnknown

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
objects = st.dictionaries(texts.filter(bool), scalars, max_size=5)
offsets = st.none() | st.integers(-1439, 1439)
AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


@given(st.builds(Payload, texts, texts, objects, offsets))
def test_a_payload_opens_as_it_was_sealed(payload):
    again = Payload.decode(payload.encode())
    assert again == payload
    assert list(map(type, again.metadata.values())) == list(map(type, payload.metadata.values()))


@given(st.lists(st.builds(Payload, texts, texts, objects, offsets), min_size=2, max_size=2))
def test_payloads_that_differ_are_written_differently(pair):
    one, other = pair
    assert (one.encode() == other.encode()) <= (one == other)


def test_a_payload_without_more_takes_seven_bytes_more_than_author_and_text():
    assert len(Payload("Ada", "Olá, Lisboa").encode()) == len("Ada" + "Olá, Lisboa") + 7


def test_what_is_inside_does_not_print():
    assert repr(Payload("Ada", "secret", {"secret": "secret"}, 120)) == "Payload()"


def test_the_form_of_an_earlier_version_is_refused_and_not_misread():
    with pytest.raises(FormatUnknown, match="Export with that version") as refused:
        Payload.decode(json.dumps({"author": "Ada", "text": "I moved to Lisbon."}))
    assert "Ada" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        ("2026-05-12T09:30:00+02:00", 120),
        ("2026-05-12T09:30:00-03:30", -210),
        ("2026-05-12T09:30:00+05:45", 345),
        ("2026-05-12T09:30:00+00:00", None),
        ("2026-05-12T09:30:00Z", None),
        ("2026-05-12T09:30:00", None),
    ],
)
def test_an_offset_is_known_unless_the_time_is_in_utc(time, minutes):
    assert offset_of(datetime.fromisoformat(time)) == minutes


@given(st.integers(-1439, 1439).filter(bool))
def test_a_local_time_has_the_offset_it_is_given(minutes):
    assert offset_of(local_time(AT, minutes)) == minutes
    assert local_time(AT, minutes) == AT == local_time(AT, None)
    assert offset_of(AT.astimezone(timezone(timedelta(minutes=minutes)))) == minutes


FLAT = {
    "nothing": {},
    "every kind": {"a": "text", "b": 1, "c": 1.5, "d": True, "e": None, "ü": "😀"},
    "fifty members": {f"k{at}": at for at in range(50)},
    "the longest name": {"k" * 200: 0},
    "as large as may be": {"k": "x" * (LARGEST - len('{"k":""}'))},
    "a backslash before u0000": {"k": "\\u0000"},
    "a number of 30 digits": {"k": 10**30},
}
NOT_FLAT = {
    "no object": [1],
    "a text": "{}",
    "nothing at all": None,
    "fifty-one members": {f"k{at}": at for at in range(51)},
    "an object inside": {"k": {}},
    "a list inside": {"k": [1]},
    "an empty name": {"": 1},
    "a name too long": {"k" * 201: 1},
    "a byte too large": {"k": "x" * (LARGEST - len('{"k":""}') + 1)},
    "too large in UTF-8 alone": {"k": "ü" * (LARGEST // 2)},
    "NaN": {"k": float("nan")},
    "infinite": {"k": float("-inf")},
    "NUL": {"k": "a\0b"},
    "NUL in a name": {"a\0b": 1},
    "half a pair": {"k": "\ud83d"},
    "half a pair in a name": {"\ude00": 1},
    "a number that Python does not write": {"k": 10**5000},
}


@pytest.mark.parametrize("given", FLAT.values(), ids=FLAT)
def test_flat_metadata_is_taken(given):
    assert check_metadata(given) is given
    assert Payload.decode(Payload("Ada", "", given).encode()).metadata == given


@pytest.mark.parametrize("given", NOT_FLAT.values(), ids=NOT_FLAT)
def test_other_metadata_is_refused_without_quoting_it(given):
    with pytest.raises(ValueError, match=r"^(is|has|takes|contains) ") as refused:
        check_metadata(given)
    assert not {"k", "xxx", "üü"} & set(str(refused.value).split())
