"""The comparison with others judges every store alike, by what it found and by what it left out."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers.chart import draw
from benchmarks.peers.conversations import stretches
from benchmarks.peers.report import print_tables
from benchmarks.peers.run import AS_THOROUGH, BOTH_THOROUGH, BY_HAND, BY_HAND_WHOLE, STAGE, WHOLE, behind
from benchmarks.peers.stores.protocol import TOP, TRIES, answers, run
from benchmarks.peers.task import Task, judged, nearest_rows, times_only


@pytest.fixture
def task():
    """Ada has 30 rows, Teo 60 others; each asks twice."""
    chance = np.random.default_rng(1)
    vectors = chance.standard_normal((90, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.repeat([0, 1], [30, 60])
    asked, askers = vectors[[3, 7, 40, 50]], np.array([0, 0, 1, 1])
    truth = [
        nearest_rows(vectors, np.flatnonzero(owners == who), each) for each, who in zip(asked, askers, strict=True)
    ]
    return Task(vectors, owners, [], [], asked, askers, ["?"] * 4, truth)


def test_the_truth_is_the_askers_own_likest_rows(task):
    assert all(len(each) == TOP for each in task.truth)
    assert task.truth[0] <= set(range(30))
    assert task.truth[2] <= set(range(30, 90))
    assert 3 in task.truth[0]
    assert 40 in task.truth[2]


def test_whole_answers_have_full_recall(task):
    assert [(each["recall"], each["short"]) for each in judged(task, [1.0] * 4, task.truth)] == [(1.0, 0.0)] * 2


def test_an_answer_that_leaves_rows_out_is_short_and_loses_recall(task):
    found = [list(each) for each in task.truth]
    found[0] = found[0][:4]
    small, large = judged(task, [1.0] * 4, found)
    assert (small["size"], small["recall"], small["short"]) == ("0-50", pytest.approx(0.7), 0.5)
    assert (large["size"], large["recall"], large["short"]) == ("50-100", 1.0, 0.0)


def test_rows_of_others_count_nothing(task):
    found = [list(task.truth[2]), *[list(each) for each in task.truth[1:]]]
    assert judged(task, [1.0] * 4, found)[0]["recall"] == pytest.approx(0.5)


def test_times_are_of_the_asker_s_bucket(task):
    small, large = times_only(task, [1.0, 3.0, 10.0, 30.0])
    assert (small["p50_ms"], large["p50_ms"]) == (2.0, 20.0)


def test_ours_is_set_against_pgvector_by_hand_like_with_like(task):
    fast, slow = times_only(task, [1.0] * 4), times_only(task, [3.0] * 4)
    stores = {STAGE: {"buckets": slow}, BY_HAND: {"buckets": fast}}
    found = behind(stores, {WHOLE: slow, BY_HAND_WHOLE: slow})
    assert [each["p95_ms"] for each in found["the statement alone"]] == [3.0, 3.0]
    assert [each["p95_ms"] for each in found["whole search"]] == [1.0, 1.0]
    assert behind({STAGE: {"buckets": slow}}, {WHOLE: slow}) == {}
    stores[BY_HAND + AS_THOROUGH] = {"buckets": slow}
    assert [each["p95_ms"] for each in behind(stores, {WHOLE: slow})[BOTH_THOROUGH]] == [1.0, 1.0]


def test_every_question_is_asked_as_often_and_warmed_up_before():
    asked = []

    def search(owner, vector, question):
        asked.append(question)
        return [1]

    result = answers(search, [(0, np.zeros(8), str(number)) for number in range(40)])
    assert len(result["milliseconds"]) == len(result["found"]) == 40
    warm = len(asked) - 40 * TRIES
    assert warm >= 20
    assert all(asked[warm:].count(str(number)) == TRIES for number in range(40))


def test_a_store_that_can_leave_less_out_is_asked_like_that_as_well(task, tmp_path, monkeypatch):
    class Careless:
        found = 5

        def bulk(self, *_):
            pass

        add = built = settled = bulk

        def thorough(self, *, on):
            self.found = TOP if on else 5

        def search(self, owner, vector, limit):
            return list(range(self.found))

    repeated = {"vectors": task.vectors.repeat(4, 0), "owners": task.owners.repeat(4), "texts": [""] * 360}
    replace(task, **repeated).write(tmp_path)
    monkeypatch.setattr("sys.argv", ["store", str(tmp_path), str(tmp_path / "result.json")])
    run(Careless())
    result = json.loads((tmp_path / "result.json").read_text())
    assert {len(each) for each in result["found"]} == {5}
    assert {len(each) for each in result["thorough"]["found"]} == {TOP}


def test_stretches_do_not_cross_conversations(tmp_path):
    path = tmp_path / "said.jsonl"
    lines = [["One. Two!", "Three?"], ["Four."]]
    path.write_text("\n".join(json.dumps({"messages": [{"text": text} for text in texts]}) for texts in lines))
    assert list(stretches(path, 1)) == ["One.", "Two!", "Three?", "Four."]
    assert list(stretches(path, 2)) == ["One. Two!", "Two! Three?"]


@pytest.fixture
def result(task):
    """As a run gives it, of two stores."""
    found = [list(each)[:5] for each in task.truth]
    ours, other = judged(task, [1.0] * 4, task.truth), judged(task, [0.5] * 4, found)
    rates = {"bulk_rows_per_second": 1000.0, "single_rows_per_second": 10.0, "durable": "yes"}
    stores = {STAGE: {"buckets": ours}, BY_HAND: {**rates, "buckets": other}}
    whole = {WHOLE: times_only(task, [4.0] * 4), BY_HAND_WHOLE: times_only(task, [1.0] * 4)}
    return {
        "date": "2026-11-28",
        "machine": "2 cores",
        "vectors": "made up",
        "people": 2,
        "rows": 90,
        "stores": stores,
        "whole": whole,
        "behind": behind(stores, whole),
        "sealing": {"Vibe": {"seal_per_second": 2.0, "open_per_second": 3.0, "stored_bytes": 528}},
        "audit": {"Vibe": {"ms_with": 2.0, "ms_without": 1.0, "ms_added": 1.0, "ratio": 2.0}},
    }


def test_the_tables_show_where_ours_loses(result):
    out = io.StringIO()
    print_tables(result, out)
    text = out.getvalue()
    assert "| pgvector by hand | 0.50: 0.5 / 0.5 | 0.50: 0.5 / 0.5 |" in text
    assert "| pgvector by hand | 100% | 100% |" in text
    assert "| the statement alone | 2.0 / 2.0 | 2.0 / 2.0 |" in text
    assert "| whole search | 4.0 / 4.0 | 4.0 / 4.0 |" in text


def test_the_chart_is_drawn_on_paper_of_its_own(result, tmp_path):
    import matplotlib.image

    draw(result, tmp_path / "chart.png")
    picture = matplotlib.image.imread(tmp_path / "chart.png")
    assert picture.shape[0] > 400
    assert np.allclose(picture[0, 0], 1.0)  # opaque white: black letters on a dark page would not be read
