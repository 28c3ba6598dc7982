"""What filters cost in lists and in search, by how much a person has said.

    python -m benchmarks.filters [--sizes 10000,100000] [--rounds 20]

Each filter lists a page of twenty (`POST /memories/filter`) and narrows a search (`POST /memories/search`), the same
ones for each person: of times, of authors and metadata that half of all memories have, that one of a thousand has, or
that none has. Milliseconds of the processor, client and database together, the mean of some rounds in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.crowd import START, Person, Space, draw_words, fill, make_room
from benchmarks.harness import processor_time, show, throw_away_database

PAGE = 20
RARE = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="memories of each person, with commas between")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with throw_away_database():
        people = make_people([int(each) for each in options.sizes.split(",")])
        show({str(person.size): milliseconds(person, options.rounds) for person in people})


def make_people(sizes: list[int]) -> list[Person]:
    """One of each size: every second memory is Ada's and tagged "common", one of RARE is Noor's and tagged "rare"."""
    from accounts.keys.services.data_keys import open_vault
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from stories.text.passages import metadata_tokens, speaker_token
    from vibe.core.db.configured import embedded_server
    from vibe.core.db.scopes import as_user

    space, rng, people = Space(1), np.random.default_rng(2), []
    with embedded_server().connect() as server:
        make_room(server)
        for size in sizes:
            user_id = ensure_person(profile=Profile(firebase_uid=f"said-{size}"), actor=Actor.system("benchmark"))
            person = Person(user_id, size, in_graph=False)
            fill(server, person, space.messages(size), draw_words(rng, size), plain=False)
            with as_user(user_id):
                vault = open_vault()
            for every, author, tag in ((2, "Noor", "common"), (RARE, "Ines", "rare")):
                server.execute(
                    "UPDATE passages SET speaker = %s, metadata_index = %s FROM (SELECT id, row_number() OVER "
                    "(ORDER BY occurred_at) AS place FROM passages WHERE user_id = %s) AS numbered "
                    "WHERE passages.id = numbered.id AND place %% %s = 0",
                    [speaker_token(vault, author), metadata_tokens(vault, {"tag": tag}), user_id, every],
                )
            people.append(person)
        server.execute("VACUUM FULL passages")
        server.execute("VACUUM ANALYZE")
        server.execute("CHECKPOINT")
    return people


def ways(person: Person) -> dict[str, Any]:
    """What each filter is given."""
    from datetime import timedelta

    middle = START + timedelta(hours=person.size // 2)
    return {
        "none": {},
        "a week, long ago": {"since": middle, "until": middle + timedelta(days=7)},
        "author of half": {"authors": ["Noor"]},
        "author of one in 1,000": {"authors": ["Ines"]},
        "author of none": {"authors": ["Nobody"]},
        "metadata of half": {"metadata": {"tag": "common"}},
        "metadata of one in 1,000": {"metadata": {"tag": "rare"}},
        "metadata of none": {"metadata": {"tag": "no such"}},
    }


def milliseconds(person: Person, rounds: int) -> dict[str, dict[str, float]]:
    """Of each filter, in a list and in a search."""
    from audit.actors import Actor
    from stories.filtering.services import filter_memories
    from stories.search.filters import Filters
    from stories.search.services import search_memories

    actor = Actor.system("benchmark")

    def listed(filters: Filters) -> Any:
        return filter_memories(user_id=person.id, actor=actor, filters=filters, limit=PAGE)

    def searched(filters: Filters) -> Any:
        return search_memories(user_id=person.id, actor=actor, question="w1 w20 w300", filters=filters, limit=PAGE)

    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name, given in ways(person).items():
        filters = Filters(**given)
        calls[name, "list"] = lambda filters=filters: listed(filters)  # type: ignore[misc]
        calls[name, "search"] = lambda filters=filters: searched(filters)  # type: ignore[misc]
    for call in calls.values():  # once unmeasured: models, caches
        call()
    taken = dict.fromkeys(calls, 0.0)
    for _ in range(rounds):
        for name, call in calls.items():
            started = processor_time()
            call()
            taken[name] += processor_time() - started
    told: dict[str, dict[str, float]] = {}
    for (name, what), seconds in taken.items():
        told.setdefault(name, {})[what] = 1000 * seconds / rounds
    return told


if __name__ == "__main__":
    main()
