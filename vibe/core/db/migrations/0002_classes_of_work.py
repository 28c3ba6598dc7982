import django.db.models.functions.datetime
from django.db import migrations, models

import vibe.core.db.schema.constraints


class Migration(migrations.Migration):
    """Which class of work each worker does, and how the last job of each class failed."""

    dependencies = [
        ("vibe_db", "0001_extensions_and_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobFailure",
            fields=[
                ("queue", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("task", models.CharField(max_length=128)),
                ("code", models.CharField(max_length=200)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "job_failures",
                "constraints": [
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_failures_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_failures_for_system", role="vibe_system", verbs=(("SELECT", None),)
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JobWorker",
            fields=[
                ("worker_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("queue", models.CharField(max_length=128)),
                ("slots", models.PositiveSmallIntegerField()),
            ],
            options={
                "db_table": "job_workers",
                "constraints": [
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_workers_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_workers_for_system", role="vibe_system", verbs=(("SELECT", None),)
                    ),
                ],
            },
        ),
    ]
