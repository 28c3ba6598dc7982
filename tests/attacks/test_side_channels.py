"""Attack: learning of other people's rows from what a search leaves out, or from its length.

99 % of the passages are other people's, in the one graph and near the question. Every search returns exactly as many
of one's own stories as there are, up to the limit. (What the latency tells is measured: benchmarks.side_channels.)
"""

from __future__ import annotations

import numpy as np
import pytest
from django.conf import settings
from django.db import connection

from accounts.people.services.people import Profile, ensure_person
from benchmarks.crowd import STORY, Person, Space, draw_words, fill, make_room
from stories.search.services import search_stories
from tests.attacks.corpus import tries
from tests.cast import TESTER
from vibe.core.db.configured import embedded_server
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk

OWN_STORIES, QUESTIONS = tries(2, 4), tries(3, 40)
OWN = OWN_STORIES * STORY
OTHERS = 99 * OWN // tries(3, 1)


@pytest.fixture
def crowd(committed, monkeypatch):
    """Ada, and others with 99 times as much (a third of it in the short run), all of it near what Ada asks."""
    if embedded_server() is None:
        pytest.skip("rows are put in by the embedded server's superuser")
    space, rng = Space(7), np.random.default_rng(8)
    asked = [space.like(vector) for vector in space.messages(QUESTIONS)]
    near = np.stack([space.like(asked[at % QUESTIONS], 0.9) for at in range(OTHERS)])
    people = []
    with embedded_server().connect(connection.settings_dict["NAME"]) as server:
        make_room(server)
        try:
            for number, vectors in enumerate([space.messages(OWN), *np.array_split(near, 3)]):
                user_id = ensure_person(profile=Profile(firebase_uid=f"side-{number}"), actor=TESTER)
                people.append(Person(user_id, len(vectors), in_graph=True))
                fill(server, people[-1], vectors, draw_words(rng, len(vectors)))
            yield people[0].id, asked
        finally:
            server.execute("DROP TABLE plain_passages")


def too_few_by_a_filter_after_the_graph(ada, asked):
    """The usual way, which is the control: one graph of vectors as the model made them, and a filter."""
    few = 0
    with embedded_server().connect(connection.settings_dict["NAME"]) as server:
        server.execute("CREATE INDEX ON plain_passages USING hnsw (embedding halfvec_cosine_ops)")
        server.execute("SET enable_seqscan = off; SET enable_sort = off")
        for vector in asked:
            given = server.execute(
                "SELECT id FROM plain_passages WHERE user_id = %s ORDER BY embedding <=> %s::halfvec LIMIT 10",
                [ada, str(vector.tolist())],
            ).fetchall()
            few += len(given) < 10
    return few


def leave_the_graph(ada):
    """The set is searched exactly from now on."""
    with as_user(ada):
        bulk.run("UPDATE passages SET in_graph = false WHERE user_id = %b", [ada])
        bulk.run("UPDATE search_sets SET in_graph = false WHERE user_id = %b", [ada])


def test_a_search_gives_exactly_what_there_is_and_a_filter_would_not(crowd, monkeypatch):
    ada, asked = crowd
    for exact_up_to in (0, 10_000):
        monkeypatch.setattr(settings, "SEARCH_EXACT_UP_TO", exact_up_to)
        for vector in asked:
            monkeypatch.setattr(
                "stories.search.asking.embed", lambda texts, *_, vector=vector: np.array([vector for _ in texts])
            )
            for limit in (1, OWN_STORIES, OWN_STORIES + 1, 100):
                found = search_stories(user_id=ada, question="What was it about?", actor=TESTER, limit=limit).stories
                assert len({story.id for story in found}) == len(found) == min(limit, OWN_STORIES)
        leave_the_graph(ada)
    assert too_few_by_a_filter_after_the_graph(ada, asked) == len(asked)
