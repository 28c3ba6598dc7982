"""What the database is told of a question."""

from __future__ import annotations

import json
from uuid import uuid4

import numpy as np

from stories.blinding import cloaked, question_text
from vibe.crypto.vault import Vault


def test_a_question_is_written_in_whole_numbers_and_points_where_its_vector_does() -> None:
    vault = Vault(uuid4(), {1: b"k" * 32})
    vectors = np.random.default_rng(7).standard_normal((20, 512)).astype(np.float32)
    for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True):
        numbers = json.loads(question_text(vault, vector[None]) or "")
        stored = np.array(cloaked(vault, vector[None])[0].to_list())
        assert all(isinstance(number, int) and abs(number) <= 65_504 for number in numbers)
        cosine = np.dot(numbers, stored) / np.linalg.norm(numbers) / np.linalg.norm(stored)
        assert cosine > 0.999999


def test_a_question_without_a_word_has_no_direction() -> None:
    assert question_text(Vault(uuid4(), {1: b"k" * 32}), np.zeros((1, 512), dtype=np.float32)) is None
