from django.db import migrations, models


class Migration(migrations.Migration):
    """What lists and searches are narrowed by is read from an index, not from the rows with their vectors."""

    atomic = False

    dependencies = [
        ("stories", "0003_facts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="passage",
            index=models.Index(
                fields=["user", "-occurred_at", "-memory"],
                include=("id", "part", "length", "conversation", "role", "speaker", "metadata_index", "expires_at"),
                name="passages_newest",
            ),
        ),
    ]
