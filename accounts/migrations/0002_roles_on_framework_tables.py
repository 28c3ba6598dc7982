from django.db import migrations

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
GRANTS = [
    # table, role, verbs
    ("django_session", "vibe_support", EVERYTHING),
    ("django_content_type", "vibe_support", "SELECT"),
    ("django_admin_log", "vibe_support", "SELECT, INSERT"),
    ("auth_group", "vibe_support", "SELECT"),
    ("auth_permission", "vibe_support", "SELECT"),
    ("auth_group_permissions", "vibe_support", "SELECT"),
    ("users_groups", "vibe_support", "SELECT"),
    ("users_user_permissions", "vibe_support", "SELECT"),
    ("django_content_type", "vibe_staff", "SELECT"),
    ("auth_group", "vibe_staff", "SELECT"),
    ("auth_permission", "vibe_staff", "SELECT"),
    ("auth_group_permissions", "vibe_staff", "SELECT"),
    ("users_groups", "vibe_staff", EVERYTHING),
    ("users_user_permissions", "vibe_staff", EVERYTHING),
    ("procrastinate_jobs", "vibe_support", "SELECT"),
    ("procrastinate_events", "vibe_support", "SELECT"),
    ("procrastinate_workers", "vibe_support", "SELECT"),
    ("procrastinate_jobs", "vibe_system", EVERYTHING),
    ("procrastinate_events", "vibe_system", EVERYTHING),
    ("procrastinate_workers", "vibe_system", EVERYTHING),
    ("procrastinate_periodic_defers", "vibe_system", EVERYTHING),
]
SEQUENCES = "procrastinate_jobs_id_seq", "procrastinate_events_id_seq", "procrastinate_periodic_defers_id_seq"


class Migration(migrations.Migration):
    """What the roles may do with the tables of Django and procrastinate."""

    dependencies = [
        ("accounts", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("sessions", "0001_initial"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        *(
            migrations.RunSQL(f"GRANT {verbs} ON {table} TO {role}", f"REVOKE {verbs} ON {table} FROM {role}")
            for table, role, verbs in GRANTS
        ),
        *(
            migrations.RunSQL(
                f"GRANT USAGE ON SEQUENCE {name} TO vibe_system", f"REVOKE USAGE ON SEQUENCE {name} FROM vibe_system"
            )
            for name in SEQUENCES
        ),
        migrations.RunSQL(
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO vibe_support, vibe_staff",
            "REVOKE USAGE ON ALL SEQUENCES IN SCHEMA public FROM vibe_support, vibe_staff",
        ),
    ]
