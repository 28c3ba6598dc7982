"""Fit how scores become probabilities, and measure that.

    python -m benchmarks.calibration --fit FOLDER ... [--measure FOLDER ...] [--chart FILE] [--json]

Folders as for benchmarks.retrieval. The coefficients in stories/search/scoring.py are fitted on the bundled sample,
with the questions in benchmarks/calibration/questions.tsv, and on the sets of --fit; give only those whose licence
allows it. Every question is asked of its person, and as many others' questions are asked of them too. A set whose
questions have `asked_at` holds next turns in place of questions: only its strangers' count.

Printed: the coefficients; and, by those in stories/search/scoring.py, for every set how well the best probability
tells a person's own questions from another's (area under the ROC curve), and how reliable probabilities are.
"""

from __future__ import annotations

import argparse
import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.fitting import Observed, area_under_curve, calibration_error, fit, reliability
from benchmarks.harness import show, throw_away_database
from benchmarks.retrieval.sets import SEED, QuestionSet, person_of, read_set

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "memories" / "sample" / "conversations.jsonl"
TOP = 10
OWN, STRANGERS = 1.0, 0.5
"""What the questions of a set count: people ask of their own memory more than of what is not there."""
NOBODY = "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", nargs="+", type=Path, required=True, help="sets that are fitted on")
    parser.add_argument("--measure", nargs="*", type=Path, default=[], help="sets that are measured alone")
    parser.add_argument("--chart", type=Path, help="draw a reliability diagram (PNG)")
    options = parser.parse_args()
    fitted = [sample_set(), *map(read_set, options.fit)]
    measured = list(map(read_set, options.measure))
    with throw_away_database():
        observed = {each.name: observe(each, fitted) for each in fitted}
        observed |= {each.name: observe(each, [*fitted, *measured]) for each in measured}
        groups = [group for each in fitted for group in weighed(observed[each.name])]
        found = {name: figures(each) for name, each in observed.items()}
        show(
            {
                "OFFLINE": fit(groups, [0, 1, 2]),
                "BY_WORDS": fit(groups, [1, 2]),
                "fitted on": [each.name for each in fitted],
                "sets": found,
            }
        )
    if options.chart:
        from benchmarks.calibration.chart import draw

        draw({name: each["reliability"] for name, each in found.items() if "reliability" in each}, options.chart)


def sample_set() -> QuestionSet:
    """Return the bundled sample; its message ids, which are unique in a conversation only, made unique."""
    lines = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    of: dict[str, list[str]] = {}
    for line in lines:
        conversation = line["conversation"]["id"]
        of.setdefault(line["user"]["firebase_uid"].removeprefix("sample-"), []).append(conversation)
        line["user"] = {"firebase_uid": person_of("sample", line["user"]["firebase_uid"].removeprefix("sample-"))}
        for message in line["messages"]:
            message["id"] = f"{conversation}:{message['id']}"
    questions = []
    for row in (HERE / "questions.tsv").read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            person, number, messages, text = row.split("\t")
            ids = [f"{of[person][int(number) - 1]}:{each}" for each in messages.split(",")] if number else []
            questions.append({"user": person, "question": text, "evidence": ids})
    return QuestionSet("sample", lines, questions)


def observe(questions: QuestionSet, others: list[QuestionSet]) -> list[Observed]:
    """Import a set, index it, and ask each of its people their own questions and as many of others."""
    from accounts.people.services.people import find_person
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from memories.models import Memory
    from stories.index.services import index_pending
    from vibe.core.db.scopes import as_user

    actor, chance = Actor.system("benchmark"), random.Random(SEED)
    FileImport(actor=actor, strict=True).run(BytesIO("\n".join(map(json.dumps, questions.lines)).encode()))
    found: list[Observed] = []
    for name in sorted({each["user"] for each in questions.questions} - {NOBODY}):
        user_id = find_person(person_of(questions.name, name))
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        with as_user(user_id):
            memory = {ids[0]: row_id for ids, row_id in Memory.objects.of(user_id).values_list("message_ids", "pk")}
        own = [each for each in questions.questions if each["user"] == name]
        if not any(each.get("asked_at") for each in own):
            for each in own:
                if evidence := {memory[of] for of in each["evidence"] if of in memory}:
                    found.append(ask(user_id, each["question"], evidence))
        pool = strangers(questions, name, others)
        found += [ask(user_id, text, set()) for text in chance.sample(pool, min(len(own), len(pool)))]
    return found


def strangers(questions: QuestionSet, name: str, others: list[QuestionSet]) -> list[str]:
    """Return what other people of the set ask; where there are none, those of sets with other contents."""
    of_the_set = [each["question"] for each in questions.questions if each["user"] != name]
    family = questions.name.partition("-")[0]
    elsewhere = [each for each in others if each.name.partition("-")[0] != family]
    return of_the_set or [each["question"] for other in elsewhere for each in other.questions]


def ask(user_id: Any, text: str, evidence: set[Any]) -> Observed:
    """Rank for one question, and note the features of the best memories."""
    from stories.search.asking import read_asker, understood
    from stories.search.services import rank, ranker_for, wanted_by
    from vibe.core.db.scopes import as_user

    with as_user(user_id):
        asker = read_asker(user_id, text)
        asked = understood(asker, text)
        found, ranking, _ = rank(asked, asker)
    features = ranker_for(found, list(wanted_by(asked, asker).asked)).features(found.passages, ranking.passages)
    best: dict[Any, int] = {}
    for at in ranking.passages.best().tolist():
        if len(best) < TOP:
            best.setdefault(found.memory(at), at)
    return Observed(bool(evidence), features[list(best.values())], np.array([each in evidence for each in best]) * 1.0)


def weighed(observed: list[Observed]) -> list[tuple[float, list[Observed]]]:
    """Return the two groups of a set, each with what it counts."""
    groups = ((OWN, [each for each in observed if each.own]), (STRANGERS, [each for each in observed if not each.own]))
    return [(weight, group) for weight, group in groups if group]


def figures(observed: list[Observed]) -> dict[str, Any]:
    """Return how good the probabilities of stories/search/scoring.py are on a set."""
    from stories.search.scoring import OFFLINE

    best = {own: [float(OFFLINE.probability(each.features).max()) for each in observed if each.own == own]
            for own in (True, False)}  # fmt: skip
    found = {"questions": len(best[True]), "strangers": len(best[False])}
    of_strangers = {"strangers' best, 90th percentile": float(np.percentile(best[False], 90))}
    if not best[True]:
        return {**found, **of_strangers}
    own = [each for each in observed if each.own]
    table = reliability(
        np.concatenate([OFFLINE.probability(each.features) for each in own]),
        np.concatenate([each.answers for each in own]),
    )
    return {
        **found,
        "own against strangers": area_under_curve(np.array(best[True]), np.array(best[False])),
        "own best, median": float(np.median(best[True])),
        **of_strangers,
        "calibration_error": calibration_error(table),
        "reliability": table,
    }


if __name__ == "__main__":
    main()
