"""What the database is told of vectors."""

from __future__ import annotations

from uuid import uuid4

import numpy as np

from stories.text.passages import cloaked
from vibe.core.crypto.vault import Vault


def test_cosines_stay_what_they_were_under_the_rotation() -> None:
    vault = Vault(uuid4(), {1: b"k" * 32})
    drawn = np.random.default_rng(7).standard_normal((20, 512)).astype(np.float32)
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    stored = np.array([each.to_list() for each in cloaked(vault, vectors) if each])
    assert np.abs(stored @ stored.T - vectors @ vectors.T).max() < 1e-3
    assert np.abs(stored - vectors).max() > 0.1, "the control: they are not as they were"


def test_what_has_no_word_has_no_direction() -> None:
    assert cloaked(Vault(uuid4(), {1: b"k" * 32}), np.zeros((1, 512), dtype=np.float32)) == [None]
