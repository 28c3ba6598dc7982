"""Attack: somebody who may write to the database moves ciphertexts between rows, columns, tables, people and keys."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accounts.keys.services.data_keys import open_vault
from memories.models import Memory
from memories.payload import open_memories
from tests.attacks.corpus import Stored, World, tries
from tests.protections import unprotected
from vibe.core.crypto.errors import SealBroken, SealError
from vibe.core.db.scopes import as_user

SWAPS = tries(10_000, 100_000)


def swaps(world: World, count: int):
    """Two values of the world to exchange: any two, or two that differ in little."""
    chance = random.Random(8)
    near: dict[object, list[Stored]] = {}
    for each in world.values:
        at = each.address
        near.setdefault(("row", at.table, at.column, at.user_id), []).append(each)
        near.setdefault(("place", at.user_id), []).append(each)
        near.setdefault(("person", at.table, at.column), []).append(each)
    groups = [world.values, *near.values()]
    for _ in range(count):
        yield chance.sample(chance.choice(groups), 2)


def opened_after(world: World, count: int) -> int:
    """How many of the exchanged values open where they now are."""
    opened = 0
    for one, other in swaps(world, count):
        try:
            text = world.vaults[one.address.user_id].open(other.sealed, one.address)
        except SealError as problem:
            assert type(problem) is SealBroken
            assert str(one.address.row_id) in str(problem)
            assert other.text not in str(problem)
        else:
            assert text == other.text
            opened += 1
    return opened


def test_no_exchanged_value_opens(record_property):
    assert opened_after(World(), SWAPS) == 0
    record_property("figure", f"{SWAPS:,} swaps, 0 opened")


def test_unbound_they_would_open():
    """The negative control: without associated data each exchange within one person works, and if people shared a
    key, each exchange at all."""
    assert opened_after(World().unbound(), 2_000) > 500
    assert opened_after(World(one_key=True).unbound(), 2_000) == 2_000


def test_in_their_own_place_they_open():
    world = World()
    assert all(world.vaults[each.address.user_id].open(each.sealed, each.address) == each.text for each in world.values)


def test_no_exchanged_data_key_opens():
    """Nor does one under the number of another generation, nor one carried off with its row's id."""
    world = World()
    for one in world.wrapped:
        assert world.ring.unwrap(one.sealed, one.address).hex() == one.text
        for other in world.wrapped:
            for there in (
                one.address,
                replace(other.address, user_id=one.address.user_id),
                replace(other.address, row_id=one.address.row_id),
                replace(other.address, revision=3 - other.address.revision),
            ):
                if there != other.address:
                    with pytest.raises(SealBroken, match=str(there.row_id)):
                        world.ring.unwrap(other.sealed, there)


def test_a_value_and_its_person_carried_off_together_do_not_open():
    """Ada's row given to Jonas, id and all: his key does not open it, hers is not given for his rows."""
    world = World()
    for each in world.values:
        for user_id, vault in world.vaults.items():
            if user_id != each.address.user_id:
                with pytest.raises(SealBroken):
                    vault.open(each.sealed, replace(each.address, user_id=user_id))


def test_exchanged_in_the_database_they_do_not_open(ada, jonas, tell):
    for user_id in (ada, jonas):
        tell(user_id, "first", [("A", "I moved to Lisbon."), ("A", "I bought a boat.")])
    exchange = (
        "UPDATE encrypted_memories AS here SET payload = there.payload FROM encrypted_memories AS there "
        "WHERE here.id = %s AND there.id = %s"
    )
    with unprotected("encrypted_memories") as cursor:
        cursor.execute("SELECT id, user_id FROM encrypted_memories ORDER BY user_id, id")
        ids = [row_id for row_id, _ in cursor.fetchall()]
        cursor.execute(exchange, [ids[0], ids[1]])
        cursor.execute(exchange, [ids[2], ids[1]])
    for user_id, moved, kept in ((ada, ids[0], ids[1]), (jonas, ids[2], ids[3])):
        with as_user(user_id):
            rows = {row.pk: row for row in Memory.objects.of(user_id)}
            assert len(open_memories([rows[kept]], open_vault())) == 1
            with pytest.raises(SealBroken, match=f"encrypted_memories.payload of row {moved}"):
                open_memories([rows[moved]], open_vault())
