from django.db import migrations, models

from vibe.core.db.schema.operations import AddPartitionedIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("audit", "0004_what_staff_did_is_indexed"),
    ]

    operations = [
        AddPartitionedIndex(
            model_name="auditlog",
            index=models.Index(
                condition=models.Q(
                    models.Q(("action", "memories.search"), ("details__memories", [])),
                    models.Q(("action", "stories.search"), ("details__stories", [])),
                    _connector="OR",
                ),
                fields=["-at", "-id"],
                name="audit_logs_fruitless",
            ),
        ),
    ]
