"""This product in the same measurements: through its scopes, keys and trail, as its own search and verbs do it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from benchmarks.crowd import START, STORY, Person, Space, vector_alone
from benchmarks.peers.stores.protocol import TOP, TRIES, WARM
from benchmarks.peers.task import Task

STORED, ADDED = 2_000, 100
Place = tuple[UUID, UUID | None]
"""A passage and its story."""
Search = Callable[[int, Any, str], tuple[float, list[Any]]]
"""Whose question, its vector, its words: the seconds it took, and what it found."""


def nearest_places(person: Person, vector: Any) -> list[Place]:
    """The nearest passages of a person, whose scope this runs in, to a cloaked vector: as stories.search.graph does."""
    from stories.search.graph import nearest, nearest_of_all

    wanted = vector_alone(vector)
    places = nearest(person.id, wanted, None, TOP) if person.in_graph else []
    return places if len(places) == TOP else nearest_of_all(person.id, wanted, None, TOP)


class NearestMemories:
    """The nearest memories of a person by vectors alone, which is what the others do.

    `stage`: the statement alone, within the person's scope, TRIES times one after the other, as by hand. `opened`: all
    of it, with scope, key, cloak, the memories' texts opened, and the row of the trail committed.
    """

    def __init__(self, crowd: list[Person], task: Task, server: Any) -> None:
        self.crowd = crowd
        number = {memory: at for at, memory in enumerate(task.ids)}
        rows = server.execute("SELECT id, story_id, memory_id FROM passages").fetchall()
        self.memories = {(passage, story): memory for passage, story, memory in rows}
        self.numbers = {place: number[memory] for place, memory in self.memories.items()}

    def stage(self, owner: int, vector: Any, _: str) -> tuple[float, list[int]]:
        from accounts.keys.services.data_keys import open_vault
        from stories.text.passages import cloaked
        from vibe.core.db.scopes import as_user

        person = self.crowd[owner]
        with as_user(person.id):
            given = cloaked(open_vault(), vector[None])[0]
            seconds = float("inf")
            for _ in range(TRIES):
                start = time.perf_counter()
                places = nearest_places(person, given)
                seconds = min(seconds, time.perf_counter() - start)
        return seconds, [self.numbers[place] for place in places]

    def opened(self, owner: int, vector: Any, _: str) -> tuple[float, list[int]]:
        from accounts.keys.services.data_keys import open_vault
        from audit.actors import Actor
        from audit.services import record
        from memories.models import Memory
        from memories.payload import open_memories
        from stories.text.passages import cloaked
        from vibe.core.db.scopes import as_user

        person = self.crowd[owner]
        start = time.perf_counter()
        with as_user(person.id):
            vault = open_vault()
            places = nearest_places(person, cloaked(vault, vector[None])[0])
            found = Memory.objects.of(person.id).filter(pk__in=[self.memories[place] for place in places])
            opened = open_memories(found, vault)
            record(actor=Actor.system("benchmark"), action="stories.search", subject=person.id, resource="stories")
        seconds = time.perf_counter() - start
        assert len(opened) == len(places)
        return seconds, [self.numbers[place] for place in places]


def asked(search: Search, task: Task) -> dict[str, Any]:
    """As stores.protocol.answers."""
    questions = list(zip(task.askers.tolist(), task.asked, task.questions, strict=True))
    for question in questions[:: max(len(questions) // WARM, 1)]:
        search(*question)
    best = [min((search(*question) for _ in range(TRIES)), key=lambda each: each[0]) for question in questions]
    return {"milliseconds": [seconds * 1_000 for seconds, _ in best], "found": [found for _, found in best]}


def whole(crowd: list[Person]) -> Search:
    """The product's whole search: question understood, words and vectors, ranked, stories opened, recorded.

    The question's vector is given, as it is to the others.
    """
    from audit.actors import Actor
    from stories.search import asking
    from stories.search.services import search_stories

    def run(owner: int, vector: Any, question: str) -> tuple[float, list[UUID]]:
        asking.embed = lambda *_: vector[None]
        start = time.perf_counter()
        answer = search_stories(user_id=crowd[owner].id, question=question, actor=Actor.system("benchmark"), limit=TOP)
        return time.perf_counter() - start, [story.id for story in answer.stories]

    return run


def ingest() -> dict[str, float]:
    """Rows a second, acknowledged (sealed, committed, recorded) and told (found by search, their stories built).

    By import in conversations of STORY messages; and one message at a time into a conversation, which is found by what
    it says as soon as it is acknowledged.
    """
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.imports.lines import ConversationLine, Message
    from memories.imports.services.conversations import import_conversations
    from memories.models import Conversation
    from memories.payload import Payload
    from memories.services.adding import NewMemory, add_memories
    from stories.building.services import build as services
    from stories.index import entries
    from tests.building import build_all
    from vibe.core.db.scopes import as_user

    actor, profile = Actor.system("benchmark"), Profile("ingested")
    person = ensure_person(profile=profile, actor=actor)
    space = Space(5)
    entries.embed = entries.embed_many = services.embed_many = lambda texts, *_: space.messages(len(texts))

    text = "It was a long day by the sea and I am glad that we went there together at last, number "

    def line(number: int, first: int, count: int) -> ConversationLine:
        sent = (START + timedelta(minutes=at) for at in range(first, first + count))
        said = tuple(
            Message(f"m{at}", Payload("Ada", f"{text}{at}."), moment) for at, moment in enumerate(sent, start=first)
        )
        return ConversationLine(number, profile, f"c{number}", None, None, START, said)

    def tell() -> float:
        start = time.perf_counter()
        build_all(person)
        return time.perf_counter() - start

    lines = [line(number, number * STORY, STORY) for number in range(STORED // STORY)]
    start = time.perf_counter()
    for first in range(0, len(lines), 40):
        import_conversations(user_id=person, lines=lines[first : first + 40], actor=actor)
    stored = time.perf_counter() - start
    told = tell()
    with as_user(person):
        into = list(Conversation.objects.of(person).order_by("started_at", "id").values_list("pk", flat=True)[:4])

    def add(number: int) -> None:
        new = NewMemory(Payload("Ada", f"{text}{STORED + number}."))
        add_memories(user_id=person, conversation_id=into[number % 4], memories=[new], actor=actor)

    start = time.perf_counter()
    for number in range(ADDED):
        add(number)
    added = time.perf_counter() - start
    one_told = []
    for number in range(20):
        add(ADDED + number)
        one_told.append(tell())
    return {
        "bulk_rows_per_second": STORED / stored,
        "bulk_told_rows_per_second": STORED / (stored + told),
        "single_rows_per_second": ADDED / added,
        "single_told_rows_per_second": 1 / (added / ADDED + statistics.median(one_told)),
    }


def audited() -> dict[str, float]:
    """What recording adds to changing a row in the person's scope: medians in milliseconds, and their ratio."""
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from audit.services import record
    from memories.models import Conversation
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.scopes import as_user

    actor = Actor.system("benchmark")
    person = ensure_person(profile=Profile("audited"), actor=actor)
    with as_user(person):
        made = [
            Conversation.objects.create(id=uuid7(), user_id=person, external_id=each, started_at=START, active_at=START)
            for each in ("with", "without")
        ]

    def change(conversation: Conversation, *, watched: bool) -> float:
        start = time.perf_counter()
        with as_user(person):
            Conversation.objects.of(person).filter(pk=conversation.pk).update(active_at=START)
            if watched:
                record(
                    actor=actor,
                    action="conversations.change",
                    subject=person,
                    resource=f"conversations/{conversation.pk}",
                )
        return time.perf_counter() - start

    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(10):
        for watched, conversation in zip((True, False), made, strict=True):
            times[watched] += [change(conversation, watched=watched) for _ in range(60)]
    with_, without = (statistics.median(times[each]) * 1_000 for each in (True, False))
    return {"ms_with": with_, "ms_without": without, "ms_added": with_ - without, "ratio": with_ / without}
