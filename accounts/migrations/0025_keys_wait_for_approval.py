import django.db.models.functions.datetime
import vibe.core.db.schema.constraints
from django.db import migrations, models

SHOWN = (
    "id",
    "name",
    "hint",
    "scopes",
    "person",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "made_by",
    "approved_at",
    "approved_by",
)


class Migration(migrations.Migration):
    """An API key that staff make waits for a second person. Those that are there are approved."""

    dependencies = [
        ("accounts", "0024_recovery_codes"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="apikey", name="api_keys_for_user"),
        migrations.RemoveConstraint(model_name="apikey", name="api_keys_for_support"),
        migrations.RemoveConstraint(model_name="apikey", name="api_keys_for_system"),
        migrations.AddField(
            model_name="apikey",
            name="approved_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True),
        ),
        migrations.AddField(model_name="apikey", name="approved_by", field=models.UUIDField(null=True)),
        migrations.AddField(model_name="apikey", name="made_by", field=models.UUIDField(null=True)),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_user", role="vibe_user", verbs=(("SELECT", SHOWN),)
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_support",
                role="vibe_support",
                verbs=(("SELECT", SHOWN), ("UPDATE", ("revoked_at", "approved_at", "approved_by"))),
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_system",
                role="vibe_system",
                verbs=(("SELECT", SHOWN), ("INSERT", None), ("UPDATE", ("revoked_at",))),
            ),
        ),
    ]
