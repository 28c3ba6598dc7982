import vibe.core.db.schema.constraints
from django.db import migrations, models


class Migration(migrations.Migration):
    """The processing of a person's data may be restricted (GDPR, article 18)."""

    dependencies = [
        ("accounts", "0021_erasures_are_approved_first"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="user",
            name="users_for_user",
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
            name="restricted_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="processing restricted"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="users_for_user",
                role="vibe_user",
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
                            "restricted_at",
                            "name",
                        ),
                    ),
                    ("UPDATE", ("email", "email_verified", "name", "updated_at")),
                ),
            ),
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
                            "restricted_at",
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
                            "restricted_at",
                            "last_login",
                            "tokens_valid_since",
                            "is_superuser",
                        ),
                    ),
                    ("UPDATE", ("is_active", "restricted_at", "last_login", "tokens_valid_since", "updated_at")),
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
                            "restricted_at",
                            "last_login",
                            "tokens_valid_since",
                            "is_superuser",
                            "name",
                        ),
                    ),
                    ("UPDATE", ("name",)),
                    ("DELETE", None),
                ),
            ),
        ),
    ]
