"""LoCoMo as it is, with each person's conversations joined into one, and so with its messages a minute apart.

Turns R@10 over HTTP, for each; and, where the times were kept, whether stories begin where sessions begin. Needs the
data (--data). What only a session would know is the times between messages: in the third, nothing says where one ends.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.live.options import Options, bar
from benchmarks.live.running import Cluster, Running, running

FIRST = 10
SHORT_PEOPLE, SHORT_QUESTIONS = 1, 20
Line = dict[str, Any]


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    if options.data is None:
        return {"left_out": "There is no data: --data."}
    separate, questions = read(options.data / "conversations.jsonl"), read(options.data / "questions.jsonl")
    questions = [each for each in questions if each["category"] != "adversarial"]
    if options.short:
        people = sorted({line["user"]["firebase_uid"] for line in separate})[:SHORT_PEOPLE]
        separate = [line for line in separate if line["user"]["firebase_uid"] in people]
        questions = [each for each in questions if each["user"] in people][:SHORT_QUESTIONS]
    as_one = joined(separate)
    kinds = {"separate": separate, "joined": as_one, "a_minute_apart": [a_minute_apart(line) for line in as_one]}
    result: dict[str, Any] = {name: asked(cluster, name, lines, questions) for name, lines in kinds.items()}
    for name in ("joined", "a_minute_apart"):
        result[name]["less_than_separate"] = result["separate"]["turns_recall@10"] - result[name]["turns_recall@10"]
    result["joined"] |= boundaries(result["joined"].pop("begins"), separate)
    for name in ("separate", "a_minute_apart"):
        result[name].pop("begins")
    return result


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def joined(lines: list[Line]) -> list[Line]:
    """One conversation a person, in order of time."""
    people: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        people[line["user"]["firebase_uid"]].append(line)
    return [
        {
            "user": of[0]["user"],
            "conversation": {"id": "all"},
            "messages": sorted(
                (message for line in of for message in line["messages"]),
                key=lambda message: datetime.fromisoformat(message["sent_at"]),
            ),
        }
        for of in people.values()
    ]


def a_minute_apart(line: Line) -> Line:
    """The same messages, each a minute after the one before."""
    start = datetime.fromisoformat(line["messages"][0]["sent_at"])
    messages = [
        {**message, "sent_at": (start + timedelta(minutes=at)).isoformat()}
        for at, message in enumerate(line["messages"])
    ]
    return {**line, "messages": messages}


def asked(cluster: Cluster, kind: str, lines: list[Line], questions: list[Line]) -> dict[str, Any]:
    """Import, wait until all is built, ask."""
    people = {line["user"]["firebase_uid"] for line in lines}
    with running(cluster) as side:
        side.bring([{**line, "user": renamed(line["user"], kind)} for line in lines])
        settled = side.settle()
        recall, clients = [], {person: side.client(f"{kind}-{person}") for person in people}
        for question in bar(questions, "questions"):
            if evidence := set(question["evidence"]):
                found = clients[question["user"]].found(question["question"], FIRST, memories=side.finds_memories)
                recall.append(len(evidence & names(side, found)) / len(evidence))
        begins = {person: [story["occurred_from"] for story in client.stories()] for person, client in clients.items()}
    return {
        "questions": len(recall),
        "turns_recall@10": sum(recall) / len(recall),
        "stories": sum(map(len, begins.values())),
        "settled": settled,
        "begins": begins,
    }


def renamed(user: dict[str, str], kind: str) -> dict[str, str]:
    """The same person under an id of their own, and without the address, which only one may have."""
    return {"firebase_uid": f"{kind}-{user['firebase_uid']}", "name": user.get("name", "")}


def names(side: Running, found: list[dict[str, Any]]) -> set[str]:
    """The messages' own ids of what was found."""
    if all("message_ids" in each for each in found):
        return {name for each in found for name in each["message_ids"]}
    ids = [each["id"] for each in found]
    rows = side.server.execute("SELECT message_ids FROM encrypted_memories WHERE id = ANY(%s::uuid[])", [ids])
    return {name for (of,) in rows for name in of}


def boundaries(begins: dict[str, list[str]], separate: list[Line]) -> dict[str, float]:
    """How well the beginnings of stories are those of sessions; each person's first is no boundary."""
    truth: dict[str, set[datetime]] = defaultdict(set)
    for line in separate:
        truth[line["user"]["firebase_uid"]].add(min(datetime.fromisoformat(m["sent_at"]) for m in line["messages"]))
    right = made = wanted = 0
    for person, sessions in truth.items():
        times = sessions - {min(sessions)}
        there = {datetime.fromisoformat(each) for each in begins[person]} - {min(sessions)}
        right, made, wanted = right + len(there & times), made + len(there), wanted + len(times)
    precision, recall = right / made if made else 0.0, right / wanted if wanted else 0.0
    both = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / both if both else 0.0}
