"""Attack: a wall taken down, a door let in beside it. The lint of the catalog names each, and nothing else."""

from __future__ import annotations

import pytest
from django.db import connection

from vibe.db.lint import RULES, findings

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
}


def test_the_walls_stand(db):
    assert [str(each) for each in findings()] == []


@pytest.mark.parametrize("deed", DEEDS)
def test_every_deed_is_named(db, deed):
    """Each is a negative control of its rule."""
    with connection.cursor() as cursor:
        if deed == "a table given away":
            cursor.execute("GRANT CREATE ON SCHEMA public TO vibe_system")
            cursor.execute("GRANT vibe_system TO CURRENT_USER WITH INHERIT FALSE")
        cursor.execute(DEEDS[deed])
    assert findings()


def test_every_rule_finds_something(db):
    """No rule is dead: each names what one deed or another did."""
    found = set()
    for deed in DEEDS.values():
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT deed")
            if "OWNER TO" in deed:
                cursor.execute("GRANT CREATE ON SCHEMA public TO vibe_system")
            cursor.execute(deed)
            found |= {finding.what for finding in findings()}
            cursor.execute("ROLLBACK TO SAVEPOINT deed")
    roles = {"is a role with more rights than its grants", "is a role that is a member of another"}
    assert set(RULES) - found == roles


@pytest.mark.parametrize("deed", ["ALTER ROLE vibe_user CREATEDB", "GRANT vibe_support TO vibe_user"])
def test_roles_are_looked_at_too(db, deed):
    with connection.cursor() as cursor:
        cursor.execute(deed)
    assert findings()
