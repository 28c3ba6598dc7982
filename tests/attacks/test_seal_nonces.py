"""Attack: waiting for a nonce to come again under one key, which would give away both texts and the key of the tags."""

from __future__ import annotations

import os
from uuid import UUID

import numpy as np

from tests.attacks.corpus import tries
from vibe.core.crypto.seal import HEADER_BYTES, NONCE_BYTES
from vibe.core.crypto.vault import Vault

SEALS = tries(200_000, 10_000_000)
BATCH = 10_000
ROW = UUID(int=2)


def repeats(vault: Vault, count: int) -> int:
    """How many of so many seals of one text bear a nonce that another had."""
    nonces = [
        sealed.ciphertext[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        for _ in range(count // BATCH)
        for sealed in vault.seal_all("stories", "title", [(ROW, 1, "")] * BATCH)
    ]
    assert len(nonces) == count
    return count - len(set(nonces))


def test_no_nonce_comes_again(record_property):
    assert repeats(Vault(UUID(int=1), {1: bytes(range(32))}), SEALS) == 0
    record_property("figure", f"{SEALS:,} seals, no nonce twice")


def test_nonces_of_24_bits_would(monkeypatch):
    """The negative control: 20,000 draws of 2**24 give about 12 pairs."""
    vault = Vault(UUID(int=1), {1: bytes(range(32))})
    random = os.urandom
    monkeypatch.setattr(
        "vibe.core.crypto.vault.os.urandom",
        lambda size: b"".join(bytes(9) + random(3) for _ in range(size // NONCE_BYTES)),
    )
    assert repeats(vault, 20_000) > 0


def test_every_bit_of_the_nonces_is_drawn():
    vault = Vault(UUID(int=1), {1: bytes(range(32))})
    sealed = vault.seal_all("stories", "title", [(ROW, 1, "")] * 20_000)
    nonces = np.frombuffer(b"".join(each.ciphertext[3:15] for each in sealed), dtype=np.uint8).reshape(-1, NONCE_BYTES)
    assert np.abs(np.unpackbits(nonces, axis=1).mean(axis=0) - 0.5).max() < 0.02


def test_one_at_a_time_or_many_the_nonces_differ():
    vault = Vault(UUID(int=1), {1: bytes(range(32))})
    together = [each.ciphertext[3:15] for each in vault.seal_all("stories", "title", [(ROW, 1, "a")] * 100)]
    alone = [vault.seal_all("stories", "title", [(ROW, 1, "a")])[0].ciphertext[3:15] for _ in range(100)]
    assert len({*together, *alone}) == 200
