"""The master keys wrap small values for one place, and a key of the settings is strong or refused by name."""

from __future__ import annotations

import os
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.crypto.conftest import KEY, PERSON, ROW
from tests.crypto.test_vault import silent
from vibe.core.crypto.errors import FormatUnknown, MasterKeyMissing, SealBroken
from vibe.core.crypto.master import HEADER_BYTES, MasterKey, MasterRing
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.crypto.strength import is_well_known, strong_text
from vibe.core.errors import ConfigurationError, InputError

HERE = Address("user_keys", "wrapped", PERSON, ROW, 1)
RING = MasterRing(MasterKey(KEY))
SECRET = b"a canary of a data key, 32 bytes"
NEW = "8f3c1de0b5a94276f1e2d3c4b5a69788796a5b4c3d2e1f00ffeeddcb1a2b3c4d"
OLD = "1de0b5a94276f1e2d3c4b5a69788796a5b4c3d2e1f00ffeeddcb1a2b3c4d8f3c"


@given(st.binary(max_size=200))
def test_any_value_comes_back(value):
    assert RING.unwrap(RING.wrap(value, HERE), HERE) == value


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, table="users"),
        replace(HERE, column="name"),
        replace(HERE, row_id=uuid4()),
        replace(HERE, user_id=uuid4()),
        replace(HERE, revision=2),
    ],
    ids=["table", "column", "row", "person", "generation"],
)
def test_moved_it_does_not_open(elsewhere):
    with pytest.raises(SealBroken, match=f"{elsewhere.table}.{elsewhere.column} of row {elsewhere.row_id}") as caught:
        RING.unwrap(RING.wrap(SECRET, HERE), elsewhere)
    assert silent(caught.value, SECRET.decode())


def test_every_flipped_bit_is_refused():
    stored = RING.wrap(SECRET, HERE).ciphertext
    for bit in range(8 * len(stored)):
        altered = bytearray(stored)
        altered[bit // 8] ^= 1 << bit % 8
        expected = FormatUnknown if bit < 8 else MasterKeyMissing if bit < 8 * HEADER_BYTES else SealBroken
        with pytest.raises(expected, match=str(ROW)):
            RING.unwrap(Sealed(bytes(altered)), HERE)


def test_every_cut_is_refused():
    stored = RING.wrap(SECRET, HERE).ciphertext
    for size in range(len(stored)):
        with pytest.raises((FormatUnknown, SealBroken), match=str(ROW)):
            RING.unwrap(Sealed(stored[:size]), HERE)


@pytest.mark.parametrize("stored", [b"hello", b"", SECRET * 5, b"gAAAAABo" * 20, b"\x01" + bytes(200)])
def test_what_was_never_wrapped_is_named_and_not_shown(stored):
    with pytest.raises(FormatUnknown, match=f"user_keys.wrapped of row {ROW}") as caught:
        RING.unwrap(Sealed(stored), HERE)
    assert silent(caught.value, "hello", "canary", "gAAAAABo", stored.hex() or "nothing")


@pytest.mark.parametrize("nothing", [None, b"hello", "hello"])
def test_what_is_not_sealed_is_refused_by_type(nothing):
    with pytest.raises(FormatUnknown, match=str(ROW)):
        RING.unwrap(nothing, HERE)


def test_the_wrong_master_key_is_named():
    other = MasterRing(MasterKey(os.urandom(32)))
    with pytest.raises(MasterKeyMissing, match=f"{RING.current.id.hex()}.*ENCRYPTION_KEYS_RETIRED"):
        other.unwrap(RING.wrap(SECRET, HERE), HERE)


def test_a_wrong_master_key_under_the_right_id_does_not_open():
    impostor = MasterKey(os.urandom(32))
    impostor.__class__.id.__set__(impostor, RING.current.id)
    with pytest.raises(SealBroken, match=str(ROW)):
        MasterRing(impostor).unwrap(RING.wrap(SECRET, HERE), HERE)


def test_a_retired_key_opens_and_does_not_wrap():
    ring = MasterRing.read(NEW, retired=f" {OLD},, ")
    old = MasterRing.read(OLD)
    assert ring.unwrap(old.wrap(SECRET, HERE), HERE) == SECRET
    with pytest.raises(MasterKeyMissing):
        old.unwrap(ring.wrap(SECRET, HERE), HERE)


def test_a_name_with_a_lone_surrogate_is_refused():
    name = f"{SECRET.decode()}\ud800"
    with pytest.raises(InputError, match=str(ROW)) as caught:
        RING.wrap_text(name, HERE)
    assert silent(caught.value, SECRET.decode())


def test_rings_and_keys_do_not_print_secrets():
    ring = MasterRing.read(NEW, retired=OLD)
    for shown in (repr(ring), str(ring), repr(ring.current), str(ring.current)):
        assert NEW[:12] not in shown
        assert OLD[:12] not in shown


BAD_KEYS = {
    "empty": "",
    "short": NEW[:-2],
    "long": NEW + "00",
    "not hexadecimal": "g" + NEW[1:],
    "other digits": "\uff11" + NEW[1:],
    "with a line end": NEW[:-1] + "\n",
    "zeros": "00" * 32,
    "one byte": "a5" * 32,
    "counting": bytes(range(32)).hex(),
    "counting down": bytes(range(200, 168, -1)).hex(),
    "in sevens": bytes(7 * n % 256 for n in range(32)).hex(),
    "halves": "0123456789abcdef" * 4,
    "few values": "deadbeefcafe0123" * 2 + "beefdeadcafe0123" * 2,
    "text": b"correct horse battery staple, ok".hex(),
    "sha256 of password": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    "sha256 of nothing": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@pytest.mark.parametrize("setting", ["ENCRYPTION_KEY", "ENCRYPTION_KEYS_RETIRED"])
@pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_weak_key_is_refused_by_the_name_of_its_setting(bad, setting):
    with pytest.raises(ConfigurationError, match=f"^{setting} .*openssl rand -hex 32") as caught:
        MasterKey.from_hex(bad, setting=setting)
    assert silent(caught.value, *([bad] if bad else []))


def test_random_keys_are_never_called_weak():
    assert not any(is_well_known(os.urandom(32)) for _ in range(20_000))


@pytest.mark.parametrize(
    "weak", ["", "secret", "x" * 64, "django-insecure-" + NEW, "ab" * 40, NEW[:31], "0123456789abcdef" * 4]
)
def test_a_weak_text_is_refused_by_the_name_of_its_setting(weak):
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is too short, patterned or an example") as caught:
        strong_text("SECRET_KEY", weak)
    assert silent(caught.value, *([weak] if weak not in ("", "secret") else []))


def test_a_strong_text_passes_as_it_is():
    for strong in (NEW, "Tr0ub4dor&3-with-some-more-characters-behind", os.urandom(32).hex()):
        assert strong_text("SECRET_KEY", strong) == strong
