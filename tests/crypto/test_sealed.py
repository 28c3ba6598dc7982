"""A sealed value gives nothing away by being handled."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from vibe.core.crypto.seal import Sealed

STORED = b"\x02\x00\x01" + b"canary" * 8


def test_it_prints_its_size_and_nothing_else():
    sealed = Sealed(STORED)
    for shown in (repr(sealed), str(sealed), f"{sealed}", "%s" % sealed, "{}".format(sealed), repr([sealed])):  # noqa: UP031, UP032
        assert "canary" not in shown
        assert f"<sealed, {len(STORED)} bytes>" in shown


def test_copies_carry_the_ciphertext_alone():
    for twin in (copy.copy(Sealed(STORED)), copy.deepcopy(Sealed(STORED)), pickle.loads(pickle.dumps(Sealed(STORED)))):  # noqa: S301
        assert twin == Sealed(STORED)
        assert twin.ciphertext == STORED


def test_it_equals_the_same_bytes_sealed_and_no_text():
    assert Sealed(STORED) != Sealed(STORED[:-1])
    assert Sealed(STORED) != STORED
    assert Sealed(STORED) != STORED.decode("latin-1")
    assert Sealed(STORED) is not None


@pytest.mark.parametrize(
    "use",
    [hash, len, iter, bytes, json.dumps, lambda it: it < it, lambda it: it + it, lambda it: f"{it:>90}"],  # noqa: PLR0124
)
def test_what_would_treat_it_as_text_is_a_type_error(use):
    with pytest.raises(TypeError):
        use(Sealed(STORED))


def test_it_takes_no_further_attributes():
    with pytest.raises(AttributeError):
        Sealed(STORED).text = "canary"
