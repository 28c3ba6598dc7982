"""The search set of a person: how much there is to search, by which model's vectors, and whether in the graph."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import F

from audit.actors import Actor
from audit.services import record
from stories.models import Passage, SearchSet, Story
from stories.processors.configured import embedder, embedder_named
from stories.processors.embedding import Embedder
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk


def hold_search_set(user_id: UUID) -> SearchSet:
    """The person's search set, made if it is not there, and kept from others until the transaction ends."""
    bulk.run(
        "INSERT INTO search_sets (id, user_id, passages, words, in_graph, embedder) VALUES (%b, %b, 0, 0, false, %b) "
        "ON CONFLICT (user_id) DO NOTHING",
        [uuid7(), user_id, embedder().name],
    )
    held: SearchSet = SearchSet.objects.of(user_id).select_for_update().get()
    return held


def count(search_set: SearchSet, passages: int, words: int) -> None:
    """Add to the counts (or take from them) that the strategy is chosen and words are weighed by."""
    SearchSet.objects.of(search_set.user_id).update(passages=F("passages") + passages, words=F("words") + words)


def count_anew(user_id: UUID) -> None:
    """Count from the stories: for when one went with its conversation, without a verb of ours."""
    bulk.run(
        "UPDATE search_sets SET (passages, words) = "
        "(SELECT coalesce(sum(passage_count), 0), coalesce(sum(word_count), 0) "
        "FROM stories WHERE stories.user_id = %b) WHERE user_id = %b",
        [user_id, user_id],
    )


def model_for(search_set: SearchSet | None) -> Embedder:
    """What makes vectors for a person now: the model of those that are there, if it can still be asked.

    So that all of them can be compared with one question, until `reembedding` exchanges them at once.
    """
    if search_set is None or not search_set.passages:
        return embedder()
    return embedder_named(search_set.embedder) or embedder()


def begin_with(search_set: SearchSet, embedder: str) -> None:
    """Let a set without any vectors be a model's."""
    if not search_set.passages and search_set.embedder != embedder:
        search_set.embedder = embedder
        SearchSet.objects.of(search_set.user_id).update(embedder=embedder)


def settle_graph(*, user_id: UUID, actor: Actor) -> bool:
    """Move a person's set into the shared graph, or out of it, when its size says so. Whether it moved.

    One transaction: no search ever sees half a set, and a search sees either all of it or none. A set leaves only well
    below the size at which it enters, so that one that hovers there is not moved to and fro.
    """
    with as_user(user_id):
        search_set = SearchSet.objects.of(user_id).first()
        if search_set is None or belongs_in_graph(search_set) == search_set.in_graph:
            return False
        search_set = hold_search_set(user_id)
        belongs = belongs_in_graph(search_set)
        if belongs == search_set.in_graph:
            return False
        for model in (Passage, Story):
            model.objects.of(user_id).update(in_graph=belongs)
        SearchSet.objects.of(user_id).update(in_graph=belongs)
        record(
            actor=actor,
            action="search_set.move",
            subject=user_id,
            resource="search_sets",
            details={"in_graph": belongs},
        )
    return True


def belongs_in_graph(search_set: SearchSet) -> bool:
    """Whether a set of this size is searched in the graph."""
    most: int = settings.SEARCH_EXACT_UP_TO
    return bool(search_set.passages > (most // 2 if search_set.in_graph else most))
