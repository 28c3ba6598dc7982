from django.db import migrations, models


class Migration(migrations.Migration):
    """Requests that wait for an approver are found without reading those of before."""

    atomic = False

    dependencies = [("accounts", "0016_keys_that_make_people")]

    operations = [
        migrations.AddIndex(
            model_name="accessgrant",
            index=models.Index(
                condition=models.Q(("approved", None), ("ended_at", None)),
                fields=["requested_at"],
                name="access_grants_waiting",
            ),
        ),
    ]
