from django.db import migrations, models


class Migration(migrations.Migration):
    """API keys that wait are found by an index, and whoever made one does not approve it."""

    atomic = False

    dependencies = [("accounts", "0025_keys_wait_for_approval")]

    operations = [
        migrations.AddIndex(
            model_name="apikey",
            index=models.Index(
                condition=models.Q(("approved_at", None), ("revoked_at", None)),
                fields=["created_at"],
                name="api_keys_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by", None),
                    models.Q(
                        ("approved_at__isnull", False),
                        ("made_by__isnull", False),
                        models.Q(("approved_by", models.F("made_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="api_keys_four_eyes",
            ),
        ),
    ]
