"""Padding: every text comes back, sizes are classes, and what is malformed is an error like a wrong tag."""

from __future__ import annotations

from dataclasses import replace
from math import floor, log2

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.crypto.conftest import KEY, PERSON, ROW
from tests.crypto.test_vault import silent
from vibe.core.crypto.errors import SealBroken
from vibe.core.crypto.master import MasterKey, MasterRing
from vibe.core.crypto.seal import OVERHEAD_BYTES, STEP, Address, Sealed, pad, size_class, unpad
from vibe.core.crypto.vault import Vault

HERE = Address("encrypted_memories", "payload", PERSON, ROW, 7)
VAULT = Vault(PERSON, {1: KEY})
RING = MasterRing(MasterKey(KEY))
CANARY = b"the canary sings in Lisbon"
MALFORMED = {
    "empty": b"",
    "zeros alone": bytes(STEP),
    "no padding": CANARY,
    "no mark": CANARY.ljust(STEP, b"\0"),
    "another mark": (CANARY + b"\x81").ljust(STEP, b"\0"),
    "something after the mark": (CANARY + b"\x80").ljust(STEP - 1, b"\0") + b"\1",
}


def padme(length: int) -> int:
    """Algorithm 1 of the paper, as it is printed there."""
    exponent = floor(log2(length))
    digits = floor(log2(exponent)) + 1
    last_bits = exponent - digits
    bit_mask = 2**last_bits - 1
    return (length + bit_mask) & ~bit_mask


@given(st.binary(max_size=3_000))
@example(b"")
@example(b"\x80")
@example(b"\0\0")
@example(b"\x80\0")
@example("À".encode())  # its last byte is that of the mark
@example(b"x" * (STEP - 1))
@example(b"x" * STEP)
@example(b"\x80\0\0" * STEP)
def test_any_bytes_come_back_whatever_they_end_with(text):
    assert unpad(pad(text)) == text
    assert len(pad(text)) == size_class(len(text) + 1) > len(text)


@given(st.integers(16 * STEP, 2**40))
def test_large_classes_are_those_of_padme(length):
    assert size_class(length) == padme(length)


def test_classes_grow_contain_what_they_hold_and_are_their_own():
    classes = [size_class(length) for length in range(1, 20_000)]
    assert classes == sorted(classes)
    assert all(length <= size == size_class(size) for length, size in enumerate(classes, start=1))
    assert set(classes[: 16 * STEP]) == set(range(STEP, 16 * STEP + 1, STEP))


def test_long_texts_take_at_most_an_eighth_more():
    assert max(size_class(length) / length for length in range(8 * STEP, 200_000)) < 1.125
    assert size_class(10**6) / 10**6 < 1.03


@pytest.mark.parametrize("padded", MALFORMED.values(), ids=MALFORMED)
def test_malformed_padding_does_not_open(padded):
    """What the seal authenticates and is no padded text: in a column, and wrapped."""
    header = VAULT._newest.header
    body = VAULT._newest.encrypt(bytes(12), padded, header + HERE.associated_data())
    there = replace(HERE, table="users", column="name")
    for open_it in (
        lambda: VAULT.open(Sealed(header + bytes(12) + body), HERE),
        lambda: RING.unwrap_text(RING.wrap(padded, there), there),
    ):
        with pytest.raises(SealBroken, match=f"of row {ROW}") as caught:
            open_it()
        assert silent(caught.value, CANARY.decode())


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_sealed_size_tells_the_class_alone(text):
    sealed = len(VAULT.seal(text, HERE).ciphertext)
    assert sealed == size_class(len(text.encode()) + 1) + OVERHEAD_BYTES


def test_texts_of_one_class_are_stored_in_one_size():
    """Empty, short, and as long as the class holds; sealed, and a wrapped name."""
    texts = ["", "Ada", "x" * (STEP - 1), "\0" * 40, "é" * 31]
    assert len({len(VAULT.seal(text, HERE).ciphertext) for text in texts}) == 1
    assert len({len(RING.wrap_text(text, HERE).ciphertext) for text in texts}) == 1
    assert len(VAULT.seal("x" * STEP, HERE).ciphertext) == STEP + len(VAULT.seal("", HERE).ciphertext)
    assert [RING.unwrap_text(RING.wrap_text(text, HERE), HERE) for text in texts] == texts


def test_zeros_of_another_class_open_too():
    """Classes are the writer's: a version with other classes reads what this one wrote."""
    assert unpad(CANARY + b"\x80" + bytes(5)) == CANARY
    assert unpad(CANARY + b"\x80") == CANARY


def test_a_wrapped_text_that_is_no_utf8_does_not_open():
    with pytest.raises(SealBroken, match=str(ROW)) as caught:
        RING.unwrap_text(RING.wrap(pad(CANARY + b"\xff"), HERE), HERE)
    assert silent(caught.value, CANARY.decode())
