import django.db.models.functions.datetime
import vibe.core.crypto.fields
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where the secrets of one-time codes lie from now on: wrapped under the master key, behind walls."""

    dependencies = [
        ("accounts", "0007_takeout"),
    ]

    operations = [
        migrations.CreateModel(
            name="OneTimeDevice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("staff_id", models.UUIDField(unique=True)),
                ("secret", vibe.core.crypto.fields.WrappedField()),
                ("drift", models.SmallIntegerField(default=0)),
                ("last_step", models.BigIntegerField(default=-1)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "one_time_devices",
                "constraints": [
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("staff_id",), name="one_time_devices_staff", to="accounts.User", to_columns=("id",)
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="one_time_devices_walls",
                        others=(("vibe_staff", "true"), ("vibe_system", "true")),
                        owner="staff_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="one_time_devices_for_staff",
                        role="vibe_staff",
                        verbs=(
                            ("SELECT", None),
                            ("INSERT", None),
                            ("UPDATE", ("drift", "last_step", "failures", "failed_at")),
                            ("DELETE", None),
                        ),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="one_time_devices_for_system",
                        role="vibe_system",
                        verbs=(("SELECT", ("id", "staff_id", "secret")), ("UPDATE", ("secret",))),
                    ),
                ],
            },
        ),
    ]
