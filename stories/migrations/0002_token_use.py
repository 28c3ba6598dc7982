import django.db.models.deletion
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stories", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TokenUse",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("tokens", models.PositiveBigIntegerField()),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "token use",
                "db_table": "token_use",
                "constraints": [
                    models.UniqueConstraint(fields=("user", "day"), name="token_use_one_a_day"),
                    vibe.core.db.schema.constraints.CompositeReference(
                        columns=("user_id",), name="token_use_user", to="accounts.User", to_columns=("id",)
                    ),
                    vibe.core.db.schema.constraints.RowSecurity(
                        name="token_use_walls",
                        others=(("vibe_support", "true"), ("vibe_system", "true")),
                        owner="user_id",
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="token_use_for_user",
                        role="vibe_user",
                        verbs=(("SELECT", None), ("INSERT", None), ("UPDATE", ("tokens",))),
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="token_use_for_support", role="vibe_support", verbs=(("SELECT", None),)
                    ),
                    vibe.core.db.schema.constraints.Privileges(
                        name="token_use_for_system", role="vibe_system", verbs=(("SELECT", None),)
                    ),
                ],
            },
        ),
    ]
