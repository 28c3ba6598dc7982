"""What the attacks on seal, cloak and blind index work on: a small world of people, and sentences with their vectors.

`make attack` sets VIBE_ATTACK=full: more tries, and vectors of the real embedding model.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

import numpy as np

from vibe.core.crypto.master import MasterKey, MasterRing
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.crypto.vault import Vault

FULL = os.environ.get("VIBE_ATTACK") == "full"
DIMENSIONS = 512
COLUMNS = (("encrypted_memories", "payload"), ("stories", "title"), ("stories", "text"), ("conversations", "title"))
WHO = [
    "I",
    "My sister",
    "Our neighbour",
    "Jonas",
    "My old teacher",
    "The doctor",
    "Mira",
    "My boss",
    "Grandfather",
    "A friend from school",
]
DID = [
    "bought",
    "lost",
    "painted",
    "sold",
    "repaired",
    "dreamt of",
    "gave away",
    "wrote about",
    "photographed",
    "stole",
]
WHAT = [
    "a red bicycle",
    "the house by the lake",
    "a guitar",
    "three oranges",
    "an old map",
    "the wedding ring",
    "a small boat",
    "two tickets to Lisbon",
    "a letter",
    "the garden shed",
]
SENTENCES = [" ".join(parts) + "." for parts in itertools.product(WHO, DID, WHAT)]


def tries(few: int, many: int) -> int:
    """How often an attack is tried, and how often in full."""
    return many if FULL else few


@dataclass(frozen=True)
class Stored:
    """One sealed value where it lies, and what it says."""

    address: Address
    sealed: Sealed
    text: str


class World:
    """People with their vaults, wrapped keys and sealed rows: what somebody who writes to the database may shuffle."""

    def __init__(self, people: int = 6, rows: int = 5, *, one_key: bool = False) -> None:
        ids = number()
        self.ring = MasterRing(MasterKey(bytes(range(7, 39))))
        self.vaults: dict[UUID, Vault] = {}
        self.wrapped: list[Stored] = []
        self.values: list[Stored] = []
        for person in range(people):
            user_id, key = next(ids), bytes([0 if one_key else person]) * 32
            self.vaults[user_id] = Vault(user_id, {1: key, 2: bytes([100 + key[0]]) * 32})
            for generation in (1, 2):
                at = Address("user_keys", "wrapped", user_id, next(ids), generation)
                self.wrapped.append(Stored(at, self.ring.wrap(key, at), key.hex()))
            for (table, column), _, revision in itertools.product(COLUMNS, range(rows), (1, 2)):
                address = Address(table, column, user_id, next(ids), revision)
                text = f"{table} {column} {len(self.values)}"
                self.values.append(Stored(address, self.vaults[user_id].seal(text, address), text))

    def unbound(self) -> World:
        """The same world without associated data: the negative control. Everything is sealed anew."""
        for vault in self.vaults.values():
            for seal in vault._seals.values():
                encrypt, decrypt = seal.encrypt, seal.decrypt
                seal.encrypt = lambda nonce, data, _, bare=encrypt: bare(nonce, data, b"")
                seal.decrypt = lambda nonce, data, _, bare=decrypt: bare(nonce, data, b"")
        self.values = [
            replace(each, sealed=self.vaults[each.address.user_id].seal(each.text, each.address))
            for each in self.values
        ]
        return self


def number() -> Iterator[UUID]:
    """Ids in order, the same in every run."""
    return (UUID(int=(7 << 76) | (2 << 62) | at) for at in itertools.count(1))


@cache
def embedded() -> np.ndarray:
    """A vector for each of 1,000 sentences: the model's own in full, else a likeness of them (parts that sentences
    share, a direction that all have, a little of their own), of length 1."""
    if FULL:
        from stories.processors.embedding import OfflineEmbedder

        return OfflineEmbedder().embed(SENTENCES)
    random = np.random.default_rng(5)
    parts = {part: random.standard_normal(DIMENSIONS) for part in (*WHO, *DID, *WHAT)}
    common = random.standard_normal(DIMENSIONS)
    made = np.stack([sum(parts[part] for part in each) for each in itertools.product(WHO, DID, WHAT)])
    made = made + common + 0.4 * random.standard_normal(made.shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def hits(similarity: np.ndarray) -> int:
    """How many rows are most like the column of the same number. By chance it is one, whatever the size."""
    return int((similarity.argmax(axis=1) == np.arange(len(similarity))).sum())


def place_of_the_right_one(similarity: np.ndarray) -> float:
    """The share of wrong columns that are more alike than the right one, on average. By chance it is a half."""
    wrong = (similarity > np.diagonal(similarity)[:, None]).sum(axis=1)
    return float(wrong.mean()) / (len(similarity) - 1)
