"""This product in the same measurements: through its scopes, keys and trail, as its own search and verbs do it."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from benchmarks.crowd import START, STORY, Person, Space
from benchmarks.peers.stores.protocol import TOP, TRIES, WARM, text_of

STORED, ADDED = 2_000, 100


class Vectors:
    """The likest memories of a person by vector alone, opened, and recorded: what the others do, done our way."""

    def __init__(self, crowd: list[Person]) -> None:
        self.crowd = crowd

    def search(self, owner: int, vector: Any, limit: int) -> list[UUID]:
        from accounts.services import open_vault
        from audit.actors import Actor
        from audit.services import record
        from memories.models import Memory
        from memories.services import open_memories
        from stories.blinding import cloaked, vector_text
        from stories.graph import nearest, nearest_of_all
        from stories.models import Passage
        from vibe.db.contexts import as_user

        person = self.crowd[owner]
        with as_user(person.id):
            vault = open_vault()
            given = vector_text(cloaked(vault, vector[None])[0])
            places = nearest(person.id, given, None, limit) if person.in_graph else []
            if len(places) < limit:
                places = nearest_of_all(person.id, given, None, limit)
            of_story: dict[UUID, list[int]] = {}
            for story, position in places:
                of_story.setdefault(story, []).append(position)
            passages = Passage.objects.of(person.id).filter(story_id__in=of_story)
            at = {
                (story, position): memory
                for story, position, memory in passages.values_list("story_id", "position", "memory_id")
            }
            wanted = [at[place] for place in places]
            opened = open_memories(Memory.objects.of(person.id).filter(pk__in=wanted), vault)
            record(actor=Actor.system("benchmark"), action="stories.search", subject=person.id, resource="stories")
        assert len(opened) == len(places)
        return wanted


def asked(search: Any, vectors: Any, askers: Any) -> dict[str, Any]:
    """As stores.protocol.answers."""
    for at in range(min(WARM, len(vectors))):
        search(int(askers[at]), vectors[at], TOP)
    milliseconds, found = [], []
    for vector, owner in zip(vectors, askers, strict=True):
        best, answer = float("inf"), []
        for _ in range(TRIES):
            start = time.perf_counter()
            answer = search(int(owner), vector, TOP)
            best = min(best, time.perf_counter() - start)
        milliseconds.append(best * 1_000)
        found.append(answer)
    return {"milliseconds": milliseconds, "found": found}


def whole(crowd: list[Person]) -> Any:
    """The product's whole search: question understood, words and vectors, ranked, stories opened, recorded.

    The question's vector is given, as it is to the others.
    """
    import numpy as np

    from audit.actors import Actor
    from stories import asking
    from stories.search import search_stories

    known: dict[str, Any] = {}
    asking.embed = lambda texts, *_: np.array([known[text] for text in texts])
    texts = {vector.tobytes(): text for person in crowd for text, vector in person.questions}

    def run(owner: int, vector: Any, limit: int) -> list[UUID]:
        text = texts[vector.tobytes()]
        known[text] = vector
        answer = search_stories(user_id=crowd[owner].id, question=text, actor=Actor.system("benchmark"), limit=limit)
        return [story.id for story in answer.stories]

    return run


def ingest() -> dict[str, float]:
    """Rows a second, acknowledged (sealed, committed, recorded) and told (story, words and vectors: found by search).

    In conversations of STORY messages, and one message at a time into a conversation of as many.
    """
    from accounts.services import Profile, ensure_person
    from audit.actors import Actor
    from memories.lines import ConversationLine, Message
    from memories.models import Conversation
    from memories.payload import Payload
    from memories.services import import_conversations
    from stories import services
    from vibe.db.contexts import as_user

    actor, profile = Actor.system("benchmark"), Profile("ingested")
    person = ensure_person(profile=profile, actor=actor)
    space = Space(5)
    services.embed = lambda texts, *_: space.messages(len(texts))

    def line(number: int, first: int, count: int) -> ConversationLine:
        sent = (START + timedelta(minutes=at) for at in range(first, first + count))
        said = tuple(
            Message(f"m{at}", Payload("Ada", text_of(at)), moment) for at, moment in enumerate(sent, start=first)
        )
        return ConversationLine(number, profile, f"c{number}", None, None, START, said)

    def tell() -> float:
        with as_user(person):
            ids = list(Conversation.objects.of(person).values_list("pk", flat=True))
        start = time.perf_counter()
        for each in ids:
            services.build_story(user_id=person, conversation_id=each, actor=actor)
        return time.perf_counter() - start

    lines = [line(number, number * STORY, STORY) for number in range(STORED // STORY)]
    start = time.perf_counter()
    for first in range(0, len(lines), 40):
        import_conversations(user_id=person, lines=lines[first : first + 40], actor=actor)
    stored = time.perf_counter() - start
    told = tell()
    start = time.perf_counter()
    for number in range(ADDED):
        import_conversations(user_id=person, lines=[line(number % 4, STORED + number, 1)], actor=actor)
    added = time.perf_counter() - start
    one_told = []
    for number in range(20):
        import_conversations(user_id=person, lines=[line(0, STORED + ADDED + number, 1)], actor=actor)
        one_told.append(tell())
    return {
        "bulk_rows_per_second": STORED / stored,
        "bulk_told_rows_per_second": STORED / (stored + told),
        "single_rows_per_second": ADDED / added,
        "single_told_rows_per_second": 1 / (added / ADDED + statistics.median(one_told)),
    }


def audited() -> dict[str, float]:
    """What recording adds to changing a row in the person's scope: medians in milliseconds, and their ratio."""
    from accounts.services import Profile, ensure_person
    from audit.actors import Actor
    from audit.services import record
    from memories.models import Conversation
    from vibe.db.contexts import as_user
    from vibe.db.owned import uuid7

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
    return {"ms_with": with_, "ms_without": without, "ratio": with_ / without}
