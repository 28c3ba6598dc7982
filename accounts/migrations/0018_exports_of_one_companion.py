import vibe.core.db.schema.constraints
from django.db import migrations, models


class Migration(migrations.Migration):
    """An export may hold what was said to one companion alone. Neither support nor the system sees which."""

    dependencies = [
        ("accounts", "0017_waiting_grants_are_indexed"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="export",
            name="exports_for_support",
        ),
        migrations.RemoveConstraint(
            model_name="export",
            name="exports_for_system",
        ),
        migrations.AddField(
            model_name="export",
            name="companion_token",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="exports_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "user_id",
                            "state",
                            "progress",
                            "size",
                            "problem",
                            "requested_at",
                            "finished_at",
                            "expires_at",
                        ),
                    ),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="exports_for_system",
                role="vibe_system",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "user_id",
                            "state",
                            "progress",
                            "size",
                            "problem",
                            "requested_at",
                            "finished_at",
                            "expires_at",
                        ),
                    ),
                    ("UPDATE", ("state",)),
                ),
            ),
        ),
    ]
