"""Stories distilled from memories, and the passages they are found by."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from pgvector.django import HalfVectorField, HnswIndex

from memories.models import EVERYTHING, Conversation, Memory
from vibe.core.crypto.fields import SealedField
from vibe.core.db.roles import SUPPORT, SYSTEM, USER, WORDS
from vibe.core.db.schema.constraints import OWN, CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import OwnedForeignKey, UserOwned

# Under row-level security PostgreSQL uses no index for a condition whose operator could tell of rows it may not show,
# and those of arrays are such. A condition of the policy may use it, so words are looked up as a role of their own.
WORDS_ASKED_FOR = OWN.format(column="user_id", setting="user_id") + (
    " AND words && nullif(current_setting('vibe.words', true), '')::bigint[]"
)


def blind_index() -> ArrayField[Any, Any]:
    """A column of blind tokens; see vibe.core.crypto.blind."""
    return ArrayField(models.BigIntegerField(), default=list)


class Story(UserOwned):
    """One conversation, told: what happened, who and where, found by meaning."""

    conversation = OwnedForeignKey(Conversation, related_name="stories")
    title = SealedField()
    text = SealedField()
    people = SealedField()
    places = SealedField()
    events = SealedField()
    people_index = blind_index()
    places_index = blind_index()
    events_index = blind_index()
    occurred_from = models.DateTimeField()
    occurred_to = models.DateTimeField()
    memory_ids = ArrayField(models.UUIDField(), default=list)
    passage_count = models.PositiveIntegerField(default=0)
    word_count = models.PositiveIntegerField(default=0)
    embedding = HalfVectorField(dimensions=settings.EMBEDDING_DIMENSIONS, null=True)
    in_graph = models.BooleanField(default=False)
    processor = models.CharField(max_length=100)
    embedder = models.CharField(max_length=100, blank=True)
    fingerprint = models.CharField(max_length=32, blank=True)
    corrected = ArrayField(models.CharField(max_length=10), default=list, db_default=[])
    corrected_from = ArrayField(models.UUIDField(), default=list, db_default=[])
    corrected_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    built_at = models.DateTimeField()

    class Meta:
        db_table = "stories"
        verbose_name_plural = "stories"
        indexes: ClassVar = [
            models.Index(fields=["user", "-occurred_from"], name="stories_newest"),
            GinIndex(fields=["people_index"], name="stories_people"),
            GinIndex(fields=["places_index"], name="stories_places"),
            GinIndex(fields=["events_index"], name="stories_events"),
            GinIndex(fields=["memory_ids"], name="stories_memories"),
            HnswIndex(
                fields=["embedding"],
                name="stories_embedding",
                opclasses=["halfvec_cosine_ops"],
                condition=Q(in_graph=True),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "id"], name="stories_owner"),
            models.UniqueConstraint(fields=["user", "conversation"], name="stories_one_per_conversation"),
            CompositeReference(
                name="stories_conversation", columns=["user_id", "conversation_id"], to="memories.Conversation"
            ),
            RowSecurity(name="stories_walls"),
            Privileges(name="stories_for_user", role=USER, verbs=EVERYTHING),
            Privileges(
                name="stories_for_support",
                role=SUPPORT,
                verbs={
                    "SELECT": (
                        *("id", "user_id", "conversation_id", "occurred_from", "occurred_to", "memory_ids", "in_graph"),
                        *("processor", "embedder", "corrected", "corrected_at", "revision", "created_at", "built_at"),
                    )
                },
            ),
            Privileges(name="stories_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "created_at")}),
        ]

    @property
    def updated_at(self) -> datetime:
        """When it was told or corrected last: with the revision its version, see vibe.core.db.versions."""
        return max(self.built_at, self.corrected_at or self.built_at)


class Passage(UserOwned):
    """What search runs on: one memory of a story, as blind words and a cloaked vector. It holds no text.

    One passage of a story is of no memory: its title and text as the person corrected them.
    """

    story = OwnedForeignKey(Story, related_name="passages")
    memory = OwnedForeignKey(Memory, related_name="passages", null=True)
    memory_revision = models.PositiveIntegerField(default=1)
    position = models.PositiveIntegerField()
    speaker = models.BigIntegerField()
    words = blind_index()
    counts = ArrayField(models.SmallIntegerField(), default=list)
    length = models.PositiveIntegerField()
    occurred_at = models.DateTimeField()
    embedding = HalfVectorField(dimensions=settings.EMBEDDING_DIMENSIONS, null=True)
    in_graph = models.BooleanField(default=False)

    class Meta:
        db_table = "passages"
        indexes: ClassVar = [
            models.Index(fields=["user", "story", "position"], name="passages_of_story"),
            GinIndex(fields=["words"], name="passages_words"),
            HnswIndex(
                fields=["embedding"],
                name="passages_embedding",
                opclasses=["halfvec_cosine_ops"],
                condition=Q(in_graph=True),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "memory"], name="passages_one_per_memory"),
            models.UniqueConstraint(
                fields=["user", "story"], name="passages_one_correction", condition=Q(memory__isnull=True)
            ),
            CompositeReference(name="passages_story", columns=["user_id", "story_id"], to="stories.Story"),
            CompositeReference(name="passages_memory", columns=["user_id", "memory_id"], to="memories.Memory"),
            RowSecurity(name="passages_walls", others=((SUPPORT, "true"), (SYSTEM, "true"), (WORDS, WORDS_ASKED_FOR))),
            Privileges(name="passages_for_user", role=USER, verbs=EVERYTHING),
            Privileges(
                name="passages_for_support",
                role=SUPPORT,
                verbs={
                    "SELECT": (
                        "id",
                        "user_id",
                        "story_id",
                        "memory_id",
                        "position",
                        "length",
                        "occurred_at",
                        "in_graph",
                    )
                },
            ),
            Privileges(
                name="passages_for_words",
                role=WORDS,
                verbs={"SELECT": ("id", "user_id", "story_id", "position", "words", "counts", "length")},
            ),
            Privileges(name="passages_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "in_graph")}),
        ]


class StoryDeletion(UserOwned):
    """A conversation whose story its person deleted, and of what memories: it is told again once it has others."""

    conversation = OwnedForeignKey(Conversation, related_name="+")
    memory_ids = ArrayField(models.UUIDField())
    deleted_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "story_deletions"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "conversation"], name="story_deletions_one_each"),
            CompositeReference(
                name="story_deletions_conversation",
                columns=["user_id", "conversation_id"],
                to="memories.Conversation",
            ),
            RowSecurity(name="story_deletions_walls"),
            Privileges(
                name="story_deletions_for_user", role=USER, verbs={"SELECT": None, "INSERT": None, "DELETE": None}
            ),
            Privileges(
                name="story_deletions_for_support",
                role=SUPPORT,
                verbs={"SELECT": ("id", "user_id", "conversation_id", "deleted_at")},
            ),
            Privileges(name="story_deletions_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id")}),
        ]


class NextVector(UserOwned):
    """A vector of another model, kept beside the one that is searched until all of the person's are there.

    `position` is that of a passage, or -1 for the story itself; the vector holds for the story's `revision` alone.
    """

    story = OwnedForeignKey(Story, related_name="+")
    memory = OwnedForeignKey(Memory, related_name="+", null=True)
    position = models.IntegerField()
    revision = models.PositiveIntegerField()
    embedder = models.CharField(max_length=100)
    embedding = HalfVectorField(dimensions=settings.EMBEDDING_DIMENSIONS, null=True)

    class Meta:
        db_table = "next_vectors"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "story", "position"], name="next_vectors_one_each"),
            models.UniqueConstraint(fields=["user", "memory"], name="next_vectors_one_per_memory"),
            CompositeReference(name="next_vectors_story", columns=["user_id", "story_id"], to="stories.Story"),
            CompositeReference(name="next_vectors_memory", columns=["user_id", "memory_id"], to="memories.Memory"),
            RowSecurity(name="next_vectors_walls"),
            Privileges(name="next_vectors_for_user", role=USER, verbs={"SELECT": None, "INSERT": None, "DELETE": None}),
            Privileges(
                name="next_vectors_for_support",
                role=SUPPORT,
                verbs={"SELECT": ("id", "user_id", "story_id", "memory_id", "position", "revision", "embedder")},
            ),
            Privileges(name="next_vectors_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id")}),
        ]


class Entity(UserOwned):
    """A speaker, person, place or event of one person: the name once, sealed, behind its blind token."""

    class Kind(models.TextChoices):
        SPEAKER = "speaker"
        PERSON = "person"
        PLACE = "place"
        EVENT = "event"

    kind = models.CharField(max_length=10, choices=Kind)
    token = models.BigIntegerField()
    name = SealedField()

    class Meta:
        db_table = "entities"
        verbose_name_plural = "entities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "kind", "token"], name="entities_once"),
            CompositeReference(name="entities_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="entities_walls"),
            Privileges(name="entities_for_user", role=USER, verbs=EVERYTHING),
            Privileges(name="entities_for_support", role=SUPPORT, verbs={"SELECT": ("id", "user_id", "kind")}),
            Privileges(name="entities_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id")}),
        ]


class SearchSet(UserOwned):
    """How much of a person there is to search, and how it is searched. Kept by stories.index.services.

    `embedder` made every vector of the person's stories and passages that is there.
    """

    passages = models.PositiveIntegerField(default=0)
    words = models.PositiveBigIntegerField(default=0)
    in_graph = models.BooleanField(default=False)
    embedder = models.CharField(max_length=100, blank=True)

    class Meta:
        db_table = "search_sets"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], name="search_sets_one_each"),
            CompositeReference(name="search_sets_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="search_sets_walls"),
            Privileges(name="search_sets_for_user", role=USER, verbs=EVERYTHING),
            Privileges(name="search_sets_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(name="search_sets_for_system", role=SYSTEM, verbs={"SELECT": None}),
        ]


class TokenUse(UserOwned):
    """Tokens that a service took for a person on one day (UTC)."""

    day = models.DateField()
    tokens = models.PositiveBigIntegerField()

    class Meta:
        db_table = "token_use"
        verbose_name_plural = "token use"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "day"], name="token_use_one_a_day"),
            CompositeReference(name="token_use_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            RowSecurity(name="token_use_walls"),
            Privileges(
                name="token_use_for_user", role=USER, verbs={"SELECT": None, "INSERT": None, "UPDATE": ("tokens",)}
            ),
            Privileges(name="token_use_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(name="token_use_for_system", role=SYSTEM, verbs={"SELECT": None}),
        ]
