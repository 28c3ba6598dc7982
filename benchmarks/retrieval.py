"""How well search finds, on the real path: sealed, blind, cloaked, through row-level security.

    python -m benchmarks.retrieval CONVERSATIONS QUESTIONS [--json] [--plain]

Both files as in docs/import.md and docs/search.md. Questions of the category `adversarial` are left out. Recall@k is
the share of a question's evidence messages (or of the stories that hold them) among the first k found. `--plain` also
ranks the same passages over plaintext words and plain vectors, to show what sealing costs in quality: nothing.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.harness import show, throw_away_database

TURN_CUTS, STORY_CUTS = (5, 10, 20), (1, 3, 5)


class Figures:
    """Averages over questions, in all and by category."""

    def __init__(self, cuts: Sequence[int]) -> None:
        self.cuts = cuts
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, category: str, found: Sequence[Any], evidence: set[Any]) -> None:
        places = [place for place, each in enumerate(found, start=1) if each in evidence]
        for group in ("", category):
            for cut in self.cuts:
                self.values[group][f"recall@{cut}"].append(sum(place <= cut for place in places) / len(evidence))
            self.values[group]["mrr"].append(1 / places[0] if places else 0.0)

    def summary(self) -> dict[str, Any]:
        means = {
            group: {name: sum(values) / len(values) for name, values in figures.items()}
            for group, figures in self.values.items()
        }
        return {**means.pop("", {}), "by_category": means, "questions": len(self.values[""]["mrr"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conversations")
    parser.add_argument("questions")
    parser.add_argument("--json", action="store_true", help="JSON alone, without progress")
    parser.add_argument("--plain", action="store_true", help="also over plaintext, in the same run")
    options = parser.parse_args()
    with Path(options.questions).open(encoding="utf-8") as lines:
        questions = [question for line in lines if (question := json.loads(line))["category"] != "adversarial"]
    with throw_away_database():
        show(measure(options.conversations, questions, quiet=options.json, plain=options.plain))


def measure(conversations: str, questions: Iterable[dict[str, Any]], *, quiet: bool, plain: bool) -> dict[str, Any]:
    """Import, tell, ask."""
    from accounts.models import User
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from stories.building.services.build import try_building
    from stories.index.services import index_pending
    from stories.management.commands.build_stories import unbuilt
    from vibe.core.db.scopes import as_system

    actor = Actor.system("benchmark")
    with Path(conversations).open("rb") as source:
        FileImport(actor=actor, strict=True).run(source)
    with as_system():
        everybody = list(User.objects.filter(is_staff=False).values_list("pk", flat=True))
    for user_id in tqdm(everybody, unit="people", disable=quiet):
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        for story_id in unbuilt(user_id):
            try_building(user_id, story_id, actor=actor)
    sides = {"sealed": (Figures(TURN_CUTS), Figures(STORY_CUTS))}
    if plain:
        sides["plain"] = (Figures(TURN_CUTS), Figures(STORY_CUTS))
    people: dict[str, Any] = {}
    for question in tqdm(list(questions), unit="questions", disable=quiet):
        if question["user"] not in people:
            people[question["user"]] = Person(question["user"], plain)
        person = people[question["user"]]
        for side, (turns, stories) in sides.items():
            ask(person, question, side, turns, stories)
    turns, stories = sides["sealed"]
    result = {"turns": turns.summary(), "stories": stories.summary()}
    if plain:
        turns, stories = sides["plain"]
        result["plain"] = {"turns": turns.summary(), "stories": stories.summary()}
    return result


class Person:
    """One person's names for things: which message is which memory, which story holds it."""

    def __init__(self, who: str, plain: bool) -> None:
        from accounts.people.services.people import find_person
        from memories.models import Memory
        from stories.models import Passage
        from vibe.core.db.scopes import as_user

        self.id = find_person(who)
        self.plain = PlainSet(self.id) if plain else None
        with as_user(self.id):
            rows = list(Memory.objects.of(self.id).values_list("message_ids", "pk"))
            stories = dict(Passage.objects.of(self.id).values_list("memory_id", "story_id"))
            self.memory = {ids[0]: row_id for ids, row_id in rows}
            self.story = {ids[0]: stories[row_id] for ids, row_id in rows}


def ask(person: Person, question: dict[str, Any], side: str, turns: Figures, stories: Figures) -> None:
    """Rank for one question and note where its evidence came."""
    from stories.search.asking import read_asker, understood
    from stories.search.services import rank
    from vibe.core.db.scopes import as_user

    evidence = [each for each in question["evidence"] if each in person.memory]
    if not evidence:
        return
    if side == "plain":
        found, ranking = person.plain.rank(question["question"])
    else:
        with as_user(person.id):
            asker = read_asker(person.id, question["question"])
            found, ranking, _ = rank(understood(asker, question["question"]), asker)
    place_of = {story: at for at, story in enumerate(found.passages.story.tolist())}
    turns.add(
        question["category"],
        list(dict.fromkeys(found.memory(at) for at in ranking.passages.best(2 * max(TURN_CUTS)))),
        {person.memory[each] for each in evidence},
    )
    stories.add(
        question["category"],
        [found.story(place_of[int(ranking.story[at])]) for at in ranking.stories.best(max(STORY_CUTS))],
        {person.story[each] for each in evidence},
    )


class PlainSet:
    """The same passages, never sealed: words as they are, vectors as the model made them."""

    def __init__(self, user_id: Any) -> None:
        from accounts.keys.services.data_keys import open_vault
        from memories.index import SaidMemory
        from memories.models import Memory
        from memories.payload import open_memories
        from stories.index.entries import message_of
        from stories.models import Passage
        from stories.processors.configured import embedder
        from stories.search.asking import asker_among, read_asker
        from stories.text.passages import passages
        from vibe.core.db.scopes import as_user

        self.passages, self.memories, self.stories, self.speakers, texts = [], [], [], [], []
        with as_user(user_id):
            asker = read_asker(user_id, "I")
            self.names, self.asker = asker.names, asker_among(asker.names, asker.own_name)
            story = dict(Passage.objects.of(user_id).values_list("memory_id", "story_id"))
            rows = list(Memory.objects.of(user_id).order_by("conversation_id", "occurred_at", "id"))
            before = None
            for row, memory in zip(rows, open_memories(rows, open_vault()), strict=True):
                message = message_of(SaidMemory.of(row, memory.payload))
                follows = before and before[0] == row.conversation_id
                made = passages(message, before[1] if before and follows else None)
                before = row.conversation_id, message
                self.passages += made
                texts += [passage.embedded for passage in made]
                self.memories += [row.pk.bytes] * len(made)
                self.speakers += [memory.payload.author] * len(made)
                self.stories += [story[row.pk].bytes] * len(made)
        self.counts = [Counter(passage.words) for passage in self.passages]
        self.vectors = embedder().embed(texts)

    def rank(self, text: str) -> Any:
        import numpy as np

        from stories.processors.configured import embedder
        from stories.search.candidates import Found
        from stories.search.question import understand
        from stories.search.ranking import Passages, Ranker
        from stories.text.passages import ASKS, DATES

        question = understand(text, self.names, self.asker)
        number: dict[Any, int] = {}
        given = Passages(
            story=np.array([number.setdefault(story, len(number)) for story in self.stories]),
            position=np.arange(len(self.passages)),
            counts=np.array(
                [[counts[word] for counts in self.counts] for word in question.words], dtype=np.int64
            ).reshape(len(question.words), len(self.passages)),
            lengths=np.array([passage.length for passage in self.passages]),
            similarity=(self.vectors @ embedder().embed([question.spoken])[0]).astype(np.float64),
            asking=np.array([ASKS in passage.words for passage in self.passages]),
            dated=np.array([DATES in passage.words for passage in self.passages]) if question.when else None,
            spoken=np.array([name == question.speaker for name in self.speakers]) if question.speaker else None,
        )
        asked = np.array(list(question.words.values()), dtype=np.int64)
        none_deleted = np.zeros(len(self.passages), dtype=np.bool_)
        found = Found("plain", b"".join(self.memories), b"".join(self.stories), given, none_deleted)
        return found, Ranker(asked).rank(given)


if __name__ == "__main__":
    main()
