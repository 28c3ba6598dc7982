from django.db import migrations, models


class Migration(migrations.Migration):
    """Tokens of all people are added up by day without reading the days of before."""

    atomic = False

    dependencies = [("stories", "0001_initial")]

    operations = [
        migrations.AddIndex(model_name="tokenuse", index=models.Index(fields=["day"], name="token_use_day")),
    ]
