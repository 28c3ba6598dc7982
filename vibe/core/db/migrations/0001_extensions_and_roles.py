from django.db import migrations

from vibe.core.db import requirements, roles


class Migration(migrations.Migration):
    """What every table stands on. Reversed, the extension stays: others may use it."""

    initial = True

    operations = [
        migrations.RunPython(requirements.require, migrations.RunPython.noop),
        migrations.RunPython(roles.create, roles.drop),
    ]
