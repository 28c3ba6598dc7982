import vibe.core.crypto.fields
import vibe.core.db.schema.constraints
from django.db import migrations


class Migration(migrations.Migration):
    """Staff may have recovery codes, and a sign-in code before they have an app."""

    dependencies = [
        ("accounts", "0023_restricted_people_are_indexed"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="onetimedevice", name="one_time_devices_for_staff"),
        migrations.RemoveConstraint(model_name="onetimedevice", name="one_time_devices_for_system"),
        migrations.AddField(
            model_name="onetimedevice",
            name="recovery",
            field=vibe.core.crypto.fields.WrappedField(null=True),
        ),
        migrations.AlterField(
            model_name="onetimedevice",
            name="secret",
            field=vibe.core.crypto.fields.WrappedField(null=True),
        ),
        migrations.AddConstraint(
            model_name="onetimedevice",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="one_time_devices_for_staff",
                role="vibe_staff",
                verbs=(
                    ("SELECT", None),
                    ("INSERT", None),
                    ("UPDATE", ("recovery", "drift", "last_step", "failures", "failed_at")),
                    ("DELETE", None),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="onetimedevice",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="one_time_devices_for_system",
                role="vibe_system",
                verbs=(("SELECT", ("id", "staff_id", "secret", "recovery")), ("UPDATE", ("secret", "recovery"))),
            ),
        ),
    ]
