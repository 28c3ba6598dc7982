"""Sets of questions: a folder each, with `conversations.jsonl` and `questions.jsonl`. They are read where they are."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 0


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Conversations in the import format, and questions; people bear the set's name, so that sets share a database."""

    name: str
    lines: list[dict[str, Any]]
    questions: list[dict[str, Any]]


def read_set(folder: Path, sample: int | None = None) -> QuestionSet:
    """Return a set without its `adversarial` questions; or a sample of them, of as few people as have so many."""
    questions = [each for each in _lines(folder / "questions.jsonl") if each["category"] != "adversarial"]
    lines = _lines(folder / "conversations.jsonl")
    if sample is not None:
        chance = random.Random(SEED)
        people = sorted({each["user"] for each in questions})
        chance.shuffle(people)
        chosen: list[dict[str, Any]] = []
        while people and len(chosen) < sample:
            who = people.pop()
            chosen += [each for each in questions if each["user"] == who]
        questions = chance.sample(chosen, min(sample, len(chosen)))
    asked = {each["user"] for each in questions}
    lines = [line for line in lines if line["user"]["firebase_uid"] in asked]
    for line in lines:
        line["user"] = {**line["user"], "firebase_uid": person_of(folder.name, line["user"]["firebase_uid"])}
        line["user"].pop("email", None)
    return QuestionSet(folder.name, lines, questions)


def person_of(name: str, user: str) -> str:
    """Return what a person of a set is called in the database."""
    return f"{name}:{user}"


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
