"""How well facts are read by rule, in messages of the project's own writing.

    python -m benchmarks.facts [--wrong]

There are three sets: facts.tsv, which the rules were made with; facts_other.tsv, whose writer had not seen the rules,
and whose misses showed what kinds of frames were missing; facts_aside.tsv, like it, whose misses are not shown.

`precision` is the share of statements read that are labelled, `recall` the share of those labelled that are read:
attribute, whether it holds or has ended, and the value, where more or fewer words count as the same. `now` and `as_of`
are the shares of questions for a value, at the end or on a day, that the timeline answers with exactly what is so.
`now_known` and `as_of_known` leave out those for which nothing was read: what is said must be right. `ms` is CPU time a
message.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.harness import show
from stories.facts.rules.reading import read_statements
from stories.facts.statements import Kind, Statement, value_key
from stories.facts.timeline import Fact, Source, Stated, facts_of

SETS = ("facts", "facts_other", "facts_aside")
END = timedelta(days=20)
"""How long after a person's last message is now."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message with its labels, or a question for an attribute with its right values."""

    person: str
    at: str
    role: str
    text: str = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="print each miss, too: the messages are invented")
    wrong = parser.parse_args().wrong
    show({name: measure(name, wrong=wrong and name != "facts_aside") for name in SETS})


def lines(name: str) -> Iterator[Line]:
    for line in Path(__file__).with_name(f"{name}.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            person, at, role, text, labels = f"{line}\t".split("\t")[:5]
            yield Line(person, at, role, text, tuple(each.strip() for each in labels.split(";") if each.strip()))


def measure(name: str, *, wrong: bool = False) -> dict[str, Any]:
    """Read every message of a set, and answer every question."""
    right = read = labelled = messages = 0
    answers: dict[str, list[bool]] = defaultdict(list)
    stated: dict[str, list[Stated]] = defaultdict(list)
    last: dict[str, datetime] = {}
    misses: list[str] = []
    spent = 0.0
    for line in lines(name):
        if line.role == "ask":
            at = last[line.person] + END if line.at == "now" else datetime.fromisoformat(f"{line.at}T12:00+00:00")
            facts = [each for each in facts_of(stated[line.person]) if each.attribute == line.text]
            given, kind = held(facts, at), "now" if line.at == "now" else "as_of"
            answers[kind].append(is_right(given, line.labels))
            if given:
                answers[f"{kind}_known"].append(answers[kind][-1])
            if not answers[kind][-1]:
                misses.append(f"{line.person} {line.at} {line.text}: {line.labels} asked, {given} given")
            continue
        said_at = datetime.fromisoformat(line.at)
        last[line.person] = said_at
        began = time.process_time()
        found = read_statements(line.text, said_at)
        spent, messages = spent + time.process_time() - began, messages + 1
        found = found if line.role == "user" else []
        left = list(line.labels)
        for each in found:
            label = next((label for label in left if is_same(each, label)), None)
            if label is None and each.kind is Kind.ENDED and (not each.value or each.attribute == "other"):
                continue  # the end of something, of which nothing is known
            right, read = right + (label is not None), read + 1
            if label is None:
                misses.append(f"false: {each.kind} {each.attribute}={each.value} | {line.text}")
            else:
                left.remove(label)
        labelled += len(line.labels)
        misses += [f"missed: {label} | {line.text}" for label in left]
        stated[line.person] += as_stated(found, said_at, messages)
    if wrong:
        print(*misses, sep="\n")
    shares = {kind: round(sum(each) / len(each), 3) for kind, each in sorted(answers.items())}
    return {
        "messages": messages,
        "precision": round(right / read, 3),
        "recall": round(right / labelled, 3),
        **shares,
        "questions": len(answers["now"]) + len(answers["as_of"]),
        "ms": round(1000 * spent / messages, 3),
    }


def as_stated(found: Iterable[Statement], said_at: datetime, message: int) -> Iterator[Stated]:
    for number, each in enumerate(found):
        source = Source(UUID(int=1000 * message + number), said_at, None, None, "user", each.start, each.end, "")
        yield Stated(source, each, hash)


def is_same(said: Statement, label: str) -> bool:
    """Whether a statement is the one of a label."""
    attribute, _, value = label.lstrip("-~").partition("=")
    over = said.kind in (Kind.ENDED, Kind.HELD)
    return (
        said.attribute in (attribute, "other") and over == label.startswith(("-", "~")) and matches(said.value, value)
    )


def matches(one: str, other: str) -> bool:
    ours, theirs = ({*value_key(each).replace(",", " ").split()} for each in (one, other))
    return ours <= theirs or theirs <= ours


def held(facts: Iterable[Fact], at: datetime) -> list[str]:
    return [fact.value for fact in facts if fact.holds_at(at)]


def is_right(given: list[str], wanted: tuple[str, ...]) -> bool:
    return len(given) == len(wanted) and all(any(matches(one, other) for other in given) for one in wanted)


if __name__ == "__main__":
    main()
