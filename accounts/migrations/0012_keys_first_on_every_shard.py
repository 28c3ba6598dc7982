import vibe.core.db.schema.constraints
from django.db import migrations

# What guards a row may look no further than the row's own shard. On a cluster every node has a copy of `users` and a row
# goes from all of them or none; the copy beside the erasures, on the coordinator, is the one that asks.
BY_ERASURE = """
CREATE OR REPLACE FUNCTION users_leave_by_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.is_staff THEN
        RETURN OLD;  -- apart from what follows, which the role that manages staff may not read
    END IF;
    IF to_regclass('public.erasures') IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM erasures WHERE person = OLD.id AND begun_at IS NOT NULL) THEN
            RAISE EXCEPTION 'A person goes by an erasure that has begun, after their data keys.' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN OLD;
END $$;
"""
KEYS_FIRST = """
CREATE FUNCTION user_keys_destroyed_first() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.destroyed_at IS NULL THEN
        RAISE EXCEPTION 'A person goes by an erasure that has begun, after their data keys.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
"""
ON_EACH_KEY = """
CREATE TRIGGER user_keys_destroyed_first BEFORE DELETE ON user_keys
    FOR EACH ROW EXECUTE FUNCTION user_keys_destroyed_first();
"""
OFF_EACH_KEY = "DROP TRIGGER user_keys_destroyed_first ON user_keys"
NOT_FIRST = "DROP FUNCTION user_keys_destroyed_first()"
BOTH_IN_ONE = """
CREATE OR REPLACE FUNCTION users_leave_by_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.is_staff THEN
        RETURN OLD;
    END IF;
    IF NOT EXISTS (SELECT FROM erasures WHERE person = OLD.id AND begun_at IS NOT NULL)
        OR EXISTS (SELECT FROM user_keys WHERE user_id = OLD.id AND destroyed_at IS NULL) THEN
        RAISE EXCEPTION 'A person goes by an erasure that has begun, after their data keys.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
"""
OWN = "user_id = nullif(current_setting('vibe.user_id', true), '')::uuid"


def walls(others):
    return vibe.core.db.schema.constraints.RowSecurity(name="user_keys_walls", others=others)


SEEN_BY_ALL = (("vibe_support", "true"), ("vibe_system", "true"))


class Migration(migrations.Migration):
    """A person and their first key are made under one role, and go in the order that each shard can see to."""

    dependencies = [("accounts", "0011_last_changes")]

    operations = [
        # One statement at a time: a cluster hands each on whole.
        migrations.RunSQL([KEYS_FIRST, ON_EACH_KEY, BY_ERASURE], [OFF_EACH_KEY, NOT_FIRST, BOTH_IN_ONE]),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # The one policy that is new, not all of them anew: the table is in use.
                migrations.RunSQL(
                    f"CREATE POLICY user_keys_walls_vibe_sign_in ON user_keys TO vibe_sign_in USING ({OWN}) WITH CHECK ({OWN})",
                    "DROP POLICY user_keys_walls_vibe_sign_in ON user_keys",
                )
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name="userkey", name="user_keys_walls"),
                migrations.AddConstraint(model_name="userkey", constraint=walls((*SEEN_BY_ALL, ("vibe_sign_in", OWN)))),
            ],
        ),
        migrations.AddConstraint(
            model_name="userkey",
            constraint=vibe.core.db.schema.constraints.Privileges(
                name="user_keys_for_sign_in",
                role="vibe_sign_in",
                verbs=(("SELECT", ("created_at",)), ("INSERT", None)),
            ),
        ),
    ]
