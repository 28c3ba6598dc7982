import vibe.core.db.schema.constraints
from django.db import migrations, models


class Migration(migrations.Migration):
    """How many values each data key has sealed, about: counted by whatever keeps the house, seen by support."""

    dependencies = [
        ("accounts", "0012_keys_first_on_every_shard"),
    ]

    operations = [
        migrations.AddField(model_name="userkey", name="sealed", field=models.BigIntegerField(db_default=0)),
        migrations.RemoveConstraint(model_name="userkey", name="user_keys_for_support"),
        migrations.RemoveConstraint(model_name="userkey", name="user_keys_for_system"),
        migrations.RemoveConstraint(model_name="userkey", name="user_keys_for_sign_in"),
        migrations.AddConstraint(
            model_name="userkey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="user_keys_for_support",
                role="vibe_support",
                verbs=(("SELECT", ("id", "user_id", "generation", "sealed", "created_at", "destroyed_at")),),
            ),
        ),
        migrations.AddConstraint(
            model_name="userkey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="user_keys_for_system",
                role="vibe_system",
                verbs=(("SELECT", None), ("UPDATE", ("wrapped", "sealed", "destroyed_at"))),
            ),
        ),
        migrations.AddConstraint(
            model_name="userkey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="user_keys_for_sign_in",
                role="vibe_sign_in",
                verbs=(("SELECT", ("sealed", "created_at")), ("INSERT", None)),
            ),
        ),
    ]
