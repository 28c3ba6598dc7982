from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_one_time_secrets_wrapped"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={"permissions": [("see_health", "Can see the health of the database")]},
        ),
    ]
