"""Benchmarks that go past the product's own way to the database keep up with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import house, overload
from tests.processes import PROJECT


def benchmark(name: str, *options: str) -> Any:
    """What a short run of it tells."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_operation_of_the_api_is_measured_against_its_own_sql() -> None:
    told = benchmark("api", "--rounds", "2", "--seconds", "1")
    assert {"search", "add memory: operation", "get memory: verb"} <= told["milliseconds"].keys()
    assert all(each["statements"] and each["times_its_sql"] for each in told["milliseconds"].values())
    assert all(told["gunicorn"].values()) and len(told["gunicorn"]) == 3


def test_the_web_servers_worker_is_measured_against_gunicorns() -> None:
    told = benchmark("serving", "--turns", "1", "--seconds", "0.5", "--stopped", "30")
    assert len(told["throughput"]) == 4
    assert all(each["times_gthread"] and each["processor_times_gthread"] for each in told["throughput"].values())
    assert all(told["slowest_probe_s"]["ours"].values())
    assert told["slowest_probe_s"]["gthread"]["header"] is None


def test_more_clients_than_threads_lose_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.overload", "--clients", "1,40", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    told = json.loads(done.stdout)["clients"]
    assert all(each["acknowledged"] and each["probes"] for each in told.values())
    assert all(each["lost"] == each["doubled"] == 0 for each in told.values())
    assert all(each["memory_times_idle"] <= overload.LIMITS["memory_times_idle"] for each in told.values())
    within = all(each[name] <= most for each in told.values() for name, most in overload.LIMITS.items())
    assert done.returncode == (not within), "the exit code says whether the limits were kept"


def test_the_client_is_measured_against_httpx2_alone() -> None:
    told = benchmark("client", "--calls", "20")
    assert all(told[kind]["client"] and told[kind]["httpx2"] for kind in ("sync", "async"))


def test_rows_are_written_in_every_way() -> None:
    told = benchmark("bulk", "--rounds", "1")
    assert told["vectors"].keys() >= {"arrays", "copy", "text"}
    assert all(rate for each in told.values() for rate in each.values())


def test_filters_are_measured_in_lists_and_in_search() -> None:
    told = benchmark("filters", "--sizes", "60", "--rounds", "1")["60"]
    assert {"none", "author of none", "metadata of half"} <= told.keys()
    assert all(each.keys() == {"list", "search"} for each in told.values())


def test_the_house_is_measured() -> None:
    told = benchmark("house", "--files")
    passed = told["files"]
    assert {name: len(files) for name, files in passed.items()} == told["files_passed"]
    assert {"memories/services/adding.py", "audit/services.py"} <= set(passed["add"])
    assert "stories/search/services.py" in passed["search"]
    assert "vibe/api/error_handlers.py" in passed["404"]
    assert told["lines"] > told["modules"] > 0
    assert (told["climbing"], told["circles"]) == (0, 0)


def test_an_import_that_climbs_is_counted() -> None:
    contracts = [
        {"type": "layers", "layers": ["roof", "left | right", "ground"]},
        {"type": "layers", "containers": ["ground"], "layers": ["upper", "lower"]},
    ]
    among, within = house.layered(contracts)
    assert house.climbing([("roof.a", "ground.b"), ("ground.b", "ground.c")], among) == set()
    assert len(house.climbing([("ground.b", "roof.a"), ("left.a", "right")], among)) == 2
    assert house.climbing([("ground.lower.a", "ground.upper"), ("roof", "ground.upper")], within) == {
        ("ground.lower.a", "ground.upper")
    }


def test_a_circle_is_counted() -> None:
    straight = [("app.a.x", "app.b.y"), ("app.b.z", "app.c"), ("app.a.x", "app.a.y"), ("other", "app.a")]
    assert house.circles(straight) == set()
    assert house.circles([*straight, ("app.c", "app.a.y")]) == {frozenset({"app.a", "app.b", "app.c"})}
    assert house.circles([*straight, ("app.a.y", "app.a.x")]) == {frozenset({"app.a.x", "app.a.y"})}


def test_sets_of_questions_are_measured_beside_simple_ways(tmp_path: Path) -> None:
    """Both sets have a person and messages of the same names; what was said later is not found."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        said = [("user", "My bicycle is green."), ("assistant", "A green bicycle!"), ("user", "I sold the bicycle.")]
        messages = [
            {"id": f"m{at}", "author": author, "text": text, "sent_at": f"2026-03-0{at + 1}T10:00:00+00:00"}
            for at, (author, text) in enumerate(said)
        ]
        line = {"user": {"firebase_uid": "kim", "name": "Kim"}, "conversation": {"id": "c"}, "messages": messages}
        (folder / "conversations.jsonl").write_text(json.dumps(line))
        asked = {"user": "kim", "question": "Which colour is my bicycle?", "evidence": ["m0"], "category": "plain"}
        early = {**asked, "evidence": ["m2"], "category": "early", "asked_at": "2026-03-03T10:00:00+00:00"}
        ignored = {**asked, "category": "adversarial"}
        (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, (asked, early, ignored))))
    told = benchmark("retrieval", str(tmp_path / "first"), str(tmp_path / "second"), "--json")
    assert told["first"] == told["second"]
    turns, beside = told["first"]["turns"], told["first"]["beside"]
    assert beside.keys() == {"bm25", "bm25_of_the_person", "embedder", "half_and_half"}
    for each in (turns, *beside.values()):
        assert each["questions"] == 2
        assert each["by_category"]["plain"]["recall@10"] == 1
        assert each["by_category"]["early"]["recall@10"] == 0, "what was said at the moment of asking and later"
        assert each["interval"] == [0, 1]
    assert beside["bm25"]["behind_by"] == [0, 0]
    assert (
        benchmark("retrieval", str(tmp_path / "first"), "--sample", "1", "--json")["first"]["turns"]["questions"] == 1
    )
