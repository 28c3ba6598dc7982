from django.db import migrations

from vibe.core.db import roles
from vibe.core.db.schema.operations import Assured


def revoke(_apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        roles.revoke_temporary(cursor)


def grant(_apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        roles.grant_temporary(cursor)


class Migration(migrations.Migration):
    """A scope's role could make temporary tables: they hold rows past the policies, and guards looked up names there."""

    dependencies = [("vibe_db", "0002_classes_of_work")]

    operations = [
        Assured("It locks the database's row of the catalog; sessions go on.", [migrations.RunPython(revoke, grant)])
    ]
