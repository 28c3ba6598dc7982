from django.db import migrations, models


class Migration(migrations.Migration):
    """No erasure begins before it is due, nor is due before it is approved where it needs that."""

    atomic = False

    dependencies = [("accounts", "0020_erasures_wait_for_approval")]

    operations = [
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(("begun_at", None), ("due_at__isnull", False), _connector="OR"),
                name="erasures_due_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("needs_approval", False), ("due_at", None), ("approved_by__isnull", False), _connector="OR"
                ),
                name="erasures_approved_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at", None), ("approved_by", None)),
                    models.Q(
                        ("approved_at__isnull", False),
                        ("requested_by__isnull", False),
                        models.Q(("approved_by", models.F("requested_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="erasures_four_eyes",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("requested_by", None),
                    models.Q(models.Q(("reason", ""), _negated=True), models.Q(("ticket", ""), _negated=True)),
                    _connector="OR",
                ),
                name="erasures_say_why",
            ),
        ),
    ]
