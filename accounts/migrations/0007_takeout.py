import django.db.models.deletion
import django.db.models.functions.datetime
import vibe.core.db.schema.constraints
import vibe.core.db.schema.owned
from django.conf import settings
from django.db import migrations, models

KEEP = """
CREATE FUNCTION users_leave_by_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.is_staff THEN
        RETURN OLD;  -- apart from what follows, which the role that manages staff may not read
    END IF;
    IF NOT EXISTS (SELECT FROM erasures WHERE person = OLD.id AND begun_at IS NOT NULL)
        OR EXISTS (SELECT FROM user_keys WHERE user_id = OLD.id AND destroyed_at IS NULL) THEN
        RAISE EXCEPTION 'A person goes by an erasure that has begun, after their data keys.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER users_leave_by_erasure BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_leave_by_erasure();

CREATE FUNCTION erasures_stay() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.begun_at IS NULL THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND (
        OLD.finished_at IS NULL AND NEW.begun_at IS NOT DISTINCT FROM coalesce(OLD.begun_at, NEW.begun_at)
        OR EXISTS (SELECT FROM users WHERE id = OLD.person)
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'An erasure that has begun is not taken back, and one that is finished stays.' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER erasures_stay BEFORE UPDATE OR DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION erasures_stay();
"""
RELEASE = """
DROP TRIGGER erasures_stay ON erasures; DROP FUNCTION erasures_stay();
DROP TRIGGER users_leave_by_erasure ON users; DROP FUNCTION users_leave_by_erasure();
"""
GRANTS = [("django_admin_log", "SELECT, DELETE")]


class Migration(migrations.Migration):
    """Exports and erasures. A person goes by an erasure only, keys first, and a tombstone stays."""

    dependencies = [
        ("accounts", "0006_idempotency_keys"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("person", models.UUIDField(unique=True)),
                ("was_active", models.BooleanField(default=True)),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("due_at", models.DateTimeField()),
                ("begun_at", models.DateTimeField(null=True)),
                ("removed", models.JSONField(default=dict)),
                ("finished_at", models.DateTimeField(null=True)),
                ("receipt", models.JSONField(null=True)),
            ],
            options={
                "db_table": "erasures",
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=vibe.core.db.schema.owned.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("removed", "Removed"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("progress", models.PositiveSmallIntegerField(default=0)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("problem", models.CharField(blank=True, max_length=100)),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "exports",
            },
        ),
        migrations.RemoveConstraint(
            model_name="user",
            name="users_for_system",
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
                    ("DELETE", None),
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(condition=models.Q(("finished_at", None)), fields=["due_at"], name="erasures_to_do"),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("receipt", None)),
                    models.Q(("begun_at__isnull", False), ("finished_at__isnull", False), ("receipt__isnull", False)),
                    _connector="OR",
                ),
                name="erasures_finished_with_receipt",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="erasures_for_support", role="vibe_support", verbs=(("SELECT", None),)
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="erasures_for_system",
                role="vibe_system",
                verbs=(
                    ("SELECT", None),
                    ("INSERT", None),
                    ("UPDATE", ("due_at", "begun_at", "removed", "finished_at", "receipt")),
                    ("DELETE", None),
                ),
            ),
        ),
        migrations.AddField(
            model_name="export",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(fields=["user", "-requested_at"], name="exports_of_person"),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(condition=models.Q(("state", "ready")), fields=["expires_at"], name="exports_with_file"),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["waiting", "running"])),
                fields=("user",),
                name="exports_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(condition=models.Q(("progress__lte", 100)), name="exports_percent"),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "ready"), _negated=True),
                    models.Q(("expires_at__isnull", False), ("finished_at__isnull", False), ("progress", 100)),
                    _connector="OR",
                ),
                name="exports_ready_until",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.CompositeReference(
                columns=("user_id",), name="exports_user", to="accounts.User", to_columns=("id",)
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.RowSecurity(
                name="exports_walls", others=(("vibe_support", "true"), ("vibe_system", "true")), owner="user_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="exports_for_user",
                role="vibe_user",
                verbs=(
                    ("SELECT", None),
                    ("INSERT", None),
                    ("UPDATE", ("state", "progress", "size", "problem", "finished_at", "expires_at")),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="exports_for_support", role="vibe_support", verbs=(("SELECT", None),)
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="exports_for_system", role="vibe_system", verbs=(("SELECT", None), ("UPDATE", ("state",)))
            ),
        ),
        migrations.RunSQL(KEEP, RELEASE),
        *(
            migrations.RunSQL(f"GRANT {verbs} ON {table} TO vibe_system", f"REVOKE {verbs} ON {table} FROM vibe_system")
            for table, verbs in GRANTS
        ),
    ]
