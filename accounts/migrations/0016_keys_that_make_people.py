from django.db import migrations, models


class Migration(migrations.Migration):
    """API keys may have the scope `people`, if they are for nobody alone."""

    atomic = False

    dependencies = [("accounts", "0015_guards_look_up_temporary_tables_last")]

    operations = [
        migrations.RemoveConstraint(model_name="apikey", name="api_keys_scopes"),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("scopes__contained_by", ["erase", "export", "people", "read", "write"]), ("scopes__len__gt", 0)
                ),
                name="api_keys_scopes",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("scopes__contains", ["people"]), _negated=True), ("person", None), _connector="OR"
                ),
                name="api_keys_people_of_nobody",
            ),
        ),
    ]
