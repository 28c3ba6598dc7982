import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.conf import settings
from django.db import migrations, models

# Taken back, corrections go: stories that bore them are told anew. The owner is under the walls too, until lowered.
FORGET_CORRECTIONS = """
ALTER TABLE stories NO FORCE ROW LEVEL SECURITY;
ALTER TABLE passages NO FORCE ROW LEVEL SECURITY;
UPDATE stories SET fingerprint = '' WHERE cardinality(corrected) > 0;
DELETE FROM passages WHERE memory_id IS NULL;
ALTER TABLE passages FORCE ROW LEVEL SECURITY;
ALTER TABLE stories FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0001_initial"),
        ("stories", "0002_token_use"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="story", name="stories_for_support"),
        migrations.AddField(
            model_name="story",
            name="corrected",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=10), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="story",
            name="corrected_from",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(model_name="story", name="corrected_at", field=models.DateTimeField(null=True)),
        migrations.AlterField(
            model_name="passage",
            name="memory",
            field=vibe.core.db.schema.owned.OwnedForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="passages",
                to="memories.memory",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET_CORRECTIONS),
        migrations.AddConstraint(
            model_name="passage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("memory__isnull", True)), fields=("user", "story"), name="passages_one_correction"
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
                            "memory_ids",
                            "in_graph",
                            "processor",
                            "embedder",
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
        migrations.CreateModel(
            name="StoryDeletion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("memory_ids", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ("deleted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                "db_table": "story_deletions",
                "constraints": [
                    models.UniqueConstraint(fields=("user", "conversation"), name="story_deletions_one_each"),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("user_id", "conversation_id"),
                        name="story_deletions_conversation",
                        to="memories.Conversation",
                        to_columns=("user_id", "id"),
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="story_deletions_walls",
                        others=(("vibe_support", "true"), ("vibe_system", "true")),
                        owner="user_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="story_deletions_for_user",
                        role="vibe_user",
                        verbs=(("SELECT", None), ("INSERT", None), ("DELETE", None)),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="story_deletions_for_support",
                        role="vibe_support",
                        verbs=(("SELECT", ("id", "user_id", "conversation_id", "deleted_at")),),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="story_deletions_for_system",
                        role="vibe_system",
                        verbs=(("SELECT", ("id", "user_id")),),
                    ),
                ],
            },
        ),
    ]
