"""Vectors from a service: in order, of length 1, in batches; and everything a service can get wrong about them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable

import numpy as np
import pytest

from stories.processors import configured
from stories.processors.embedding import Embedder
from stories.processors.openai_compatible.embedder import shortened
from stories.processors.openai_compatible.errors import BadAnswer, ProviderFailed, ProviderRefused, WrongDimensions
from tests.processes import PATIENCE
from tests.stories.openai.fake_service import FakeService, Reply, vector_of, vectors_answer

TEXTS = ["one", "two three", "four five six"]


def unit(text: str, dimensions: int) -> np.ndarray:
    vector = np.array(vector_of(text, dimensions))
    return vector / np.linalg.norm(vector)


def test_vectors_come_in_the_order_of_their_texts(embedder, service):
    made: Embedder = embedder()
    vectors = made.embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [unit(text, 8) for text in TEXTS], rtol=1e-6)
    assert (made.name, made.dimensions) == ("openai:vectors:8", 8)
    assert service.requests == [
        {"model": "vectors", "input": TEXTS, "encoding_format": "float", "dimensions": 8},
    ]


def test_a_model_of_one_length_is_not_asked_for_another(embedder, service):
    embedder(send_dimensions=False).embed(TEXTS)
    assert "dimensions" not in service.requests[0]


def test_texts_without_a_word_are_not_sent(embedder, service):
    vectors = embedder().embed(["", "one", " \n\t"])
    assert service.requests[0]["input"] == ["one"]
    assert not vectors[[0, 2]].any()
    assert vectors[1].any()
    assert embedder().embed([]).shape == (0, 8)
    assert len(service.requests) == 1


def test_a_huge_text_is_cut(embedder, service):
    embedder().embed(["word " * 100_000])
    assert len(service.requests[0]["input"][0]) <= 4_000


def test_batches_run_beside_each_other_and_no_more_than_allowed(embedder, service):
    service.script = [Reply(hang=0.15) for _ in range(5)]
    texts = [f"word {'x' * n}" for n in range(1, 11)]
    vectors = embedder(batch=2, concurrency=2).embed(texts)
    np.testing.assert_allclose(vectors, [unit(text, 8) for text in texts], rtol=1e-6)
    assert sorted(len(request["input"]) for request in service.requests) == [2] * 5
    assert service.most_running == 2


def test_the_bound_holds_over_all_threads_of_a_process(embedder, service):
    service.script = [Reply(hang=0.1) for _ in range(4)]
    made = embedder(concurrency=1)
    threads = [threading.Thread(target=made.embed, args=([f"text {n}", "more"],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.requests) == 4
    assert service.most_running == 1


def test_after_a_refusal_no_further_batch_is_sent(embedder, service):
    service.always = Reply({}, 401)
    with pytest.raises(ProviderRefused):
        embedder(batch=1, concurrency=1).embed([f"text {n}" for n in range(50)])
    assert len(service.requests) == 1


def test_a_question_is_not_waited_for_as_long_as_a_story(embedder, service):
    service.always = Reply(hang=1)
    with pytest.raises(ProviderFailed):
        embedder(question_timeout=0.2, deadline=PATIENCE, timeout=PATIENCE).embed(["where?"])
    service.always = Reply(hang=0.4)
    assert embedder(question_timeout=0.2, deadline=PATIENCE, timeout=PATIENCE).embed(TEXTS).any()


def answer(vectors: list[list[float]], **changes: object) -> dict[str, object]:
    body = vectors_answer(vectors)
    body["data"] = [{**item, **changes} for item in body["data"]]
    return body


GOOD = [vector_of(text, 8) for text in TEXTS]


def reordered(*indices: object) -> dict[str, object]:
    """The vectors in the order given, with these indices; None for none."""
    items = [{"embedding": vector, "index": index} for vector, index in zip(GOOD, indices, strict=True)]
    return {"data": [{name: value for name, value in item.items() if value is not None} for item in items]}


def packed(vector: list[float]) -> str:
    return base64.b64encode(np.array(vector, dtype="<f4").tobytes()).decode()


IN_OTHER_FORMS = {
    "by an index out of order": {"data": reordered(0, 1, 2)["data"][::-1]},
    "counted from 1": reordered(1, 2, 3),
    "counted from 1, out of order": {"data": reordered(1, 2, 3)["data"][::-1]},
    "every index 0": reordered(0, 0, 0),
    "every index the same": reordered(7, 7, 7),
    "no index": reordered(None, None, None),
    "an index as a text": {"data": reordered("0", "1", "2")["data"][::-1]},
    "vectors alone": {"data": GOOD},
    "in base 64": {"data": [{"index": n, "embedding": packed(vector)} for n, vector in enumerate(GOOD)]},
    "in a further list": {"data": [{"index": n, "embedding": [vector]} for n, vector in enumerate(GOOD)]},
    "numbers as texts": {"data": [{"index": n, "embedding": [*map(str, vector)]} for n, vector in enumerate(GOOD)]},
    "behind comments": b": still working\n\n: still working\n" + json.dumps(vectors_answer(GOOD)).encode(),
}


@pytest.mark.parametrize("body", IN_OTHER_FORMS.values(), ids=IN_OTHER_FORMS.keys())
def test_vectors_in_other_forms_are_taken(embedder, service, body):
    service.always = Reply(body)
    np.testing.assert_allclose(embedder().embed(TEXTS), [unit(text, 8) for text in TEXTS], rtol=1e-6)
    assert len(service.requests) == 1


BAD = {
    "one vector too few": vectors_answer(GOOD[:2]),
    "one vector too many": vectors_answer([*GOOD, GOOD[0]]),
    "no data": {"object": "list"},
    "data that is no list": {"data": "three"},
    "the same index twice": reordered(0, 1, 1),
    "one without an index": reordered(0, 1, None),
    "an index beyond the end": reordered(0, 1, 3),
    "an index below 0": reordered(-1, 0, 1),
    "an index that is true": reordered(True, 0, 2),
    "no vector": answer(GOOD, embedding=None),
    "a text that is no vector": answer(GOOD, embedding="one, two"),
    "base 64 cut short": answer(GOOD, embedding=packed(GOOD[0])[:-4]),
    "NaN in base 64": answer(GOOD, embedding=packed([float("nan")] * 8)),
    "NaN": json.dumps(answer(GOOD, embedding=[float("nan")] * 8)).encode(),
    "infinity": json.dumps(answer(GOOD, embedding=[float("inf")] * 8)).encode(),
    "a number too large to be one": json.dumps(answer(GOOD)).replace("1.0", "1e999").encode(),
    "a number too large to square": answer(GOOD, embedding=[1e300] * 8),
    "a whole number too large": answer(GOOD, embedding=[10**400] + [1] * 7),
    "a word among the numbers": answer(GOOD, embedding=["one"] + [1.0] * 7),
    "a number too large as a text": answer(GOOD, embedding=["1e99"] + [1.0] * 7),
    "null among the numbers": answer(GOOD, embedding=[None] + [1.0] * 7),
    "true among the numbers": answer(GOOD, embedding=[True] + [1.0] * 7),
    "a list among the numbers": answer(GOOD, embedding=[[1.0]] + [1.0] * 7),
    "zeros": answer(GOOD, embedding=[0.0] * 8),
    "cut short": json.dumps(vectors_answer(GOOD))[:-40].encode(),
    "a list": [GOOD],
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_vectors_are_asked_for_anew_and_then_refused(embedder, service, body):
    service.script = [Reply(body)]
    assert embedder().embed(TEXTS).shape == (3, 8)
    service.always = Reply(body)
    with pytest.raises(BadAnswer) as failed:
        embedder().embed(TEXTS)
    assert not isinstance(failed.value, WrongDimensions)
    assert not failed.value.away
    assert len(service.requests) == 4


@pytest.mark.parametrize("field", ["dimensions", "encoding_format"])
def test_a_field_that_a_service_refuses_is_left_out_from_then_on(embedder, service, field):
    service.script = [Reply({"error": {"message": f"Unknown parameter: '{field}'."}}, 400)]
    made = embedder()
    assert made.embed(TEXTS).shape == (3, 8)
    assert made.embed(TEXTS).shape == (3, 8)
    assert [field in request for request in service.requests] == [True, False, False]


def test_a_field_that_is_refused_for_ever_is_not_asked_about_for_ever(embedder, service):
    service.always = Reply({"error": {"message": "'dimensions' and 'encoding_format' are unknown."}}, 400)
    with pytest.raises(ProviderRefused):
        embedder().embed(TEXTS)
    assert len(service.requests) == 2


def test_a_model_of_longer_vectors_than_the_columns_can_be_used(embedder, service):
    """Cosines stay nearly what they are."""
    service.dimensions = 768
    made: Embedder = embedder(embedding_dimensions=768, send_dimensions=False)
    chance = np.random.default_rng(7)
    shared = chance.normal(size=768)
    sent = [(shared * weight + chance.normal(size=768)).tolist() for weight in (2.0, 2.0, 0.0)]
    service.script = [Reply(vectors_answer(sent))]
    vectors = made.embed(TEXTS)
    assert (made.name, made.dimensions, vectors.shape) == ("openai:vectors:768", 512, (3, 512))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    whole = np.array(sent) / np.linalg.norm(sent, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors @ vectors.T, whole @ whole.T, atol=0.1)


@pytest.mark.parametrize(
    ("stored", "name", "kept"),
    [(512, ":768", 512), (768, ":768/768", 768), (1024, ":768/768", 768), (64, ":768/64", 64)],
)
def test_vectors_are_shortened_no_more_than_to_what_is_set_and_a_name_says_to_what(
    embedder, service, stored: int, name: str, kept: int
):
    service.dimensions = 768
    made = embedder(embedding_dimensions=768, stored_dimensions=stored)
    assert made.embed(TEXTS).shape == (3, kept)
    assert made.name == f"openai:vectors{name}"
    later = embedder(embedding_model="other:7", embedding_dimensions=99, stored_dimensions=64).named(made.name)
    assert later is not None and (later.name, later.dimensions) == (made.name, kept)


@pytest.mark.parametrize(
    "name", ["openai:vectors", "openai::8", "openai:vectors:8/", "other:vectors:8", "openai:v:8\n"]
)
def test_names_of_nobody(embedder, name: str):
    assert embedder().named(name) is None


def test_longer_vectors_are_for_ever_projected_to_the_same_subspace():
    """Stored vectors are compared with those of the next release."""
    first = shortened(np.eye(1, 768, dtype=np.float32), 512)[0]
    np.testing.assert_allclose(first[:4], [0.02022762, 0.00312048, -0.02680303, -0.01063296], atol=1e-5)


@pytest.mark.parametrize("dimensions", [0, 7, 9, 768])
def test_vectors_of_another_length_are_refused_by_name(embedder, service, dimensions):
    service.always = Reply(vectors_answer([[1.0] * dimensions for _ in TEXTS]))
    with pytest.raises(WrongDimensions, match=rf"\b{dimensions} dimensions, and 8 were asked for"):
        embedder().embed(TEXTS)
    assert len(service.requests) == 1


def test_the_product_takes_it_as_its_embedder(
    configure: Callable[..., None], settings, service: FakeService, monkeypatch: pytest.MonkeyPatch
):
    settings.STORY_EMBEDDER = "stories.processors.openai_compatible.embedder.OpenAIEmbedder"
    configured.embedder.cache_clear()
    try:
        assert configured.embed(TEXTS).shape == (3, 8)
        service.always = Reply({}, 401)
        with pytest.raises(configured.EmbedderFailed):
            configured.embed(TEXTS)
    finally:
        configured.embedder().client.openai.close()
        configured.embedder.cache_clear()
