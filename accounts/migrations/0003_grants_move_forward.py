from django.db import migrations

KEEP = """
CREATE FUNCTION access_grants_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.decided_by, NEW.decided_at, NEW.approved, NEW.expires_at, NEW.ended_at, NEW.ended_by) > 0 OR NEW.sole THEN
            RAISE EXCEPTION 'An access grant begins undecided.' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.id, OLD.user_id, OLD.requested_by, OLD.reason, OLD.ticket, OLD.requested_at, OLD.duration)
        IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.requested_by, NEW.reason, NEW.ticket, NEW.requested_at, NEW.duration) THEN
        RAISE EXCEPTION 'What was asked for is not changed.' USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.decided_by, OLD.decided_at, OLD.approved, OLD.sole, OLD.expires_at)
        IS DISTINCT FROM (NEW.decided_by, NEW.decided_at, NEW.approved, NEW.sole, NEW.expires_at)
        AND (OLD.decided_at IS NOT NULL OR OLD.ended_at IS NOT NULL OR NEW.decided_at > clock_timestamp()) THEN
        RAISE EXCEPTION 'An access grant is decided once, now.' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.ended_at IS NOT NULL AND (OLD.ended_at, OLD.ended_by) IS DISTINCT FROM (NEW.ended_at, NEW.ended_by) THEN
        RAISE EXCEPTION 'What has ended stays ended.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_grants_forward BEFORE INSERT OR UPDATE ON access_grants
    FOR EACH ROW EXECUTE FUNCTION access_grants_forward();
"""
RELEASE = "DROP TRIGGER access_grants_forward ON access_grants; DROP FUNCTION access_grants_forward();"


class Migration(migrations.Migration):
    """A grant moves forward only: undecided, decided once, ended once. What was asked for never changes."""

    dependencies = [("accounts", "0002_roles_on_framework_tables")]

    operations = [migrations.RunSQL(KEEP, RELEASE)]
