from django.db import migrations, models


class Migration(migrations.Migration):
    """A conversation is found by the name that its app gave it, whosever it is."""

    atomic = False

    dependencies = [("memories", "0005_uploads_are_imported")]

    operations = [
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("external_id__isnull", False)),
                fields=["external_id"],
                name="conversations_by_name",
                opclasses=["varchar_pattern_ops"],
            ),
        ),
    ]
