"""Fixed keys and ids, so that what is stored can be pinned."""

from __future__ import annotations

from uuid import UUID

import pytest

from vibe.core.crypto.master import MasterKey, MasterRing
from vibe.core.crypto.seal import Address
from vibe.core.crypto.vault import Vault

KEY = bytes(range(32))
PERSON = UUID("019a1b2c-3d4e-7f60-8a7b-6c5d4e3f2a1b")
ROW = UUID("019a1b2c-3d4e-7f60-9a7b-6c5d4e3f2a1c")


@pytest.fixture
def vault() -> Vault:
    return Vault(PERSON, {1: KEY})


@pytest.fixture
def ring() -> MasterRing:
    return MasterRing(MasterKey(KEY))


@pytest.fixture
def address() -> Address:
    return Address("encrypted_memories", "payload", PERSON, ROW, 7)


@pytest.fixture
def wrapped_at() -> Address:
    return Address("user_keys", "wrapped", PERSON, ROW, 1)
