"""Attack: read what conversations are about from the ids that are stored in clear, in the sample and in what docs show.

Whoever holds the database reads `external_id` and `message_ids`. The example that people copy must tell nothing there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from memories.api import shapes
from tests.processes import PROJECT

SAMPLE = PROJECT / "memories" / "sample" / "conversations.jsonl"
DOC = PROJECT / "docs" / "import.md"
WORD, DATE = re.compile(r"[^\W\d_]{3,}"), re.compile(r"(19|20)\d\d-?(0[1-9]|1[0-2])")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def sample() -> list[Any]:
    return [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]


def shown() -> list[Any]:
    """The examples in the doc, those of several lines too."""
    blocks = re.findall(r"```json\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(block) for block in blocks if '"messages"' in block]


def told_by_ids(line: Any) -> Iterator[str]:
    """What the ids of a conversation tell: words, dates."""
    for given in (line["conversation"]["id"], *(message["id"] for message in line["messages"])):
        if not UUID.fullmatch(given):
            yield from WORD.findall(given)
            yield from (found[0] for found in DATE.finditer(given))


@pytest.mark.parametrize("source", [sample, shown])
def test_no_id_tells_anything(source: Any) -> None:
    examples = source()
    assert examples
    assert [found for line in examples for found in told_by_ids(line)] == []
    for line in examples:
        assert UUID.fullmatch(line["conversation"]["id"])


def test_the_examples_of_the_api_tell_nothing() -> None:
    for shape in (shapes.NewConversation, shapes.Conversation):
        [given] = shape.model_fields["external_id"].examples or []
        assert UUID.fullmatch(given)


@pytest.mark.parametrize(
    ("given", "tells"), [("teo-2025-11-found-a-puppy", ["teo", "found", "puppy", "2025-11"]), ("20261105", ["202611"])]
)
def test_control_an_id_that_tells_is_found(given: str, tells: list[str]) -> None:
    line = sample()[0]
    line["conversation"]["id"] = given
    assert list(told_by_ids(line)) == tells


def test_conversations_and_people_have_ids_of_their_own() -> None:
    ids = [line["conversation"]["id"] for line in sample()]
    assert len(set(ids)) == len(ids) == 18
