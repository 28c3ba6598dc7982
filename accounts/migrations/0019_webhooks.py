import django.contrib.postgres.fields
import django.db.models.functions.datetime
import vibe.core.crypto.fields
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.db import migrations, models


class Migration(migrations.Migration):
    """Webhooks: where API keys have events sent to, and what waits or was sent."""

    dependencies = [
        ("accounts", "0018_exports_of_one_companion"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("api_key", models.UUIDField()),
                ("url", models.CharField(max_length=500)),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None),
                ),
                ("secret", vibe.core.crypto.fields.WrappedField()),
                ("old_secret", vibe.core.crypto.fields.WrappedField(null=True)),
                ("old_secret_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("resting_until", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("failing_since", models.DateTimeField(null=True)),
                ("disabled_at", models.DateTimeField(null=True)),
                ("disabled_why", models.CharField(db_default="", max_length=200)),
            ],
            options={
                "verbose_name": "webhook",
                "db_table": "webhook_endpoints",
                "constraints": [
                    models.UniqueConstraint(fields=("api_key", "url"), name="webhook_endpoints_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "events__contained_by",
                                ["erasure.done", "export.ready", "grant.opened", "import.ready", "story.built"],
                            ),
                            ("events__len__gt", 0),
                        ),
                        name="webhook_endpoints_events",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("old_secret__isnull", True), ("old_secret_until__isnull", True)),
                            models.Q(("old_secret__isnull", False), ("old_secret_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="webhook_endpoints_old_secret",
                    ),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("api_key",), name="webhook_endpoints_key", to="accounts.ApiKey", to_columns=("id",)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="webhook_endpoints_for_support",
                        role="vibe_support",
                        verbs=(
                            (
                                "SELECT",
                                (
                                    "id",
                                    "api_key",
                                    "url",
                                    "events",
                                    "created_at",
                                    "old_secret_until",
                                    "failing_since",
                                    "disabled_at",
                                    "disabled_why",
                                ),
                            ),
                        ),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="webhook_endpoints_for_system",
                        role="vibe_system",
                        verbs=(
                            ("SELECT", None),
                            ("INSERT", None),
                            (
                                "UPDATE",
                                (
                                    "url",
                                    "events",
                                    "secret",
                                    "old_secret",
                                    "old_secret_until",
                                    "resting_until",
                                    "failing_since",
                                    "disabled_at",
                                    "disabled_why",
                                ),
                            ),
                            ("DELETE", None),
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("endpoint", models.UUIDField()),
                ("event", models.CharField(max_length=20)),
                ("person", models.UUIDField()),
                ("resource", models.UUIDField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("delivered", "Delivered"), ("given up", "Given Up")],
                        db_default="waiting",
                        max_length=10,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(db_default=0)),
                ("next_try_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True)),
                ("failure", models.CharField(db_default="", max_length=200)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
                "db_table": "webhook_deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["endpoint", "next_try_at", "id"],
                        name="webhook_deliveries_due",
                    ),
                    models.Index(fields=["endpoint", "-id"], name="webhook_deliveries_endpoint"),
                    models.Index(fields=["person"], name="webhook_deliveries_person"),
                    models.Index(
                        condition=models.Q(("state", "waiting"), _negated=True),
                        fields=["finished_at"],
                        name="webhook_deliveries_over",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at", None), ("next_try_at__isnull", False), ("state", "waiting")),
                            models.Q(
                                models.Q(("state", "waiting"), _negated=True),
                                ("finished_at__isnull", False),
                                ("next_try_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="webhook_deliveries_finished",
                    ),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("endpoint",),
                        name="webhook_deliveries_webhook",
                        to="accounts.WebhookEndpoint",
                        to_columns=("id",),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="webhook_deliveries_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="webhook_deliveries_for_system",
                        role="vibe_system",
                        verbs=(
                            ("SELECT", None),
                            ("INSERT", None),
                            ("UPDATE", ("state", "tries", "next_try_at", "failure", "finished_at")),
                            ("DELETE", None),
                        ),
                    ),
                ],
            },
        ),
    ]
