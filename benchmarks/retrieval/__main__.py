"""How well search finds, on the real path: sealed, blind, cloaked, through row-level security.

    python -m benchmarks.retrieval FOLDER [FOLDER ...] [--sample N] [--chart FILE] [--json]

Each folder is a set: `conversations.jsonl` in the import format (docs/import.md) and `questions.jsonl`, each line with
`user`, `question`, `evidence` (ids of messages), `category`, and `asked_at` where only what was said before counts.
Questions of the category `adversarial` are left out. Recall@k is the share of a question's evidence messages (or of the
stories that hold them) among the first k found. Beside it stand simple ways over the same messages in clear: BM25 over
all and over the person's own, the embedder alone, and the first and the third by halves; with 95 % intervals of R@10,
and of what search is ahead by. `--sample` asks so many questions of each set, the same each time.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.harness import show, throw_away_database
from benchmarks.retrieval.chart import COMPARED, draw
from benchmarks.retrieval.figures import STORY_CUTS, TURN_CUTS, Figures
from benchmarks.retrieval.sets import QuestionSet, person_of, read_set
from benchmarks.retrieval.simple import SimpleSearch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, help="questions of each set; all without")
    parser.add_argument("--chart", type=Path, help="draw recall of all sets (PNG)")
    parser.add_argument("--json", action="store_true", help="JSON alone, without progress")
    options = parser.parse_args()
    sets = [read_set(folder, options.sample) for folder in options.folders]
    with throw_away_database():
        found = {each.name: measure(each, quiet=options.json) for each in sets}
    show(found)
    if options.chart:
        draw(found, options.chart)


def measure(questions: QuestionSet, *, quiet: bool) -> dict[str, Any]:
    """Import a set, index it, ask."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from stories.index.services import index_pending

    actor = Actor.system("benchmark")
    FileImport(actor=actor, strict=True).run(BytesIO("\n".join(map(json.dumps, questions.lines)).encode()))
    names = sorted({each["user"] for each in questions.questions})
    people: dict[str, Person] = {}
    for name in tqdm(names, unit="people", disable=quiet):
        user_id = find_person(person_of(questions.name, name))
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        people[name] = Person(user_id)
    turns, stories = Figures(TURN_CUTS), Figures(STORY_CUTS)
    simple: dict[str, Figures] = {}
    for question in tqdm(questions.questions, unit="questions", disable=quiet):
        ask(people[question["user"]], question, turns, stories, simple)
    return {
        "turns": {**turns.summary(), "interval": turns.interval(COMPARED)},
        "stories": stories.summary(),
        "beside": {
            name: {**each.summary(), "interval": each.interval(COMPARED), "behind_by": turns.interval(COMPARED, each)}
            for name, each in simple.items()
        },
    }


class Person:
    """One person's names for things: which message is which memory, which story holds it."""

    def __init__(self, user_id: Any) -> None:
        from memories.models import Memory
        from stories.models import Passage
        from vibe.core.db.scopes import as_user

        self.id, self.simple = user_id, SimpleSearch(user_id)
        with as_user(self.id):
            rows = list(Memory.objects.of(self.id).values_list("message_ids", "pk"))
            stories = dict(Passage.objects.of(self.id).values_list("memory_id", "story_id"))
        self.memory = {ids[0]: row_id for ids, row_id in rows}
        self.story = {ids[0]: stories[row_id] for ids, row_id in rows}


def ask(person: Person, question: dict[str, Any], turns: Figures, stories: Figures, simple: dict[str, Figures]) -> None:
    """Rank for one question and note where its evidence came."""
    from stories.search.asking import read_asker, understood
    from stories.search.filters import Filters
    from stories.search.services import rank
    from vibe.core.db.scopes import as_user

    evidence = [each for each in question["evidence"] if each in person.memory]
    if not evidence:
        return
    text, category = question["question"], question["category"]
    asked_at = datetime.fromisoformat(question["asked_at"]) if question.get("asked_at") else None
    filters = Filters(until=asked_at - timedelta(microseconds=1)) if asked_at else None
    with as_user(person.id):
        asker = read_asker(person.id, text)
        found, ranking, _ = rank(understood(asker, text, asked_at), asker, filters=filters)
    place_of = {story: at for at, story in enumerate(found.passages.story.tolist())}
    wanted = {person.memory[each] for each in evidence}
    order = dict.fromkeys(found.memory(at) for at in ranking.passages.best().tolist())
    turns.add(category, list(order)[: max(TURN_CUTS)], wanted)
    stories.add(
        category,
        [found.story(place_of[int(ranking.story[at])]) for at in ranking.stories.best(max(STORY_CUTS))],
        {person.story[each] for each in evidence},
    )
    for name, best in person.simple.search(text, asked_at, max(TURN_CUTS)).items():
        simple.setdefault(name, Figures(TURN_CUTS)).add(category, best, wanted)


if __name__ == "__main__":
    main()
