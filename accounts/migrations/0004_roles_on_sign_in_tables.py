from django.db import migrations

from vibe.core.db.schema.operations import Assured

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
TABLES = "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog", "axes_accessattemptexpiration"
SEQUENCES = "axes_accessattempt_id_seq", "axes_accesslog_id_seq", "axes_accessfailurelog_id_seq"

# The table of django_otp.plugins.otp_totp is there only in a database of an older version: 0014 drops it.
OTP_TABLE = """DO $$BEGIN
    IF to_regclass('otp_totp_totpdevice') IS NOT NULL THEN
        {verb} SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice {whom};
        {verb} USAGE ON SEQUENCE otp_totp_totpdevice_id_seq {whom};
    END IF;
END$$"""


class Migration(migrations.Migration):
    """Failed sign-ins are counted in the request that failed, so in the scope of support."""

    dependencies = [
        ("accounts", "0003_grants_move_forward"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [
        *(
            migrations.RunSQL(
                f"GRANT {EVERYTHING} ON {table} TO vibe_support", f"REVOKE {EVERYTHING} ON {table} FROM vibe_support"
            )
            for table in TABLES
        ),
        Assured(
            "It changes privileges only, of a table with one row for each member of staff.",
            [
                migrations.RunSQL(
                    OTP_TABLE.format(verb="GRANT", whom="TO vibe_staff"),
                    OTP_TABLE.format(verb="REVOKE", whom="FROM vibe_staff"),
                )
            ],
        ),
        *(
            migrations.RunSQL(
                f"GRANT USAGE ON SEQUENCE {name} TO vibe_support", f"REVOKE USAGE ON SEQUENCE {name} FROM vibe_support"
            )
            for name in SEQUENCES
        ),
    ]
