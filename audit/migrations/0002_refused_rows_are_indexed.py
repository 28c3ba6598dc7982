from django.db import migrations, models

from vibe.core.db.schema.operations import AddPartitionedIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("audit", "0001_trail"),
    ]

    operations = [
        AddPartitionedIndex(
            model_name="auditlog",
            index=models.Index(
                condition=models.Q(("outcome", "ok"), _negated=True),
                fields=["-at", "-id"],
                name="audit_logs_refused",
            ),
        ),
    ]
