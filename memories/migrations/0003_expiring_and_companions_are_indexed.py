from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("memories", "0002_role_expiry_and_companion"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("companion_token__isnull", False)),
                fields=["user", "companion_token"],
                name="conversations_companion",
            ),
        ),
        migrations.AddIndex(
            model_name="memory",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)), fields=["expires_at"], name="memories_expiring"
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("companion__isnull", True), ("companion_token__isnull", True)),
                    models.Q(("companion__isnull", False), ("companion_token__isnull", False)),
                    _connector="OR",
                ),
                name="conversations_companion_and_token",
            ),
        ),
        migrations.AddConstraint(
            model_name="memory",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["user", "assistant", "system", "tool", "other"])), name="memories_role"
            ),
        ),
    ]
