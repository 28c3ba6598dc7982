"""Attack: every single bit of a stored value flipped, every byte cut off or put on; in the header too."""

from __future__ import annotations

import os
from uuid import UUID

import pytest

from tests.attacks.corpus import World
from vibe.core.crypto.errors import DataKeyMissing, FormatUnknown, MasterKeyMissing, SealBroken, SealError
from vibe.core.crypto.seal import BODY_START, HEADER_BYTES, Address, Sealed
from vibe.core.crypto.vault import Vault

PERSON, ROW = UUID(int=1), UUID(int=2)
HERE = Address("encrypted_memories", "payload", PERSON, ROW, 3)
TEXT = "The canary moved to Lisbon in May."
KEY = bytes(range(32))


def one_key_under_every_generation() -> Vault:
    """So that a flipped generation finds a key, and only the authenticated header can tell."""
    return Vault(PERSON, {1: KEY, **{1 ^ 1 << bit: KEY for bit in range(16)}})


def flipped(stored: bytes, bit: int) -> bytes:
    altered = bytearray(stored)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def test_no_flipped_bit_opens():
    vault = Vault(PERSON, {1: KEY})
    stored = vault.seal(TEXT, HERE).ciphertext
    for bit in range(8 * len(stored)):
        expected = FormatUnknown if bit < 8 else DataKeyMissing if bit < 8 * HEADER_BYTES else SealBroken
        with pytest.raises(SealError, match=f"encrypted_memories.payload of row {ROW}") as caught:
            vault.open(Sealed(flipped(stored, bit)), HERE)
        assert type(caught.value) is expected
        assert "canary" not in str(caught.value)


def test_no_flipped_header_bit_opens_though_its_key_is_there():
    vault = one_key_under_every_generation()
    vault._newest = vault._seals[1]
    stored = vault.seal(TEXT, HERE).ciphertext
    for bit in range(8, 8 * HEADER_BYTES):
        with pytest.raises(SealBroken, match=str(ROW)):
            vault.open(Sealed(flipped(stored, bit)), HERE)


def test_with_the_header_unauthenticated_it_would_open():
    """The negative control."""
    vault = one_key_under_every_generation()
    vault._newest = vault._seals[1]
    for seal in vault._seals.values():
        seal.encrypt = lambda nonce, data, context, real=seal.encrypt: real(nonce, data, context[HEADER_BYTES:])
        seal.decrypt = lambda nonce, data, context, real=seal.decrypt: real(nonce, data, context[HEADER_BYTES:])
    stored = vault.seal(TEXT, HERE).ciphertext
    assert all(vault.open(Sealed(flipped(stored, bit)), HERE) == TEXT for bit in range(8, 8 * HEADER_BYTES))


def test_nothing_cut_off_or_put_on_opens():
    vault = Vault(PERSON, {1: KEY})
    stored = vault.seal(TEXT, HERE).ciphertext
    altered = [stored[:size] for size in range(len(stored))]
    altered += [stored[size:] for size in range(1, len(stored))]
    altered += [stored + bytes([byte]) for byte in range(256)]
    altered += [bytes([byte]) + stored for byte in range(256)]
    for each in altered:
        with pytest.raises(SealError, match=str(ROW)):
            vault.open(Sealed(each), HERE)


def test_noise_does_not_open():
    vault = Vault(PERSON, {1: KEY})
    for size in (0, 1, 15, 31, 32, 500):
        for _ in range(300):
            noise = vault._newest.header + os.urandom(size)
            with pytest.raises(SealError, match=str(ROW)):
                vault.open(Sealed(noise), HERE)
            with pytest.raises(SealError, match=str(ROW)):
                vault.open(Sealed(os.urandom(size)), HERE)


def test_parts_of_two_values_do_not_open_together():
    vault = Vault(PERSON, {1: KEY})
    one, other = (vault.seal(TEXT, HERE).ciphertext for _ in range(2))
    for cut in (*range(HEADER_BYTES + 1, BODY_START + 1), len(one) - 16, len(one) - 1):
        with pytest.raises(SealBroken):
            vault.open(Sealed(one[:cut] + other[cut:]), HERE)


def test_no_flipped_bit_of_a_wrapped_key_opens():
    world = World(people=1, rows=1)
    for each in world.wrapped:
        for bit in range(8 * len(each.sealed.ciphertext)):
            with pytest.raises((FormatUnknown, MasterKeyMissing, SealBroken), match=str(each.address.row_id)):
                world.ring.unwrap(Sealed(flipped(each.sealed.ciphertext, bit)), each.address)
