"""Attack: what a row said once is put back, to undo a change or an erasure.

The ciphertext is bound to the revision of its row, which each change raises. What the seal cannot see is a whole row
put back, its revision with it: the trail does, see test_row_replay.py.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tests.attacks.corpus import World, tries
from vibe.core.crypto.errors import SealBroken, SealError
from vibe.core.crypto.seal import Address
from vibe.core.crypto.vault import Vault

REPLAYS = tries(1_000, 20_000)
PERSON = UUID(int=1)


def histories(vault: Vault, count: int):
    """Rows of 2 to 6 revisions: the address now, and an older ciphertext of it."""
    for number in range(count):
        old = Address("stories", "text", vault.user_id, uuid4(), 1 + number % 5)
        yield old, vault.seal("what it said then", old), replace(old, revision=old.revision + 1 + number % 3)


def test_no_older_ciphertext_opens_in_its_own_row(record_property):
    record_property("figure", f"{REPLAYS:,} older values, 0 opened")
    vault = Vault(PERSON, {1: bytes(range(32))})
    for _, before, now in histories(vault, REPLAYS):
        with pytest.raises(SealBroken, match=str(now.row_id)):
            vault.open(before, now)


def test_unbound_it_would_open():
    """The negative control."""
    world = World(people=1, rows=1).unbound()
    (vault,) = world.vaults.values()
    assert all(vault.open(before, now) == "what it said then" for _, before, now in histories(vault, 100))


def test_no_ciphertext_opens_under_any_other_revision():
    vault = Vault(PERSON, {1: bytes(range(32))})
    here = Address("stories", "text", PERSON, uuid4(), 500)
    sealed = vault.seal("what it says", here)
    opened = []
    for revision in (*range(1_000), 2**31 - 1, 2**32 + 500, 2**63 - 1, 2**64 + 500, -500):
        try:
            opened.append((revision, vault.open(sealed, replace(here, revision=revision))))
        except SealError:
            continue
    assert opened == [(500, "what it says")]


def test_a_whole_row_put_back_does_open():
    """The limit: with the older revision written back too, the row is as it was, and the seal holds."""
    vault = Vault(PERSON, {1: bytes(range(32))})
    for old, before, _ in histories(vault, 10):
        assert vault.open(before, old) == "what it said then"


def test_values_from_before_a_renewal_do_not_come_back_either():
    first = Vault(PERSON, {1: bytes(range(32))})
    renewed = Vault(PERSON, {1: bytes(range(32)), 2: bytes(range(1, 33))})
    for _, before, now in histories(first, 100):
        with pytest.raises(SealBroken, match=str(now.row_id)):
            renewed.open(before, now)
