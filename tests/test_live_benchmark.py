"""The measurement of live memory measures: what it says and asks, what it counts, and a short run of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from benchmarks.live.joined import a_minute_apart, boundaries, joined
from benchmarks.live.kills import insist
from benchmarks.live.options import Options
from benchmarks.live.probes import NAMES, TEMPLATES, TOWNS, made_up_words, probes
from benchmarks.live.running import worked
from benchmarks.live.texts import LINE, conversation, said
from benchmarks.live.tokens import least, service
from stories.processors.base import Message, Transcript
from stories.processors.openai_compatible.schema import STORY, read_story
from tests.test_benchmarks import benchmark

AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


def test_a_probe_is_asked_for_in_other_words() -> None:
    for statement, question in TEMPLATES:
        assert not long_words(statement) & long_words(question), statement


def long_words(template: str) -> set[str]:
    """Those that say something, without what is filled in."""
    return set(re.findall(r"[a-z]{5,}", re.sub(r"{\w+}", "", template).lower())) - {"where", "which"}


def test_no_two_probes_are_alike() -> None:
    everything = list(probes())
    assert len(everything) == len(TEMPLATES) * len(NAMES) == 800
    assert len(TOWNS) == len(NAMES)
    assert len({each.statement for each in everything}) == len({each.question for each in everything}) == 800
    strange = list(islice(made_up_words(), 5_000))
    assert len({each.question for each in strange}) == 5_000
    assert all(each.question.capitalize() in each.statement for each in strange)


def test_no_text_is_said_twice_and_a_long_conversation_has_several_lines() -> None:
    texts = list(islice(said(None), 2 * LINE + 1))
    assert len({text for _, text in texts}) == len(texts)
    lines = conversation("ada", "c", texts)
    times = [message["sent_at"] for line in lines for message in line["messages"]]
    assert [len(line["messages"]) for line in lines] == [LINE, LINE, 1]
    assert times == sorted(times) and len(set(times)) == len(times)


def test_the_fake_service_answers_what_the_product_takes_and_counts_what_it_is_sent() -> None:
    with service() as fake:
        asked = {
            "messages": [{"role": "system", "content": "Tell it."}, {"role": "user", "content": "We met. We sang."}],
            "response_format": {"json_schema": {"schema": STORY}},
        }
        address = f"http://127.0.0.1:{fake.server_address[1]}/v1/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(asked).encode())) as answer:
            given = json.load(answer)
        calls, sent, schemas, answered = fake.counts()
    assert (calls, sent) == (1, len(["Tell", "it", ".", "We", "met", ".", "We", "sang", "."]))
    assert schemas > 50 and answered == given["usage"]["completion_tokens"]
    transcript = Transcript("", (Message("1", "Ada", "We met.", AT),))
    assert read_story([given["choices"][0]["message"]["content"]], transcript, {}).title == least({"type": "string"})


def line(number: int, *offsets: int) -> dict[str, Any]:
    """A session with messages at so many minutes."""
    messages = [{"id": f"{number}:{at}", "sent_at": (AT + timedelta(minutes=at)).isoformat()} for at in offsets]
    return {"user": {"firebase_uid": "ada"}, "conversation": {"id": f"s{number}"}, "messages": messages}


def test_sessions_are_joined_in_order_of_time_and_their_beginnings_are_the_truth() -> None:
    sessions = [line(2, 600, 601), line(1, 0, 1, 2), line(3, 1200)]
    [together] = joined(sessions)
    assert [each["id"] for each in together["messages"]] == ["1:0", "1:1", "1:2", "2:600", "2:601", "3:1200"]
    apart = [datetime.fromisoformat(each["sent_at"]) for each in a_minute_apart(together)["messages"]]
    assert {later - before for before, later in pairwise(apart)} == {timedelta(minutes=1)}

    def begins(*minutes: int) -> dict[str, list[str]]:
        return {"ada": [(AT + timedelta(minutes=each)).isoformat() for each in minutes]}

    assert boundaries(begins(0, 600, 1200), sessions) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    half = boundaries(begins(0, 600, 601), sessions)
    assert half == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert boundaries(begins(0), sessions)["f1"] == 0.0  # one story of all finds none


def test_work_of_a_process_is_counted_with_that_of_children_that_ended() -> None:
    before = worked(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert worked(os.getpid()) - before >= 0.4


def test_what_is_refused_or_broken_is_asked_again_and_counted() -> None:
    outcomes = iter([RuntimeError("POST /x answered 503: no"), ConnectionResetError(), "done"])

    def ask() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    failed: Counter[str] = Counter()
    assert insist(ask, failed) == "done"
    assert failed == {"503": 1, "ConnectionResetError": 1}


def test_a_short_run_finds_every_message_and_counts_every_process() -> None:
    told = benchmark("live", "--short", "--part", "grow", "--sizes", "5,20", "--probes", "2", "--idle-seconds", "0.5")
    for size in told["grow"]["now"]["sizes"]:
        assert size["found_within_a_minute"] == 1.0
        assert size["add"]["count"] == 2
        assert size["cpu_ms_a_message"]["all"] > 0
    assert set(told["grow"]["now"]["times_the_smallest"]) == {"5", "20"}


def test_the_whole_has_longer_sizes_than_the_short() -> None:
    assert max(Options().sizes) == 100_000
    assert max(Options().shortened().sizes) <= 100
