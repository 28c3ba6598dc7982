"""The offline embedder: same text same vector, length 1, near in meaning means near."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from stories.processors.embedding import Embedder, OfflineEmbedder, Vectors

TEXTS = ["I adopted a puppy", "We got a young dog", "The bank raised its interest rate", "", "\U0001f642" * 5_000]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return OfflineEmbedder().embed(TEXTS)


def test_it_is_an_embedder() -> None:
    embedder: Embedder = OfflineEmbedder()
    assert (embedder.dimensions, embedder.name) == (512, "use-multilingual-3")


def test_shape_type_and_length(vectors: Vectors) -> None:
    assert (vectors.shape, vectors.dtype) == ((5, 512), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0, 1], abs=1e-5)


def test_likeness_of_meaning(vectors: Vectors) -> None:
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_each_text_is_embedded_by_itself_whatever_stands_around_it(vectors: Vectors) -> None:
    backwards = OfflineEmbedder().embed(TEXTS[::-1])[::-1]
    assert backwards == pytest.approx(vectors, abs=1e-5)
    assert OfflineEmbedder().embed([TEXTS[1]])[0] == pytest.approx(vectors[1], abs=1e-5)


def test_nothing_to_embed() -> None:
    assert OfflineEmbedder().embed([]).shape == (0, 512)


def test_threads_load_one_model_and_get_the_same_vectors(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    from stories.processors import embedding

    monkeypatch.setattr(OfflineEmbedder, "_model", None)
    loads: list[int] = []
    load = embedding._load
    monkeypatch.setattr(embedding, "_load", lambda: loads.append(1) or load())
    found: list[Vectors] = []
    threads = [threading.Thread(target=lambda: found.append(OfflineEmbedder().embed(TEXTS[:2]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(found) == 4
    for one in found:
        assert one == pytest.approx(vectors[:2], abs=1e-5)
