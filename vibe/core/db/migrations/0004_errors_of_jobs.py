import django.db.models.functions.datetime
from django.db import migrations, models

import vibe.core.db.schema.constraints
from vibe.core.db.schema.operations import Assured

# A foreign key of Django's own would not let procrastinate delete the jobs that are done.
GOES_WITH_ITS_JOB = (
    "ALTER TABLE job_errors ADD CONSTRAINT job_errors_job FOREIGN KEY (job_id) "
    "REFERENCES procrastinate_jobs (id) ON DELETE CASCADE"
)


class Migration(migrations.Migration):
    """How each job failed last, by its code, as long as the job is there."""

    dependencies = [
        ("vibe_db", "0003_temporary_tables_for_the_owner_alone"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobError",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=200)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "job_errors",
                "constraints": [
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_errors_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="job_errors_for_system", role="vibe_system", verbs=(("SELECT", None),)
                    ),
                ],
            },
        ),
        Assured(
            "The table is new and empty: jobs are locked for as long as the catalog takes.",
            [migrations.RunSQL(GOES_WITH_ITS_JOB, "ALTER TABLE job_errors DROP CONSTRAINT job_errors_job")],
        ),
    ]
