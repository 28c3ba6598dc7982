"""How fast search is, by the size of a person's set, among a crowd.

    python -m benchmarks.search_scale [--people N --passages M] [--exact-up-to S] [--json]

For each bucket of sizes three ways to the nearest passages, in the same run, each question in each way, the better of
two tries: exact inside the person's rows; a shared HNSW index of vectors as the model made them, filtered, with
iterative scan; and the product's own: exact or by the graph of rotated vectors, as the person's count says. `recall` is
that of its ten nearest. Then the whole search, against the time its statements take by themselves, in two states:
`first_search_`, each person's first question, with their rotation to be drawn and rows nobody read since they were
written; and `search_`, when each person measured has asked before. Up to 40 people of a bucket, spread over its sizes,
whatever the size of the crowd: `passages` is the median of what they have. Where they are few, each stands alone too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.crowd import Person, make_crowd, vector_alone
from benchmarks.harness import show, throw_away_database

BUCKETS = ((0, 50), (50, 100), (100, 300), (300, 1_000), (1_000, 10_000), (10_000, 10**9))
QUESTIONS, TRIES, TOP = 40, 2, 10
FEW = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--exact-up-to", type=int, help="instead of SEARCH_EXACT_UP_TO")
    parser.add_argument("--json", action="store_true", help="JSON alone, without progress")
    options = parser.parse_args()
    with throw_away_database():
        from django.conf import settings

        if options.exact_up_to is not None:
            settings.SEARCH_EXACT_UP_TO = options.exact_up_to
        crowd = make_crowd(
            options.people,
            options.passages,
            questions=QUESTIONS,
            exact_up_to=settings.SEARCH_EXACT_UP_TO,
            quiet=options.json,
        )
        knows_the_vectors(crowd)
        warm_up(crowd[-1])
        show(
            {
                "people": len(crowd),
                "passages": sum(person.size for person in crowd),
                "exact_up_to": settings.SEARCH_EXACT_UP_TO,
                "buckets": [measured for low, high in BUCKETS if (measured := bucket(crowd, low, high))],
            }
        )


def knows_the_vectors(crowd: list[Person]) -> None:
    """Let the embedder work as always, and then answer with the vector that was made up for the question."""
    from stories.processors.configured import embed
    from stories.search import asking

    known = {text: vector for person in crowd for text, vector in person.questions}

    def answer(texts: list[str], model: Any) -> Any:
        embed(texts, model)
        return np.array([known[text] for text in texts])

    asking.embed = answer


def warm_up(person: Person) -> None:
    """Load the model, connect; and forget the rotations that were drawn when the crowd was made."""
    from vibe.core.crypto import vault

    for number in range(3):
        search(person, question(person, number))
    vault._cloak.cache_clear()


def bucket(crowd: list[Person], low: int, high: int) -> dict[str, Any] | None:
    """The figures of people whose sets have from `low` up to below `high` passages."""
    inside = [person for person in crowd if low <= person.size < high]
    if not inside:
        return None
    spread = [inside[int(at)] for at in np.linspace(0, len(inside) - 1, min(QUESTIONS, len(inside)))]
    asked = [(spread[at % len(spread)], at // len(spread)) for at in range(QUESTIONS)]
    first, first_statements = zip(*(search(person, question(person, 0)) for person in spread), strict=True)
    ways = {"ours": ours, "exact": exact, "plain": plain}
    times: dict[str, list[float]] = {way: [] for way in ways}
    recalls: dict[str, list[float]] = {way: [] for way in ways}
    for person, number in asked:
        _, vector = person.questions[number % len(person.questions)]
        best = dict.fromkeys(ways, float("inf"))
        found: dict[str, list[Any]] = {}
        for turn in range(TRIES):
            for way in in_turn(turn):
                seconds, found[way] = ways[way](person, vector)
                best[way] = min(best[way], seconds)
        for way in ways:
            times[way].append(best[way])
            truth = set(found["exact"][:TOP])
            recalls[way].append(len(truth & set(found[way][:TOP])) / len(truth))
    for person in spread:  # or some were and some were not read by the ways above
        search(person, question(person, -1))
    whole, statements = zip(*(search(person, question(person, number)) for person, number in asked), strict=True)
    return {
        "size": f"{low}-{high}" if high < 10**9 else f">{low}",
        "people": len(inside),
        "asked": len(spread),
        "passages": int(np.median([person.size for person, _ in asked])),
        "strategy": "hnsw" if sum(person.in_graph for person in inside) * 2 > len(inside) else "exact",
        "recall": float(np.mean(recalls["ours"])),
        **percentiles("", times["ours"]),
        **percentiles("exact_", times["exact"]),
        **percentiles("plain_hnsw_", times["plain"]),
        "plain_hnsw_recall": float(np.mean(recalls["plain"])),
        **percentiles("search_", whole),
        **percentiles("search_sql_", statements),
        **percentiles("first_search_", first),
        **percentiles("first_search_sql_", first_statements),
        "search_to_sql": float(np.percentile(whole, 95) / np.percentile(statements, 95)),
        **({"by_person": by_person(asked, whole)} if len(spread) <= FEW else {}),
    }


def in_turn(turn: int) -> tuple[str, str, str]:
    """Ours and the exact way come first by turns: whoever comes second finds the person's rows in the cache."""
    return ("ours", "exact", "plain") if turn % 2 else ("exact", "ours", "plain")


def by_person(asked: list[tuple[Person, int]], seconds: Sequence[float]) -> list[dict[str, Any]]:
    """The whole search of each: in two crowds the largest sets differ, and only those of like size compare."""
    of: dict[int, list[float]] = {}
    for (person, _), spent in zip(asked, seconds, strict=True):
        of.setdefault(person.size, []).append(spent)
    return [{"passages": size, **percentiles("search_", spent)} for size, spent in sorted(of.items())]


def question(person: Person, number: int) -> str:
    """The text of one of the person's questions."""
    return person.questions[number % len(person.questions)][0]


def percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    return {f"{name}p{cut}_ms": float(np.percentile(seconds, cut) * 1000) for cut in (50, 95)}


def ours(person: Person, vector: Any) -> tuple[float, list[Any]]:
    """As stories.search.services chooses."""
    if not person.in_graph:
        return exact(person, vector)
    from stories.search.graph import NEAREST, nearest

    return timed(person, vector, lambda cloaked: nearest(person.id, vector_alone(cloaked), None, NEAREST))


PLAIN = "SELECT id FROM plain_passages WHERE user_id = %s ORDER BY embedding <=> %s::halfvec LIMIT %s"
STEERED = "SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {ef}; SET LOCAL enable_sort = off"


def exact(person: Person, vector: Any) -> tuple[float, list[Any]]:
    """Every one of the person's rows, sorted."""
    from stories.search.graph import NEAREST, nearest_of_all

    return timed(person, vector, lambda cloaked: nearest_of_all(person.id, vector_alone(cloaked), None, NEAREST))


def plain(person: Person, vector: Any) -> tuple[float, list[Any]]:
    """The usual way: one index over everybody's vectors, as they are, and a filter. Gives places, to be compared."""
    from stories.search.graph import EF_SEARCH, NEAREST

    text = str(vector.tolist())
    seconds, ids = timed(person, None, lambda _: rows(STEERED.format(ef=EF_SEARCH), PLAIN, [person.id, text, NEAREST]))
    with_places = rows_of(person, "SELECT memory_id, id, story_id FROM passages WHERE memory_id = ANY(%s)",
                          [[row[0] for row in ids]])  # fmt: skip
    places = {memory: (passage, story) for memory, passage, story in with_places}
    return seconds, [places[row[0]] for row in ids]


def timed(person: Person, vector: Any, run: Callable[[Any], list[Any]]) -> tuple[float, list[Any]]:
    """How long the vector stage takes, by itself, in the person's scope."""
    from accounts.keys.services.data_keys import open_vault
    from stories.text.passages import cloaked
    from vibe.core.db.scopes import as_user

    with as_user(person.id):
        given = cloaked(open_vault(), vector[None])[0] if vector is not None else None
        start = time.perf_counter()
        found = run(given)
        return time.perf_counter() - start, list(found)


def rows(steering: str, statement: str, parameters: list[Any]) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        if steering:
            cursor.execute(steering)
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def rows_of(person: Person, statement: str, parameters: list[Any]) -> list[Any]:
    from vibe.core.db.scopes import as_user

    with as_user(person.id):
        return rows("", statement, parameters)


def search(person: Person, text: str) -> tuple[float, float]:
    """The whole search, and how much of it was spent waiting for statements, the commit included."""
    import psycopg

    from audit.actors import Actor
    from stories.search.services import search_stories

    spent, wait = [0.0], psycopg.Connection.wait

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return wait(self, *arguments, **options)
        finally:
            spent[0] += time.perf_counter() - start

    psycopg.Connection.wait = watched  # type: ignore[method-assign]
    try:
        start = time.perf_counter()
        search_stories(user_id=person.id, question=text, actor=Actor.system("benchmark"))
        return time.perf_counter() - start, spent[0]
    finally:
        psycopg.Connection.wait = wait  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
