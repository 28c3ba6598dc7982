from django.db import migrations

from vibe.core.db.schema.operations import Assured


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_refused_rows_are_indexed")]

    operations = [
        Assured(
            "It locks the function's row of the catalog; triggers that run go on.",
            [
                migrations.RunSQL(
                    "ALTER FUNCTION audit_refuse() SET search_path = pg_catalog, pg_temp",
                    "ALTER FUNCTION audit_refuse() SET search_path = pg_catalog",
                )
            ],
        )
    ]
