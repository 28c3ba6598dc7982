"""Sealing and opening: any text comes back, anything else is an error that names the place and never the value."""

from __future__ import annotations

import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.crypto.conftest import KEY, PERSON, ROW
from vibe.core.crypto.errors import DataKeyMissing, FormatUnknown, SealBroken, SealError
from vibe.core.crypto.seal import Address, Sealed, generation_of, pad
from vibe.core.crypto.vault import Vault
from vibe.core.errors import InputError, VibeError

CANARY = "the canary sings in Lisbon"
VAULT = Vault(PERSON, {1: KEY})
HERE = Address("encrypted_memories", "payload", PERSON, ROW, 7)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def silent(problem: VibeError, *values: str) -> bool:
    """Whether neither the error nor anything that hangs on it shows a value."""
    chain, shown = [problem], [str(problem), repr(problem), *traceback.format_exception(problem)]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
        shown += [str(chain[-1]), repr(vars(chain[-1])), repr(chain[-1].args), repr(getattr(chain[-1], "object", ""))]
    return not any(value in text for value in values for text in shown)


@given(TEXTS)
def test_any_text_comes_back(text):
    sealed = VAULT.seal(text, HERE)
    assert VAULT.open(sealed, HERE) == text


@given(st.lists(st.tuples(st.uuids(), st.integers(0, 2**63), TEXTS), max_size=20))
def test_many_at_once_come_back_in_order(rows):
    sealed = VAULT.seal_all("stories", "title", iter(rows))
    back = [(row_id, revision, each) for (row_id, revision, _), each in zip(rows, sealed, strict=True)]
    assert VAULT.open_all("stories", "title", iter(back)) == [text for _, _, text in rows]


def test_one_text_is_never_sealed_alike():
    assert len({VAULT.seal(CANARY, HERE).ciphertext for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, table="stories"),
        replace(HERE, column="title"),
        replace(HERE, row_id=uuid4()),
        replace(HERE, revision=6),
        replace(HERE, revision=8),
        replace(HERE, table="encrypted_memoriesp", column="ayload"),
    ],
    ids=["table", "column", "row", "older", "newer", "names run together"],
)
def test_moved_it_does_not_open(elsewhere):
    with pytest.raises(SealBroken, match=f"{elsewhere.table}.{elsewhere.column} of row {elsewhere.row_id}") as caught:
        VAULT.open(VAULT.seal(CANARY, HERE), elsewhere)
    assert silent(caught.value, CANARY)


def test_for_another_person_it_does_not_open():
    """Neither with that person's vault, nor with the owner's under that person's address."""
    sealed, stranger = VAULT.seal(CANARY, HERE), uuid4()
    there = replace(HERE, user_id=stranger)
    for vault in (Vault(stranger, {1: os.urandom(32)}), Vault(stranger, {1: KEY}), VAULT):
        with pytest.raises(SealBroken, match=str(ROW)):
            vault.open(sealed, there)
    with pytest.raises(SealBroken, match="another person"):
        VAULT.seal(CANARY, there)


def test_with_another_key_it_does_not_open():
    with pytest.raises(SealBroken, match=str(ROW)):
        Vault(PERSON, {1: os.urandom(32)}).open(VAULT.seal(CANARY, HERE), HERE)


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (CANARY.encode(), FormatUnknown),
        (b"hello", FormatUnknown),
        (b"", FormatUnknown),
        (b"\x02\x00\x01" + b"x" * 27, FormatUnknown),  # a byte too short to be a seal
        (b"\x01\x00\x01" + bytes(60), FormatUnknown),  # the form without padding
        (b"\x03\x00\x01" + bytes(60), FormatUnknown),
        (b"\x00\x00\x01" + bytes(60), FormatUnknown),
        (b"\x11\x00\x01" + bytes(60), FormatUnknown),  # a wrapped value
        (b"\x02\x00\x02" + bytes(60), DataKeyMissing),
        (b"\x02\x00\x01" + CANARY.encode() * 2, SealBroken),
    ],
)
def test_what_was_never_sealed_is_named_and_not_shown(stored, error):
    with pytest.raises(error, match=f"encrypted_memories.payload of row {ROW}") as caught:
        VAULT.open(Sealed(stored), HERE)
    assert type(caught.value) is error
    assert silent(caught.value, CANARY, "hello")


@pytest.mark.parametrize("nothing", [None, b"bytes", CANARY, 7])
def test_what_is_not_sealed_is_refused_by_type(nothing):
    with pytest.raises(FormatUnknown, match=str(ROW)) as caught:
        VAULT.open(nothing, HERE)
    assert silent(caught.value, CANARY)


@pytest.mark.parametrize("revision", [None, -1, 2**64, "7"])
def test_an_impossible_revision_is_an_error(revision):
    with pytest.raises(SealError, match=str(ROW)):
        VAULT.open(VAULT.seal(CANARY, HERE), replace(HERE, revision=revision))
    with pytest.raises(InputError, match=str(ROW)) as caught:
        VAULT.seal(CANARY, replace(HERE, revision=revision))
    assert silent(caught.value, CANARY)


def test_sealed_bytes_that_are_no_text_do_not_come_out():
    header, start = b"\x02\x00\x01", b"\x02\x00\x01" + HERE.associated_data()
    body = VAULT._newest.encrypt(bytes(12), pad(CANARY.encode() + b"\xff"), start)
    with pytest.raises(SealBroken, match=str(ROW)) as caught:
        VAULT.open(Sealed(header + bytes(12) + body), HERE)
    assert silent(caught.value, CANARY)


@pytest.mark.parametrize("text", [f"{CANARY}\ud800", None, CANARY.encode(), 7])
def test_what_is_no_text_is_not_sealed(text):
    with pytest.raises(InputError, match=f"encrypted_memories.payload of row {ROW}") as caught:
        VAULT.seal(text, HERE)
    assert silent(caught.value, CANARY, "\\ud800")


def test_the_first_bad_row_is_named():
    rows = [(uuid4(), 1, f"text {number}") for number in range(5)]
    sealed = VAULT.seal_all("stories", "text", rows)
    sealed[3] = Sealed(sealed[3].ciphertext[:-1] + b"!")
    with pytest.raises(SealBroken, match=str(rows[3][0])):
        VAULT.open_all(
            "stories", "text", [(row_id, 1, each) for (row_id, _, _), each in zip(rows, sealed, strict=True)]
        )


def test_without_a_key_there_is_no_vault():
    for keys in ({}, {2: KEY}):  # the first generation is the root of index and cloak
        with pytest.raises(DataKeyMissing, match=f"user_keys.*{PERSON}"):
            Vault(PERSON, keys)


def test_a_renewed_key_seals_and_the_first_still_opens():
    old = VAULT.seal(CANARY, HERE)
    renewed = Vault(PERSON, {1: KEY, 2: os.urandom(32)})
    new = renewed.seal(CANARY, HERE)
    assert [generation_of(each.ciphertext) for each in (old, new)] == [1, 2]
    assert renewed.open_all(HERE.table, HERE.column, [(ROW, 7, old), (ROW, 7, new)]) == [CANARY, CANARY]
    with pytest.raises(DataKeyMissing, match="data key 2"):
        VAULT.open(new, HERE)
    assert renewed.index.token("word", "lisbon") == VAULT.index.token("word", "lisbon")
    assert renewed.cloak(8) is VAULT.cloak(8)


def test_threads_share_a_vault():
    def work(number: int) -> bool:
        rows = [(uuid4(), 1, f"{number} {place}" * 20) for place in range(200)]
        sealed = VAULT.seal_all("stories", "text", rows)
        back = [(row_id, 1, each) for (row_id, _, _), each in zip(rows, sealed, strict=True)]
        return VAULT.open_all("stories", "text", back) == [text for _, _, text in rows]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(32)))


def test_a_vault_does_not_print_its_keys():
    assert repr(VAULT) == f"<vault of {PERSON}>"
