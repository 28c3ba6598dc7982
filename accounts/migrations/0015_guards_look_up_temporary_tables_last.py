from django.db import migrations

from vibe.core.db.schema.operations import Assured

# A search path that does not name pg_temp begins with it: a temporary table stood in for the one that a guard asks.
BEFORE = {
    "access_grants_forward": "RESET search_path",
    "erasures_stay": "SET search_path = pg_catalog, public",
    "user_keys_destroyed_first": "SET search_path = pg_catalog, public",
    "users_leave_by_erasure": "SET search_path = pg_catalog, public",
}


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_empty_table_of_otp_totp_dropped")]

    operations = [
        Assured(
            "It locks the function's row of the catalog; triggers that run go on.",
            [
                migrations.RunSQL(
                    f"ALTER FUNCTION {name}() SET search_path = pg_catalog, public, pg_temp",
                    f"ALTER FUNCTION {name}() {before}",
                )
                for name, before in BEFORE.items()
            ],
        )
    ]
