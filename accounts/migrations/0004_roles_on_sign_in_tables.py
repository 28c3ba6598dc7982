from django.db import migrations

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
TABLES = "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog", "axes_accessattemptexpiration"
SEQUENCES = "axes_accessattempt_id_seq", "axes_accesslog_id_seq", "axes_accessfailurelog_id_seq"


class Migration(migrations.Migration):
    """Failed sign-ins are counted in the request that failed, so in the scope of support."""

    dependencies = [
        ("accounts", "0003_grants_move_forward"),
        ("axes", "0010_accessattemptexpiration"),
        ("otp_totp", "0003_add_timestamps"),
    ]

    operations = [
        *(
            migrations.RunSQL(
                f"GRANT {EVERYTHING} ON {table} TO vibe_support", f"REVOKE {EVERYTHING} ON {table} FROM vibe_support"
            )
            for table in TABLES
        ),
        migrations.RunSQL(
            f"GRANT {EVERYTHING} ON otp_totp_totpdevice TO vibe_staff; GRANT USAGE ON SEQUENCE otp_totp_totpdevice_id_seq TO vibe_staff",
            f"REVOKE {EVERYTHING} ON otp_totp_totpdevice FROM vibe_staff; REVOKE USAGE ON SEQUENCE otp_totp_totpdevice_id_seq FROM vibe_staff",
        ),
        *(
            migrations.RunSQL(
                f"GRANT USAGE ON SEQUENCE {name} TO vibe_support", f"REVOKE USAGE ON SEQUENCE {name} FROM vibe_support"
            )
            for name in SEQUENCES
        ),
    ]
