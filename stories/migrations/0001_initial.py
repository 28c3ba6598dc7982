import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import pgvector.django.halfvec
import pgvector.django.indexes
import vibe.core.crypto.fields
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("memories", "0003_expiring_and_companions_are_indexed"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Story",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("title", vibe.core.crypto.fields.SealedField(null=True)),
                ("text", vibe.core.crypto.fields.SealedField(null=True)),
                ("people", vibe.core.crypto.fields.SealedField(null=True)),
                ("places", vibe.core.crypto.fields.SealedField(null=True)),
                ("events", vibe.core.crypto.fields.SealedField(null=True)),
                (
                    "people_index",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "places_index",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "events_index",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("occurred_from", models.DateTimeField()),
                ("occurred_to", models.DateTimeField()),
                ("is_open", models.BooleanField(default=False)),
                ("memory_count", models.PositiveIntegerField(default=0)),
                (
                    "memory_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                ("passage_count", models.PositiveIntegerField(default=0)),
                ("word_count", models.PositiveIntegerField(default=0)),
                ("embedding", pgvector.django.halfvec.HalfVectorField(dimensions=512, null=True)),
                ("in_graph", models.BooleanField(default=False)),
                ("processor", models.CharField(blank=True, max_length=100)),
                ("embedder", models.CharField(blank=True, max_length=100)),
                ("due_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("failure", models.CharField(blank=True, max_length=300)),
                (
                    "corrected",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10), db_default=[], default=list, size=None
                    ),
                ),
                (
                    "corrected_from",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), db_default=[], default=list, size=None
                    ),
                ),
                ("corrected_at", models.DateTimeField(null=True)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("built_at", models.DateTimeField(null=True)),
                (
                    "conversation",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="stories",
                        to="memories.conversation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "stories",
                "db_table": "stories",
            },
        ),
        migrations.CreateModel(
            name="Passage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("memory_revision", models.PositiveIntegerField(default=1)),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("context", models.UUIDField(null=True)),
                ("role", models.CharField(default="other", max_length=10)),
                ("speaker", models.BigIntegerField()),
                (
                    "metadata_index",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), null=True, size=None
                    ),
                ),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("length", models.PositiveIntegerField()),
                ("occurred_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("embedding", pgvector.django.halfvec.HalfVectorField(dimensions=512, null=True)),
                ("model", models.PositiveSmallIntegerField(default=0)),
                ("form", models.PositiveSmallIntegerField(default=0)),
                ("in_graph", models.BooleanField(default=False)),
                (
                    "conversation",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="memories.conversation",
                    ),
                ),
                (
                    "memory",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="passages",
                        to="memories.memory",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "story",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="passages",
                        to="stories.story",
                    ),
                ),
            ],
            options={
                "db_table": "passages",
            },
        ),
        migrations.CreateModel(
            name="NextVector",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("part", models.SmallIntegerField()),
                ("revision", models.PositiveIntegerField()),
                ("embedder", models.CharField(max_length=100)),
                ("embedding", pgvector.django.halfvec.HalfVectorField(dimensions=512, null=True)),
                (
                    "memory",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="memories.memory",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "story",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="stories.story",
                    ),
                ),
            ],
            options={
                "db_table": "next_vectors",
            },
        ),
        migrations.CreateModel(
            name="TokenUse",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("tokens", models.PositiveBigIntegerField()),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "token use",
                "db_table": "token_use",
            },
        ),
        migrations.CreateModel(
            name="Entity",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("speaker", "Speaker"), ("person", "Person"), ("place", "Place"), ("event", "Event")],
                        max_length=10,
                    ),
                ),
                ("token", models.BigIntegerField()),
                ("name", vibe.core.crypto.fields.SealedField()),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entities",
                "db_table": "entities",
                "constraints": [
                    models.UniqueConstraint(fields=("user", "kind", "token"), name="entities_once"),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("user_id",), name="entities_user", to="accounts.User", to_columns=("id",)
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="entities_walls",
                        others=(("vibe_support", "true"), ("vibe_system", "true")),
                        owner="user_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="entities_for_user",
                        role="vibe_user",
                        verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None), ("DELETE", None)),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="entities_for_support", role="vibe_support", verbs=(("SELECT", ("id", "user_id", "kind")),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="entities_for_system", role="vibe_system", verbs=(("SELECT", ("id", "user_id")),)
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PendingMemory",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bulk", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "memory",
                    vibe.core.db.schema.owned.OwnedForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="memories.memory",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "pending memories",
                "db_table": "pending_memories",
                "indexes": [models.Index(fields=["created_at"], name="pending_memories_oldest")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "memory"), name="pending_memories_once"),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("user_id", "memory_id"),
                        name="pending_memories_memory",
                        to="memories.Memory",
                        to_columns=("user_id", "id"),
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="pending_memories_walls",
                        others=(("vibe_support", "true"), ("vibe_system", "true")),
                        owner="user_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="pending_memories_for_user",
                        role="vibe_user",
                        verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None), ("DELETE", None)),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="pending_memories_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="pending_memories_for_system",
                        role="vibe_system",
                        verbs=(("SELECT", ("id", "user_id", "bulk", "created_at")),),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchSet",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("passages", models.PositiveIntegerField(default=0)),
                ("words", models.PositiveBigIntegerField(default=0)),
                ("in_graph", models.BooleanField(default=False)),
                ("embedder", models.CharField(blank=True, max_length=100)),
                ("model", models.PositiveSmallIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "search_sets",
                "constraints": [
                    models.UniqueConstraint(fields=("user",), name="search_sets_one_each"),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("user_id",), name="search_sets_user", to="accounts.User", to_columns=("id",)
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="search_sets_walls",
                        others=(("vibe_support", "true"), ("vibe_system", "true")),
                        owner="user_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="search_sets_for_user",
                        role="vibe_user",
                        verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None), ("DELETE", None)),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="search_sets_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="search_sets_for_system", role="vibe_system", verbs=(("SELECT", None),)
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="story",
            index=models.Index(fields=["user", "-occurred_from"], name="stories_newest"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=models.Index(fields=["user", "conversation", "occurred_from"], name="stories_of_conversation"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="stories_due"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=django.contrib.postgres.indexes.GinIndex(fields=["people_index"], name="stories_people"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=django.contrib.postgres.indexes.GinIndex(fields=["places_index"], name="stories_places"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=django.contrib.postgres.indexes.GinIndex(fields=["events_index"], name="stories_events"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=django.contrib.postgres.indexes.GinIndex(fields=["memory_ids"], name="stories_memories"),
        ),
        migrations.AddIndex(
            model_name="story",
            index=pgvector.django.indexes.HnswIndex(
                condition=models.Q(("in_graph", True)),
                fields=["embedding"],
                name="stories_embedding",
                opclasses=["halfvec_cosine_ops"],
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=models.UniqueConstraint(fields=("user", "id"), name="stories_owner"),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_open", True)), fields=("user", "conversation"), name="stories_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "conversation_id"),
                name="stories_conversation",
                to="memories.Conversation",
                to_columns=("user_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="stories_walls", others=(("vibe_support", "true"), ("vibe_system", "true")), owner="user_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="stories_for_user",
                role="vibe_user",
                verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None), ("DELETE", None)),
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="stories_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "user_id",
                            "conversation_id",
                            "occurred_from",
                            "occurred_to",
                            "is_open",
                            "memory_count",
                            "memory_ids",
                            "in_graph",
                            "processor",
                            "embedder",
                            "due_at",
                            "tries",
                            "failure",
                            "corrected",
                            "corrected_at",
                            "revision",
                            "created_at",
                            "built_at",
                        ),
                    ),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="story",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="stories_for_system",
                role="vibe_system",
                verbs=(("SELECT", ("id", "user_id", "created_at", "due_at", "tries", "failure")),),
            ),
        ),
        migrations.AddIndex(
            model_name="passage",
            index=models.Index(fields=["user", "story"], name="passages_of_story"),
        ),
        migrations.AddIndex(
            model_name="passage",
            index=models.Index(
                condition=models.Q(("context__isnull", False)), fields=["user", "context"], name="passages_context"
            ),
        ),
        migrations.AddIndex(
            model_name="passage",
            index=models.Index(condition=models.Q(("in_graph", False)), fields=["user"], name="passages_outside_graph"),
        ),
        migrations.AddIndex(
            model_name="passage",
            index=django.contrib.postgres.indexes.GinIndex(fields=["words"], name="passages_words"),
        ),
        migrations.AddIndex(
            model_name="passage",
            index=pgvector.django.indexes.HnswIndex(
                condition=models.Q(("in_graph", True)),
                fields=["embedding"],
                name="passages_embedding",
                opclasses=["halfvec_cosine_ops"],
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=models.UniqueConstraint(fields=("user", "memory", "part"), name="passages_one_per_part"),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("memory__isnull", True)), fields=("user", "story"), name="passages_one_correction"
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "conversation_id"),
                name="passages_conversation",
                to="memories.Conversation",
                to_columns=("user_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "story_id"), name="passages_story", to="stories.Story", to_columns=("user_id", "id")
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "memory_id"),
                name="passages_memory",
                to="memories.Memory",
                to_columns=("user_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="passages_walls",
                others=(
                    ("vibe_support", "true"),
                    ("vibe_system", "true"),
                    (
                        "vibe_words",
                        "user_id = nullif(current_setting('vibe.user_id', true), '')::uuid AND words && nullif(current_setting('vibe.words', true), '')::bigint[]",
                    ),
                ),
                owner="user_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="passages_for_user",
                role="vibe_user",
                verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None), ("DELETE", None)),
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="passages_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "user_id",
                            "conversation_id",
                            "story_id",
                            "memory_id",
                            "part",
                            "role",
                            "length",
                            "occurred_at",
                            "in_graph",
                            "form",
                        ),
                    ),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="passages_for_words",
                role="vibe_words",
                verbs=(("SELECT", ("id", "user_id", "story_id", "words", "length")),),
            ),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="passages_for_system",
                role="vibe_system",
                verbs=(("SELECT", ("id", "user_id", "in_graph", "form")),),
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=models.UniqueConstraint(fields=("user", "memory", "part"), name="next_vectors_of_memory"),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=models.UniqueConstraint(fields=("user", "story", "part"), name="next_vectors_of_story"),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "story_id"),
                name="next_vectors_story",
                to="stories.Story",
                to_columns=("user_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id", "memory_id"),
                name="next_vectors_memory",
                to="memories.Memory",
                to_columns=("user_id", "id"),
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="next_vectors_walls", others=(("vibe_support", "true"), ("vibe_system", "true")), owner="user_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="next_vectors_for_user",
                role="vibe_user",
                verbs=(("SELECT", None), ("INSERT", None), ("DELETE", None)),
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="next_vectors_for_support",
                role="vibe_support",
                verbs=(("SELECT", ("id", "user_id", "story_id", "memory_id", "part", "revision", "embedder")),),
            ),
        ),
        migrations.AddConstraint(
            model_name="nextvector",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="next_vectors_for_system", role="vibe_system", verbs=(("SELECT", ("id", "user_id")),)
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=models.UniqueConstraint(fields=("user", "day"), name="token_use_one_a_day"),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id",), name="token_use_user", to="accounts.User", to_columns=("id",)
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="token_use_walls", others=(("vibe_support", "true"), ("vibe_system", "true")), owner="user_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="token_use_for_user",
                role="vibe_user",
                verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", ("tokens",))),
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="token_use_for_support", role="vibe_support", verbs=(("SELECT", None),)
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenuse",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="token_use_for_system", role="vibe_system", verbs=(("SELECT", None),)
            ),
        ),
    ]
