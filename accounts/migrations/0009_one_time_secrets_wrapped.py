from django.conf import settings
from django.db import migrations

from vibe.core.crypto.address import Address
from vibe.core.db.scopes import as_staff

# Emptied with TRUNCATE, not DELETE: that gives the file with the clear secrets back at once.
CLOSE = "TRUNCATE otp_totp_totpdevice; REVOKE SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice FROM vibe_staff"
OPEN = "GRANT SELECT, INSERT, UPDATE, DELETE ON otp_totp_totpdevice TO vibe_staff"


def address(device):
    return Address("one_time_devices", "secret", device.staff_id, device.pk, 1)


def wrap(apps, _schema_editor):
    """Take every secret over. Of two of one person the newer stays, as when one was given before."""
    theirs, ours = apps.get_model("otp_totp", "TOTPDevice"), apps.get_model("accounts", "OneTimeDevice")
    with as_staff():
        newest = {device.user_id: device for device in theirs.objects.filter(confirmed=True).order_by("pk")}
        for staff_id, device in newest.items():
            moved = ours(staff_id=staff_id, drift=device.drift, last_step=device.last_t)
            moved.secret = settings.MASTER_RING.wrap(bytes.fromhex(device.key), address(moved))
            moved.save(force_insert=True)


def unwrap(apps, _schema_editor):
    """Give them back."""
    theirs, ours = apps.get_model("otp_totp", "TOTPDevice"), apps.get_model("accounts", "OneTimeDevice")
    with as_staff():
        for device in ours.objects.all():
            secret = settings.MASTER_RING.unwrap(device.secret, address(device))
            theirs.objects.create(
                user_id=device.staff_id, name="app", key=secret.hex(), drift=device.drift, last_t=device.last_step
            )


class Migration(migrations.Migration):
    """Secrets of one-time codes leave the table where they lay in clear. Backups from before still hold them."""

    dependencies = [("accounts", "0008_one_time_devices"), ("otp_totp", "0003_add_timestamps")]

    operations = [migrations.RunPython(wrap, unwrap), migrations.RunSQL(CLOSE, OPEN)]
