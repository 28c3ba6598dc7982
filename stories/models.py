"""Stories distilled from memories, and the passages they are found by."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Func, IntegerField, Q
from django.db.models.functions import Cast, Now
from django.db.models.lookups import Exact
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


VECTOR_WIDTHS = (512, 768, 1024)
"""Numbers of a stored vector: a shorter one is filled up with zeros to the next of these, which changes no angle."""


def graph_of(width: int, name: str) -> HnswIndex:
    """The shared graph of the vectors of one width: those of another cannot be compared with them."""
    return HnswIndex(
        OpClass(Cast("embedding", HalfVectorField(dimensions=width)), "halfvec_cosine_ops"),
        name=name,
        condition=Q(in_graph=True)
        & Q(Exact(Func(F("embedding"), function="vector_dims", output_field=IntegerField()), width)),
    )


def blind_index() -> ArrayField[Any, Any]:
    """A column of blind tokens; see vibe.core.crypto.vault."""
    return ArrayField(models.BigIntegerField(), default=list)


class Story(UserOwned):
    """An episode of a conversation: what happened, who and where, once it is built; its title is null until then.

    Its row is there from the episode's first message. A conversation has one open episode at most, to which what is
    said next is added. `due_at` is when it is to be built next, null for never; a build that failed says so in
    `failure`, in words that hold nothing of the conversation.
    """

    conversation = OwnedForeignKey(Conversation, related_name="stories")
    title = SealedField(null=True)
    text = SealedField(null=True)
    people = SealedField(null=True)
    places = SealedField(null=True)
    events = SealedField(null=True)
    people_index = blind_index()
    places_index = blind_index()
    events_index = blind_index()
    occurred_from = models.DateTimeField()
    occurred_to = models.DateTimeField()
    is_open = models.BooleanField(default=False)
    memory_count = models.PositiveIntegerField(default=0)
    memory_ids = ArrayField(models.UUIDField(), default=list)
    passage_count = models.PositiveIntegerField(default=0)
    word_count = models.PositiveIntegerField(default=0)
    embedding = HalfVectorField(null=True)
    in_graph = models.BooleanField(default=False)
    processor = models.CharField(max_length=100, blank=True)
    embedder = models.CharField(max_length=100, blank=True)
    due_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=300, blank=True)
    corrected = ArrayField(models.CharField(max_length=10), default=list, db_default=[])
    corrected_from = ArrayField(models.UUIDField(), default=list, db_default=[])
    corrected_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    built_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stories"
        verbose_name_plural = "stories"
        indexes: ClassVar = [
            models.Index(fields=["user", "-occurred_from"], name="stories_newest"),
            models.Index(fields=["user", "conversation", "occurred_from"], name="stories_of_conversation"),
            models.Index(fields=["due_at"], name="stories_due", condition=Q(due_at__isnull=False)),
            GinIndex(fields=["people_index"], name="stories_people"),
            GinIndex(fields=["places_index"], name="stories_places"),
            GinIndex(fields=["events_index"], name="stories_events"),
            GinIndex(fields=["memory_ids"], name="stories_memories"),
            graph_of(512, "stories_embedding"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "id"], name="stories_owner"),
            models.UniqueConstraint(
                fields=["user", "conversation"], name="stories_one_open", condition=Q(is_open=True)
            ),
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
                        *("id", "user_id", "conversation_id", "occurred_from", "occurred_to", "is_open"),
                        *("memory_count", "memory_ids", "in_graph", "processor", "embedder", "due_at", "tries"),
                        *("failure", "corrected", "corrected_at", "revision", "created_at", "built_at"),
                    )
                },
            ),
            Privileges(
                name="stories_for_system",
                role=SYSTEM,
                verbs={"SELECT": ("id", "user_id", "created_at", "due_at", "tries", "failure")},
            ),
        ]

    @property
    def updated_at(self) -> datetime:
        """When it was built or corrected last: with the revision its version, see vibe.core.db.schema.owned."""
        return max(filter(None, (self.created_at, self.built_at, self.corrected_at)))


SEARCHED = "(p.length > 0 AND (p.expires_at IS NULL OR p.expires_at > statement_timestamp()))"
"""SQL for the passages `p` that search looks at: those with words, whose memory has not expired."""


class Passage(UserOwned):
    """What search runs on: one part of a memory, as blind words and a cloaked vector. It holds no text.

    It is written in the transaction of its memory. Parts of a memory are the windows of a long text. A passage
    without a memory is a correction: title and text of a story as the person wrote them. One without a story is of a
    memory whose story the person deleted. `context` is the memory before it whose end is part of its vector.
    """

    conversation = OwnedForeignKey(Conversation, related_name="+")
    story = OwnedForeignKey(Story, related_name="passages", null=True)
    memory = OwnedForeignKey(Memory, related_name="passages", null=True)
    memory_revision = models.PositiveIntegerField(default=1)
    part = models.PositiveSmallIntegerField(default=0)
    context = models.UUIDField(null=True)
    role = models.CharField(max_length=10, default="other")
    speaker = models.BigIntegerField()
    metadata_index = ArrayField(models.BigIntegerField(), null=True)
    words = blind_index()
    length = models.PositiveIntegerField()
    occurred_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    embedding = HalfVectorField(null=True)
    model = models.PositiveSmallIntegerField(default=0)
    form = models.PositiveSmallIntegerField(default=0)
    in_graph = models.BooleanField(default=False)

    class Meta:
        db_table = "passages"
        indexes: ClassVar = [
            models.Index(fields=["user", "story"], name="passages_of_story"),
            models.Index(fields=["user", "context"], name="passages_context", condition=Q(context__isnull=False)),
            models.Index(fields=["user"], name="passages_outside_graph", condition=Q(in_graph=False)),
            models.Index(  # what filters go by, beside vectors and words, which are ten times as much
                fields=["user", "-occurred_at", "-memory"],
                name="passages_newest",
                include=["id", "part", "length", "conversation", "role", "speaker", "metadata_index", "expires_at"],
            ),
            GinIndex(fields=["words"], name="passages_words"),
            graph_of(512, "passages_embedding"),
            graph_of(768, "passages_embedding_768"),
            graph_of(1024, "passages_embedding_1024"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "memory", "part"], name="passages_one_per_part"),
            models.UniqueConstraint(
                fields=["user", "story"], name="passages_one_correction", condition=Q(memory__isnull=True)
            ),
            CompositeReference(
                name="passages_conversation", columns=["user_id", "conversation_id"], to="memories.Conversation"
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
                        *("id", "user_id", "conversation_id", "story_id", "memory_id", "part", "role"),
                        *("length", "occurred_at", "in_graph", "form"),
                    )
                },
            ),
            Privileges(
                name="passages_for_words",
                role=WORDS,
                verbs={"SELECT": ("id", "user_id", "story_id", "words", "length")},
            ),
            Privileges(
                name="passages_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "in_graph", "form")}
            ),
        ]


class PendingMemory(UserOwned):
    """A memory that search does not find by all it says yet: a job is to index it, or to embed it anew.

    `bulk` ones came with an import, and wait for each other only.
    """

    memory = OwnedForeignKey(Memory, related_name="+")
    bulk = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pending_memories"
        verbose_name_plural = "pending memories"
        indexes: ClassVar = [models.Index(fields=["created_at"], name="pending_memories_oldest")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "memory"], name="pending_memories_once"),
            CompositeReference(name="pending_memories_memory", columns=["user_id", "memory_id"], to="memories.Memory"),
            RowSecurity(name="pending_memories_walls"),
            Privileges(name="pending_memories_for_user", role=USER, verbs=EVERYTHING),
            Privileges(name="pending_memories_for_support", role=SUPPORT, verbs={"SELECT": None}),
            Privileges(
                name="pending_memories_for_system",
                role=SYSTEM,
                verbs={"SELECT": ("id", "user_id", "bulk", "created_at")},
            ),
        ]


class NextVector(UserOwned):
    """A vector of another model, kept beside the one that is searched until all of the person's are there.

    It is of a part of a memory, of a story's correction (part 0), or of a story's text (part -1), at one revision.
    """

    memory = OwnedForeignKey(Memory, related_name="+", null=True)
    story = OwnedForeignKey(Story, related_name="+", null=True)
    part = models.SmallIntegerField()
    revision = models.PositiveIntegerField()
    embedder = models.CharField(max_length=100)
    embedding = HalfVectorField(null=True)

    class Meta:
        db_table = "next_vectors"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "memory", "part"], name="next_vectors_of_memory"),
            models.UniqueConstraint(fields=["user", "story", "part"], name="next_vectors_of_story"),
            CompositeReference(name="next_vectors_story", columns=["user_id", "story_id"], to="stories.Story"),
            CompositeReference(name="next_vectors_memory", columns=["user_id", "memory_id"], to="memories.Memory"),
            RowSecurity(name="next_vectors_walls"),
            Privileges(name="next_vectors_for_user", role=USER, verbs={"SELECT": None, "INSERT": None, "DELETE": None}),
            Privileges(
                name="next_vectors_for_support",
                role=SUPPORT,
                verbs={"SELECT": ("id", "user_id", "story_id", "memory_id", "part", "revision", "embedder")},
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


class Fact(UserOwned):
    """One statement of a fact: that something holds, held or has ended, sealed with its span; see stories.facts.

    It is of the memory that it was read in, and goes with it. Without a memory it is the person's own word: a
    correction, or that a fact is forgotten. Statements are never changed; what holds is worked out from all of them.
    """

    memory = OwnedForeignKey(Memory, related_name="+", null=True)
    statement = SealedField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "facts"
        indexes: ClassVar = [models.Index(fields=["user", "memory"], name="facts_of_memory")]
        constraints: ClassVar = [
            CompositeReference(name="facts_user", columns=["user_id"], to="accounts.User", to_columns=["id"]),
            CompositeReference(name="facts_memory", columns=["user_id", "memory_id"], to="memories.Memory"),
            RowSecurity(name="facts_walls"),
            Privileges(name="facts_for_user", role=USER, verbs={"SELECT": None, "INSERT": None, "DELETE": None}),
            Privileges(
                name="facts_for_support", role=SUPPORT, verbs={"SELECT": ("id", "user_id", "memory_id", "created_at")}
            ),
            Privileges(name="facts_for_system", role=SYSTEM, verbs={"SELECT": ("id", "user_id", "created_at")}),
        ]


class SearchSet(UserOwned):
    """How much of a person there is to search, and how it is searched. Kept by stories.index.services.

    `passages` and `words` are counted when stories are built, so they are behind by what was said since. `embedder`
    made every vector that is compared: those whose passage has the set's `model`, which goes up at each exchange.
    """

    passages = models.PositiveIntegerField(default=0)
    words = models.PositiveBigIntegerField(default=0)
    in_graph = models.BooleanField(default=False)
    embedder = models.CharField(max_length=100, blank=True)
    model = models.PositiveSmallIntegerField(default=0)

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
        indexes: ClassVar = [models.Index(fields=["day"], name="token_use_day")]
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
