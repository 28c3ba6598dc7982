from django.db import migrations

KEEP = """
CREATE FUNCTION users_leave_by_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF OLD.is_staff THEN
        RETURN OLD;  -- apart from what follows, which the role that manages staff may not read
    END IF;
    IF NOT EXISTS (SELECT FROM erasures WHERE person = OLD.id AND begun_at IS NOT NULL)
        OR EXISTS (SELECT FROM user_keys WHERE user_id = OLD.id AND destroyed_at IS NULL) THEN
        RAISE EXCEPTION 'A person goes by an erasure that has begun, after their data keys.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER users_leave_by_erasure BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_leave_by_erasure();

CREATE FUNCTION erasures_stay() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.begun_at IS NULL THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND (
        OLD.finished_at IS NULL AND NEW.begun_at IS NOT DISTINCT FROM coalesce(OLD.begun_at, NEW.begun_at)
        OR EXISTS (SELECT FROM users WHERE id = OLD.person)
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'An erasure that has begun is not taken back, and one that is finished stays.' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER erasures_stay BEFORE UPDATE OR DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION erasures_stay();
"""
RELEASE = """
DROP TRIGGER erasures_stay ON erasures; DROP FUNCTION erasures_stay();
DROP TRIGGER users_leave_by_erasure ON users; DROP FUNCTION users_leave_by_erasure();
"""
GRANTS = [("django_admin_log", "SELECT, DELETE")]


class Migration(migrations.Migration):
    """A person goes by erasure only, keys first; a tombstone stays. The system may take what staff noted of them."""

    dependencies = [("accounts", "0008_takeout")]

    operations = [
        migrations.RunSQL(KEEP, RELEASE),
        *(
            migrations.RunSQL(f"GRANT {verbs} ON {table} TO vibe_system", f"REVOKE {verbs} ON {table} FROM vibe_system")
            for table, verbs in GRANTS
        ),
    ]
