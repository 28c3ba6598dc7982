from django.db import migrations, models

from vibe.core.db.schema.operations import AddPartitionedIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("audit", "0003_guard_looks_up_temporary_tables_last"),
    ]

    operations = [
        AddPartitionedIndex(
            model_name="auditlog",
            index=models.Index(
                condition=models.Q(("actor_kind", "staff"), ("subject__isnull", False)),
                fields=["subject", "-at", "-id"],
                name="audit_logs_subject_staff",
            ),
        ),
    ]
