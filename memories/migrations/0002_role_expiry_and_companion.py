import vibe.core.crypto.fields
import vibe.core.db.schema.constraints
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="memory",
            name="memories_for_support",
        ),
        migrations.RemoveConstraint(
            model_name="memory",
            name="memories_for_system",
        ),
        migrations.AddField(
            model_name="conversation",
            name="companion",
            field=vibe.core.crypto.fields.SealedField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="companion_token",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="memory",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="memory",
            name="role",
            field=models.CharField(
                choices=[
                    ("user", "User"),
                    ("assistant", "Assistant"),
                    ("system", "System"),
                    ("tool", "Tool"),
                    ("other", "Other"),
                ],
                db_default="other",
                max_length=9,
            ),
        ),
        migrations.AddConstraint(
            model_name="memory",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="memories_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "user_id",
                            "conversation_id",
                            "message_ids",
                            "role",
                            "occurred_at",
                            "expires_at",
                            "revision",
                            "created_at",
                            "updated_at",
                        ),
                    ),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="memory",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="memories_for_system",
                role="vibe_system",
                verbs=(("SELECT", ("id", "user_id", "created_at", "expires_at")),),
            ),
        ),
    ]
