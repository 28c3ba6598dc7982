"""How much of what bears on a message a context holds, beside search's results in as many tokens; and what it costs.

    python -m benchmarks.context [FOLDER] [--sample N] [--memories N] [--rounds N] [--json]

FOLDER is a set as `benchmarks.retrieval` takes it, with an assistant's long answers, such as RealMem. A person's
conversations are brought in order, and each question is asked when only what was said before it is there. What bears of
a message that is evidence is its sentence that shares most with the right answer, by BM25 over the sentences of the
evidence; the context never sees the answer. `bearing` is the share of the evidence messages of which that sentence is
in the context, `any` of which any sentence is. Search's results are poured whole, best first, each with its day and
author, until as many tokens are full, the last one cut. Tokens are by the same estimate.

The time is that of the verbs, a context and a search of memories in turns, for a person with so many memories,
and 500 facts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from tqdm import tqdm

from benchmarks.harness import show, throw_away_database
from benchmarks.retrieval.sets import QuestionSet, person_of, read_set

TOKENS = 1_500
MOST_RESULTS = 100
WARM = 5
FACTS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="a set of questions; without it the cost alone")
    parser.add_argument("--sample", type=int, help="questions of the set; all without")
    parser.add_argument("--memories", type=int, default=10_000, help="of the person whose contexts are timed")
    parser.add_argument("--rounds", type=int, default=200, help="contexts and searches that are timed; 0 for none")
    parser.add_argument("--json", action="store_true", help="JSON alone, without progress")
    options = parser.parse_args()
    with throw_away_database():
        result: dict[str, Any] = {}
        if options.folder:
            result["evidence"] = held(read_set(options.folder, options.sample), quiet=options.json)
        if options.rounds:
            result["milliseconds"] = cost(options.memories, options.rounds)
        show(result)


def held(questions: QuestionSet, *, quiet: bool) -> dict[str, Any]:
    """Bring a set and ask its questions; return which share of the evidence each way shows."""
    shares: dict[str, list[bool]] = defaultdict(list)
    people = sorted({each["user"] for each in questions.questions})
    with tqdm(total=len(questions.questions), unit="questions", disable=quiet) as bar:
        for user in people:
            person = person_of(questions.name, user)
            lines = [line for line in questions.lines if line["user"]["firebase_uid"] == person]
            texts = {message["id"]: message["text"] for line in lines for message in line["messages"]}
            asked = [each for each in questions.questions if each["user"] == user]
            for question in sorted(asked, key=asked_at):
                now = [line for line in lines if line["messages"][0]["sent_at"] < asked_at(question)]
                lines = [line for line in lines if line not in now]
                bring(person, now)
                evidence = [texts[each] for each in question["evidence"] if each in texts]
                shown = {name: plain(text) for name, text in ways(person, question).items()}
                for sentences, bears in bearing(evidence, question["answer"]):
                    for name, text in shown.items():
                        shares[f"{name}: bearing"].append(bears in text)
                        shares[f"{name}: any"].append(any(each in text for each in sentences))
                bar.update()
    means = {name: float(np.mean(values)) for name, values in shares.items()}
    ratios = {
        f"context / search: {kind}": means[f"context: {kind}"] / max(means[f"search: {kind}"], 1e-9)
        for kind in ("bearing", "any")
    }
    return {"evidence_messages": len(shares["context: any"]), **means, **ratios}


def asked_at(question: dict[str, Any]) -> str:
    """Return when a question is asked; after everything where that does not matter."""
    return question.get("asked_at") or "9"


def plain(text: str) -> str:
    """Return a text with its white space one sign wide: how it is laid out does not matter."""
    return " ".join(text.split())


def bring(person: str, lines: list[dict[str, Any]]) -> None:
    """Import conversations, index them, and build their stories."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from stories.building.services.build import try_building
    from stories.index.services import index_pending
    from stories.management.commands.build_stories import unbuilt

    if lines:
        actor = Actor.system("benchmark")
        FileImport(actor=actor, strict=True).run(BytesIO("\n".join(map(json.dumps, lines)).encode()))
        user_id = find_person(person)
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        for story_id in unbuilt(user_id):
            try_building(user_id, story_id, actor=actor)


def ways(person: str, question: dict[str, Any]) -> dict[str, str]:
    """Return what each way shows for a question."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from stories.context.budget import Budget
    from stories.context.services import Wanted, build_context
    from stories.search.services import search_memories

    budget, actor = Budget(TOKENS), Actor.system("benchmark")
    user_id = find_person(person)
    moment = datetime.fromisoformat(question["asked_at"]) if question.get("asked_at") else None
    context = build_context(
        user_id=user_id,
        actor=actor,
        wanted=Wanted(message=question["question"], budget=budget, format="text", asked_at=moment),
    )
    assert context.tokens <= TOKENS
    found = search_memories(
        user_id=user_id, actor=actor, question=question["question"], asked_at=moment, limit=MOST_RESULTS
    )
    poured = "\n".join(f"{each.occurred_at:%Y-%m-%d} {each.author}: {each.text}" for each in found.memories)
    return {"context": context.text or "", "search": poured.encode()[: budget.total].decode(errors="ignore")}


def bearing(evidence: list[str], answer: str) -> list[tuple[list[str], str]]:
    """Return the sentences of each message that is evidence, and the one that shares most with the answer."""
    from stories.context.snippets import Sentences, weights_of
    from stories.text.words import asked_words

    texts = [Sentences.of(each, frozenset(asked_words(answer))) for each in evidence]
    weight = weights_of(texts)
    scored = [[sum(map(weight, words)) for words in each.words] for each in texts]
    return [
        ([plain(sentence) for sentence in each.texts], plain(each.texts[int(np.argmax(scores))]))
        for each, scores in zip(texts, scored, strict=True)
    ]


def cost(memories: int, rounds: int) -> dict[str, Any]:
    """Return the times of a context and of a search, in turns, for a person with so many memories."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from benchmarks.live.texts import conversation, said
    from memories.models import Conversation
    from stories.context.services import Wanted, build_context
    from stories.search.services import search_memories
    from vibe.core.db.scopes import as_user

    actor, source = Actor.system("benchmark"), said(None)
    texts = [next(source) for _ in range(memories)]
    bring("busy", conversation("busy", "one", texts))
    user_id = find_person("busy")
    state_facts(user_id)
    with as_user(user_id):
        conversation_id = Conversation.objects.of(user_id).values_list("pk", flat=True).get()
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(-WARM, rounds):
        message = texts[(number * 37) % len(texts)][1]
        for name in ("search", "context") if number % 2 else ("context", "search"):
            started = time.perf_counter()
            if name == "search":
                search_memories(user_id=user_id, question=message, actor=actor)
            else:
                wanted = Wanted(message=message, conversation_id=conversation_id)
                build_context(user_id=user_id, wanted=wanted, actor=actor)
            if number >= 0:
                times[name].append(1_000 * (time.perf_counter() - started))
    found = {f"{name}_p{at}": float(np.percentile(each, at)) for name, each in times.items() for at in (50, 95)}
    return {
        "memories": memories,
        "facts": FACTS,
        **found,
        "context / search: p95": found["context_p95"] / found["search_p95"],
    }


def state_facts(user_id: UUID) -> None:
    """Let so many FACTS be known of a person, of every attribute, whatever rules would have read in the memories."""
    from accounts.keys.services.data_keys import open_vault
    from memories.models import Memory
    from stories.facts.attributes import ATTRIBUTES
    from stories.facts.statements import Statement
    from stories.facts.storing import insert_statements
    from vibe.core.db.scopes import as_user

    names = sorted(ATTRIBUTES)
    with as_user(user_id):
        memories = list(Memory.objects.of(user_id).values_list("pk", flat=True)[:FACTS])
        stated = [Statement("", names[at % len(names)], f"the blue one of number {at}") for at in range(len(memories))]
        insert_statements(user_id, open_vault(), list(zip(memories, stated, strict=True)))


if __name__ == "__main__":
    main()
