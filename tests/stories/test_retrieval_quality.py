"""Search finds what answers a question, on conversations nobody tuned it to."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest

from accounts.people.services.people import find_person
from memories.imports.services.files import FileImport
from memories.models import Memory
from stories.search.asking import read_asker, understood
from stories.search.services import rank, search_stories
from tests.cast import TESTER
from tests.stories.conftest import build_all, external_ids
from vibe.core.db.scopes import as_user

SAMPLE = Path(__file__).resolve().parent.parent.parent / "memories" / "sample" / "conversations.jsonl"

ASKED = [
    (
        "ada",
        "Why did my dog collapse last November, and how do I get him to take his pill?",
        "Pastel fainted on the stairs",
    ),
    (
        "ada",
        "What did the animal hospital cost in May, and who helped me pay?",
        "Mother's Day, and two nights at the hospital",
    ),
    ("ada", "What happened with the veil at the wedding?", "What happened at the wedding in Azeitão"),
    ("ada", "What was my marathon time, and who was waiting where I sat down?", "Forty-two kilometres in Porto"),
    ("jonas", "Why did my brother really sell our father's boat?", "What Eirik's letter said"),
    ("jonas", "What mark is on Dad's compass, and how did it get there?", "Good Friday at Gryllefjord"),
    ("jonas", "What was my marathon time, and who won the bet with Farid?", "The Midnight Sun Marathon"),
    (
        "jonas",
        "What did we pay for Havella, and where did we spend the night on the way home?",
        "Havella comes home",
    ),
    ("teo", "What did my dog eat in Oaxaca in January?", "Der, die, das and a rosary"),
    ("teo", "What were my German exam points?", "Thirty-one ingredients"),
    ("teo", "What is the secret ingredient of the mole negro?", "Thirty-one ingredients"),
    ("teo", "How did my sister Ximena and I make up?", "Four days before Leipzig"),
]


@pytest.fixture
def sample(db: None) -> dict[str, UUID]:
    """The bundled sample, imported and told."""
    with SAMPLE.open("rb") as source:
        FileImport(actor=TESTER, strict=True).run(source)
    people = {name: find_person(f"sample-{name}") for name in ("ada", "jonas", "teo")}
    for user_id in people.values():
        build_all(user_id)
    return people


def test_the_sample_answers_its_questions(sample: dict[str, UUID]) -> None:
    """All find their story among the first three, and most as the very first: mean reciprocal rank, measured .764."""
    lines = [json.loads(line)["conversation"] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    named, places = {line["title"]: line["id"] for line in lines}, []
    for who, question, title in ASKED:
        answer = search_stories(user_id=sample[who], question=question, actor=TESTER, limit=6)
        places.append(external_ids(sample[who], answer).index(named[title]))
    assert sum(place < 3 for place in places) == len(ASKED), places
    assert sum(1 / (1 + place) for place in places) / len(places) >= 0.74, places


@pytest.mark.locomo
def test_a_dialogue_answers_its_questions(locomo: Path, db: None) -> None:
    """Recall over the turns of one dialogue, measured .729; docs/search.md has what all of them give."""
    who = "locomo-26"
    everything = (locomo / "conversations.jsonl").read_bytes().splitlines(keepends=True)
    lines = [line for line in everything if json.loads(line)["user"]["firebase_uid"] == who]
    FileImport(actor=TESTER, strict=True).run(BytesIO(b"".join(lines)))
    user_id = find_person(who)
    build_all(user_id)
    with as_user(user_id):
        memory = {ids[0]: row_id for row_id, ids in Memory.objects.of(user_id).values_list("pk", "message_ids")}
        shares = []
        for question in map(json.loads, (locomo / "questions.jsonl").read_text().splitlines()):
            evidence = {memory[each] for each in question["evidence"] if each in memory}
            if question["user"] != who or question["category"] == "adversarial" or not evidence or len(shares) == 60:
                continue
            asker = read_asker(user_id, question["question"])
            found, ranking, _ = rank(understood(asker, question["question"]), asker)
            first = {found.memory(at) for at in ranking.passages.best(10).tolist()}
            shares.append(len(evidence & first) / len(evidence))
    assert len(shares) == 60
    assert sum(shares) / len(shares) >= 0.72
