from django.db import migrations, models


class Migration(migrations.Migration):
    """Sweeps pass over people whose processing is restricted without reading the others."""

    atomic = False

    dependencies = [("accounts", "0022_processing_may_be_restricted")]

    operations = [
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("restricted_at__isnull", False)), fields=["id"], name="users_restricted"
            ),
        ),
    ]
