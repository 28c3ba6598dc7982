"""Attack: a wall taken down, a door let in beside it. The lint of the catalog names each, and nothing else."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from vibe.core.db.roles import PER_GRANT
from vibe.core.db.schema.catalog_lint import RULES, findings

DEEDS = {
    "row security off": "ALTER TABLE stories DISABLE ROW LEVEL SECURITY",
    "not forced on the owner": "ALTER TABLE encrypted_memories NO FORCE ROW LEVEL SECURITY",
    "accounts not walled": "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
    "a policy dropped": "DROP POLICY conversations_walls_vibe_user ON conversations",
    "a policy for everybody": "CREATE POLICY more ON conversations USING (true)",
    "a policy more": "CREATE POLICY more ON conversations TO vibe_user USING (true) WITH CHECK (true)",
    "a policy widened": "ALTER POLICY conversations_walls_vibe_user ON conversations USING (true) WITH CHECK (true)",
    "a policy with an OR": (
        "ALTER POLICY conversations_walls_vibe_user ON conversations USING (user_id = "
        "nullif(current_setting('vibe.user_id', true), '')::uuid OR is_archived)"
    ),
    "rows of others may be written": ("ALTER POLICY conversations_walls_vibe_user ON conversations WITH CHECK (true)"),
    "another setting decides": (
        "ALTER POLICY stories_walls_vibe_user ON stories "
        "USING (user_id = nullif(current_setting('my.user_id', true), '')::uuid) "
        "WITH CHECK (user_id = nullif(current_setting('my.user_id', true), '')::uuid)"
    ),
    "support reads a sealed column": "GRANT SELECT (payload) ON encrypted_memories TO vibe_support",
    "support reads a whole table": "GRANT SELECT ON stories TO vibe_support",
    "everybody reads": "GRANT SELECT ON django_session TO PUBLIC",
    "people read sessions": "GRANT SELECT ON django_session TO vibe_user",
    "people raise themselves": "GRANT UPDATE (is_staff) ON users TO vibe_user",
    "the trail can be emptied": "GRANT DELETE ON audit_logs TO vibe_system",
    "a privilege taken away": "REVOKE INSERT ON audit_logs FROM vibe_user",
    "a view past the walls": "CREATE VIEW everything AS SELECT * FROM encrypted_memories",
    "a copy of rows": "CREATE MATERIALIZED VIEW copied AS SELECT id FROM encrypted_memories",
    "a function with its owner's rights": (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM users'"
    ),
    "a rule that rewrites": "CREATE RULE quiet AS ON DELETE TO conversations DO INSTEAD NOTHING",
    "the trail unprotected": "ALTER TABLE audit_logs DISABLE TRIGGER refuse_change",
    "a trigger without a search_path": "ALTER FUNCTION audit_refuse() RESET search_path",
    "a table given away": "ALTER TABLE stories OWNER TO vibe_system",
    "a role that makes tables": "GRANT CREATE ON SCHEMA public TO vibe_user",
    "grants of tables to come": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO vibe_support",
    "a reference without its owner": (
        "ALTER TABLE stories ADD CONSTRAINT loose FOREIGN KEY (conversation_id) REFERENCES conversations (id)"
    ),
    "a unique index across people": "CREATE UNIQUE INDEX telling ON conversations (external_id)",
    "a sealed column in the statistics": "ALTER TABLE user_keys ALTER COLUMN wrapped SET STATISTICS 100",
    "an owner that may be absent": "ALTER TABLE passages ALTER COLUMN user_id DROP NOT NULL",
    "a privilege that may be handed on": "GRANT SELECT ON conversations TO vibe_user WITH GRANT OPTION",
    "support makes itself an administrator": "GRANT INSERT ON users_user_permissions TO vibe_support",
    "a stranger reads": "CREATE ROLE stranger; GRANT SELECT (email) ON users TO stranger",
    "a counter set back": "GRANT UPDATE ON SEQUENCE procrastinate_jobs_id_seq TO vibe_support",
    "a counter of everybody": "GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq TO PUBLIC",
    "a table by hand": "CREATE TABLE copied AS SELECT id, email FROM users",
    "a table that inherits": "CREATE TABLE beside () INHERITS (encrypted_memories)",
    "a partition by hand": (
        "CREATE TABLE audit_logs_1999_01 PARTITION OF audit_logs FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')"
    ),
    "a partition elsewhere": (
        "CREATE SCHEMA side; "
        "CREATE TABLE side.old PARTITION OF audit_logs FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')"
    ),
    "a partition that people read": "GRANT SELECT ON audit_logs_default TO vibe_user",
    "a policy on a partition": "CREATE POLICY more ON audit_logs_default TO vibe_user USING (true)",
    "a schema for support": "CREATE SCHEMA side; GRANT USAGE ON SCHEMA side TO vibe_support",
    "a view in another schema": (
        "CREATE SCHEMA side; CREATE VIEW side.everything AS SELECT * FROM users; GRANT USAGE ON SCHEMA side TO PUBLIC"
    ),
    "a function in another schema": (
        "CREATE SCHEMA side; CREATE FUNCTION side.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT count(*) FROM users'; GRANT USAGE ON SCHEMA side TO PUBLIC"
    ),
    "a policy in another schema": (
        "CREATE SCHEMA side; CREATE TABLE side.kept (id int); CREATE POLICY more ON side.kept USING (true)"
    ),
    "a role that makes schemas": (
        "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO vibe_user', current_database()); END$$"
    ),
    "a role that makes temporary tables": (
        "DO $$BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END$$"
    ),
    "a trigger dropped": "DROP TRIGGER refuse_change ON audit_logs",
    "a trigger of a partition dropped": "DROP TRIGGER refuse_truncate ON audit_logs_default",
    "a trigger that is narrower": (
        "DROP TRIGGER refuse_change ON audit_leaves; CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE "
        "ON audit_leaves FOR EACH ROW WHEN (false) EXECUTE FUNCTION audit_refuse()"
    ),
    "a trigger more": (
        "CREATE TRIGGER again BEFORE INSERT ON encrypted_memories FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
    ),
    "a trigger more on a framework's table": (
        "CREATE TRIGGER again BEFORE INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
    ),
    "a trigger that lets pass": (
        "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog "
        "AS 'BEGIN RETURN NULL; END'"
    ),
    "a trigger that finds temporary tables first": (
        "ALTER FUNCTION users_leave_by_erasure() SET search_path = pg_catalog, public"
    ),
    "a trigger that finds other tables": "ALTER FUNCTION users_leave_by_erasure() SET search_path = side, pg_catalog",
    "a stranger takes support's role": "CREATE ROLE stranger; GRANT vibe_support TO stranger",
    "a table renamed": "ALTER TABLE passages RENAME TO passages_before",
    "a column put in the place of another": (
        "ALTER TABLE users RENAME COLUMN firebase_uid TO was; ALTER TABLE users ADD COLUMN firebase_uid text"
    ),
}
# What is to be typed there is told in words: it needs a decision, or a file.
IN_WORDS = {
    "a table given away",
    "a table by hand",
    "a table that inherits",
    "a table renamed",
    "a column put in the place of another",
    "a view in another schema",
    "a function in another schema",
    "a trigger that lets pass",
    "a unique index across people",
    "a sealed column in the statistics",
}


def test_the_walls_stand(db):
    assert [str(each) for each in findings()] == []


def do(deed):
    with connection.cursor() as cursor:
        if deed == "a table given away":
            cursor.execute("GRANT CREATE ON SCHEMA public TO vibe_system")
            if connection.pg_version >= PER_GRANT:
                cursor.execute("GRANT vibe_system TO CURRENT_USER WITH INHERIT FALSE")
        cursor.execute(DEEDS[deed])


@pytest.mark.parametrize("deed", DEEDS)
def test_every_deed_is_named(db, deed):
    """Each is a negative control of its rule."""
    do(deed)
    assert findings()
    assert all(each.do for each in findings())


@pytest.mark.parametrize("deed", sorted(DEEDS.keys() - IN_WORDS))
def test_what_is_to_be_typed_mends_it(db, deed):
    do(deed)
    with connection.cursor() as cursor:
        for each in findings():
            cursor.execute(each.do.removeprefix("BEGIN; ").removesuffix("COMMIT;"))
    assert [str(each) for each in findings()] == []


def test_every_rule_finds_something(db):
    """No rule is dead: each names what one deed or another did."""
    found = set()
    for deed in DEEDS:
        with transaction.atomic():
            do(deed)
            found |= {finding.what for finding in findings()}
            transaction.set_rollback(True)
    roles = {"is a role with more rights than its grants", "is a role that is a member of another"}
    assert set(RULES) - found == roles


@pytest.mark.parametrize("deed", ["ALTER ROLE vibe_user CREATEDB", "GRANT vibe_support TO vibe_user"])
def test_roles_are_looked_at_too(db, deed):
    with connection.cursor() as cursor:
        cursor.execute(deed)
    assert findings()
