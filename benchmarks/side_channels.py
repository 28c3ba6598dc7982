"""Whether the time of a search tells that *others* have something near the question.

    python -m benchmarks.side_channels [--questions 200] [--tries 3]

Everybody is in the one graph. Near half of the questions others have hundreds of passages, under their own rotations,
as the product stores them; near the other half nobody has. A classifier is given Ada's latencies only: the best of a
few statistics and its direction are chosen on one half of the questions and judged on the other, then the halves are
exchanged. The control is the same walk through one graph of vectors as the model made them, with a filter: what lies
near is others' then, so the walk must go on.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks.crowd import Person, Space, build_indexes, draw_words, drop_indexes, fill, make_room
from benchmarks.harness import show, throw_away_database
from benchmarks.search_scale import exact, ours, plain
from vibe.core.db.configured import embedded_server

OWN, OTHERS, CLOSE = 30_000, 9, 0.97
COPIES = 400
"""Passages of others near a question: as many as the graph is walked to at first (stories.search.graph.EF_SEARCH)."""
STATISTICS = {"least": np.min, "median": np.median, "mean": np.mean, "most": np.max}
WAYS = {"ours": ours, "exact": exact, "uncloaked": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200, help="of each kind")
    parser.add_argument("--tries", type=int, default=3, help="of each question in each way")
    options = parser.parse_args()
    with throw_away_database():
        show(measure(options.questions, options.tries))


def measure(questions: int, tries: int) -> dict[str, Any]:
    space, chance = Space(3), np.random.default_rng(4)
    asked = space.messages(2 * questions)
    near = chance.permutation(np.arange(2 * questions) < questions)
    ada, rows = furnished(space, asked[near])
    times = {way: np.zeros((len(asked), tries)) for way in WAYS}
    for attempt in range(-1, tries):  # the first round warms up
        for number in chance.permutation(len(asked)):
            for way in chance.permutation(list(WAYS)):
                seconds, _ = WAYS[way](ada, asked[number])
                times[way][number, max(attempt, 0)] = seconds
    return {
        "passages": rows,
        "own_share": OWN / rows,
        "questions_of_each_kind": questions,
        "tries": tries,
        **{way: judged(times[way], near, chance) for way in WAYS},
    }


def furnished(space: Space, near: Any) -> tuple[Person, int]:
    """Ada, and others who hold passages near these questions. How many passages there are."""

    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor

    rng = np.random.default_rng(5)
    others = np.array([space.like(near[at], CLOSE) for at in rng.permutation(COPIES * len(near)) % len(near)])
    with embedded_server().connect() as server:
        make_room(server)
        dropped = drop_indexes(server)
        people = []
        for number, vectors in enumerate([space.messages(OWN), *np.array_split(others, OTHERS)]):
            user_id = ensure_person(profile=Profile(firebase_uid=f"side-{number}"), actor=Actor.system("benchmark"))
            people.append(Person(user_id, len(vectors), in_graph=True))
            fill(server, people[-1], vectors, draw_words(rng, len(vectors)))
        build_indexes(server, dropped)
    return people[0], OWN + len(others)


def judged(times: Any, near: Any, chance: Any) -> dict[str, Any]:
    """The classifier: chosen on one half of the questions, judged on the other; then the other way round."""
    order = chance.permutation(len(near))
    halves = [order[::2], order[1::2]]
    folds = [classified(times, near, *each) for each in (halves, halves[::-1])]
    return {
        "auc": float(np.mean([fold["auc"] for fold in folds])),
        "folds": folds,
        "median_ms": {
            "near": float(1000 * np.median(times[near])),
            "not_near": float(1000 * np.median(times[~near])),
        },
    }


def classified(times: Any, near: Any, train: Any, test: Any) -> dict[str, Any]:
    """The statistic and the direction that tell most on `train`, and what they tell on `test`."""
    scores = {name: statistic(times, axis=1) for name, statistic in STATISTICS.items()}
    best = max(scores, key=lambda name: abs(auc(scores[name][train], near[train]) - 0.5))
    direction = 1 if auc(scores[best][train], near[train]) >= 0.5 else -1
    return {
        "auc": auc(direction * scores[best][test], near[test]),
        "auc_in_training": auc(direction * scores[best][train], near[train]),
        "by": best,
    }


def auc(scores: Any, positive: Any) -> float:
    """The area under the ROC curve, by ranks (Mann-Whitney); ties count half."""
    _, at, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]
    many, few = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


if __name__ == "__main__":
    main()
