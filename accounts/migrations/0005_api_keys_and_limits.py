import django.contrib.postgres.fields
import django.db.models.functions.datetime
import django.db.models.lookups
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.db import migrations, models


class Migration(migrations.Migration):
    """API keys, the buckets of requests, and since when a person's tokens are valid."""

    dependencies = [
        ("accounts", "0004_roles_on_sign_in_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("hint", models.CharField(max_length=20)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), size=None),
                ),
                ("person", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "API key",
                "db_table": "api_keys",
            },
        ),
        migrations.CreateModel(
            name="RateLimit",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("full_at", models.DateTimeField()),
                ("refused", models.PositiveIntegerField(default=0)),
            ],
            options={
                "db_table": "rate_limits",
            },
        ),
        migrations.RemoveConstraint(
            model_name="user",
            name="users_for_sign_in",
        ),
        migrations.RemoveConstraint(
            model_name="user",
            name="users_for_support",
        ),
        migrations.RemoveConstraint(
            model_name="user",
            name="users_for_system",
        ),
        migrations.AddField(
            model_name="user",
            name="tokens_valid_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="users_for_sign_in",
                role="vibe_sign_in",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "firebase_uid",
                            "email",
                            "email_verified",
                            "is_active",
                            "is_staff",
                            "created_at",
                            "updated_at",
                            "last_login",
                            "tokens_valid_since",
                        ),
                    ),
                    ("INSERT", None),
                    ("UPDATE", ("last_login",)),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="users_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "firebase_uid",
                            "email",
                            "email_verified",
                            "is_active",
                            "is_staff",
                            "created_at",
                            "updated_at",
                            "last_login",
                            "tokens_valid_since",
                            "is_superuser",
                        ),
                    ),
                    ("UPDATE", ("is_active", "last_login", "tokens_valid_since", "updated_at")),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="users_for_system",
                role="vibe_system",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "firebase_uid",
                            "email",
                            "email_verified",
                            "is_active",
                            "is_staff",
                            "created_at",
                            "updated_at",
                            "last_login",
                            "tokens_valid_since",
                            "is_superuser",
                            "name",
                        ),
                    ),
                    ("UPDATE", ("name",)),
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="apikey",
            index=models.Index(fields=["-created_at"], name="api_keys_newest"),
        ),
        migrations.AddIndex(
            model_name="apikey",
            index=models.Index(
                condition=models.Q(("person__isnull", False)), fields=["person"], name="api_keys_of_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    models.Func(models.F("digest"), function="octet_length", output_field=models.IntegerField()),
                    models.Value(32),
                ),
                name="api_keys_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("scopes__contained_by", ["erase", "export", "read", "write"]), ("scopes__len__gt", 0)
                ),
                name="api_keys_scopes",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("person",), name="api_keys_person", to="accounts.User", to_columns=("id",)
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="api_keys_walls",
                others=(
                    ("vibe_support", "true"),
                    ("vibe_system", "true"),
                    ("vibe_sign_in", "digest = decode(nullif(current_setting('vibe.api_key', true), ''), 'hex')"),
                ),
                owner="person",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_user",
                role="vibe_user",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "name",
                            "hint",
                            "scopes",
                            "person",
                            "created_at",
                            "expires_at",
                            "last_used_at",
                            "revoked_at",
                        ),
                    ),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_sign_in",
                role="vibe_sign_in",
                verbs=(("SELECT", None), ("UPDATE", ("last_used_at",))),
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_support",
                role="vibe_support",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "name",
                            "hint",
                            "scopes",
                            "person",
                            "created_at",
                            "expires_at",
                            "last_used_at",
                            "revoked_at",
                        ),
                    ),
                    ("UPDATE", ("revoked_at",)),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="api_keys_for_system",
                role="vibe_system",
                verbs=(
                    (
                        "SELECT",
                        (
                            "id",
                            "name",
                            "hint",
                            "scopes",
                            "person",
                            "created_at",
                            "expires_at",
                            "last_used_at",
                            "revoked_at",
                        ),
                    ),
                    ("INSERT", None),
                    ("UPDATE", ("revoked_at",)),
                ),
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE rate_limits SET UNLOGGED; ALTER TABLE rate_limits SET (fillfactor = 50)",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="ratelimit",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="rate_limits_for_sign_in",
                role="vibe_sign_in",
                verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", None)),
            ),
        ),
        migrations.AddConstraint(
            model_name="ratelimit",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="rate_limits_for_system", role="vibe_system", verbs=(("SELECT", None), ("DELETE", None))
            ),
        ),
    ]
