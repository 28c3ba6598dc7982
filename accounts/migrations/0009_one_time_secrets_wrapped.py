from django.db import migrations

from accounts.keys.master_key import ring
from vibe.core.crypto.seal import Address
from vibe.core.db.scopes import as_staff

# The table of django_otp.plugins.otp_totp is there only in a database of an older version: 0014 drops it.
# Emptied with TRUNCATE, not DELETE: that gives the file with the clear secrets back at once.
CLOSE = """DO $$BEGIN
    IF to_regclass('otp_totp_totpdevice') IS NOT NULL THEN
        TRUNCATE otp_totp_totpdevice;
        REVOKE SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice FROM vibe_staff;
    END IF;
END$$"""
OPEN = """DO $$BEGIN
    IF to_regclass('otp_totp_totpdevice') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice TO vibe_staff;
    END IF;
END$$"""


def address(device):
    return Address("one_time_devices", "secret", device.staff_id, device.pk, 1)


def table_is_there(cursor):
    cursor.execute("SELECT to_regclass('otp_totp_totpdevice') IS NOT NULL")
    return cursor.fetchone()[0]


def wrap(apps, schema_editor):
    """Take every secret over. Of two of one person the newer stays, as when one was given before."""
    ours = apps.get_model("accounts", "OneTimeDevice")
    with as_staff(), schema_editor.connection.cursor() as cursor:
        if not table_is_there(cursor):
            return
        cursor.execute(
            "SELECT DISTINCT ON (user_id) user_id, key, drift, last_t FROM otp_totp_totpdevice "
            "WHERE confirmed ORDER BY user_id, id DESC"
        )
        for staff_id, key, drift, last_step in cursor.fetchall():
            moved = ours(staff_id=staff_id, drift=drift, last_step=last_step)
            moved.secret = ring().wrap(bytes.fromhex(key), address(moved))
            moved.save(force_insert=True)


def unwrap(apps, schema_editor):
    """Give them back."""
    ours = apps.get_model("accounts", "OneTimeDevice")
    with as_staff(), schema_editor.connection.cursor() as cursor:
        if not table_is_there(cursor):
            return
        for device in ours.objects.all():
            secret = ring().unwrap(device.secret, address(device))
            cursor.execute(
                "INSERT INTO otp_totp_totpdevice (user_id, name, confirmed, key, step, t0, digits, tolerance, drift, "
                "last_t, throttling_failure_count) VALUES (%s, 'app', true, %s, 30, 0, 6, 1, %s, %s, 0)",
                [device.staff_id, secret.hex(), device.drift, device.last_step],
            )


class Migration(migrations.Migration):
    """Secrets of one-time codes leave the table where they lay in clear. Backups from before still hold them."""

    dependencies = [("accounts", "0008_one_time_devices")]

    operations = [migrations.RunPython(wrap, unwrap), migrations.RunSQL(CLOSE, OPEN)]
