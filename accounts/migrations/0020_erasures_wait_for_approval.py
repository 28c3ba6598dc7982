import vibe.core.db.schema.constraints
from django.db import migrations, models


class Migration(migrations.Migration):
    """An erasure that staff request says why, and may wait for a second person."""

    dependencies = [
        ("accounts", "0019_webhooks"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="erasure",
            name="erasures_for_system",
        ),
        migrations.AddField(
            model_name="erasure",
            name="approved_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="approved_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="needs_approval",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name="erasure",
            name="reason",
            field=models.TextField(db_default=""),
        ),
        migrations.AddField(
            model_name="erasure",
            name="requested_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="erasure",
            name="ticket",
            field=models.CharField(db_default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="erasure",
            name="due_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="erasures_for_system",
                role="vibe_system",
                verbs=(
                    ("SELECT", None),
                    ("INSERT", None),
                    (
                        "UPDATE",
                        (
                            "was_active",
                            "needs_approval",
                            "approved_by",
                            "approved_at",
                            "due_at",
                            "begun_at",
                            "removed",
                            "finished_at",
                            "receipt",
                        ),
                    ),
                    ("DELETE", None),
                ),
            ),
        ),
    ]
