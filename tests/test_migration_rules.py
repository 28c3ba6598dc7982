"""Every operation that would hold others up or break running processes is refused, and its safe way is not."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.core.management import CommandError, call_command
from django.db import migrations as dj
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.models import F, Q
from django.db.models.functions import Now
from pgvector.django import HnswIndex

from tests import backfills
from tests.backfills import fill
from vibe.core.db.migrating.lint import findings, findings_of
from vibe.core.db.migrating.rules import BY_ID, RULES
from vibe.core.db.migrating.sql import broken
from vibe.core.db.roles import SYSTEM
from vibe.core.db.schema.constraints import CompositeReference, Privileges
from vibe.core.db.schema.operations import Assured, DropColumn, ForgetField, RunInBatches
from vibe.core.errors import ConfigurationError

DOCS = Path(__file__).resolve().parent.parent / "docs" / "migrations.md"
USER = CompositeReference(name="passages_user", columns=["user_id"], to="accounts.User", to_columns=["id"])
POSITIVE = models.CheckConstraint(condition=Q(length__gte=0), name="passages_length")
GRAPH = HnswIndex(fields=["embedding"], name="passages_more", opclasses=["halfvec_cosine_ops"])
BATCHES = RunInBatches("passages", set="length = 0", where="length IS NULL", writes=["length"])


@pytest.fixture(scope="module")
def state():
    return MigrationLoader(None).project_state()


@pytest.fixture
def refused(state):
    """The ids of the rules that operations break, in a migration of stories: refused(operation, atomic=False)."""

    def refused(*operations, atomic=True):
        kind = type("Migration", (dj.Migration,), {"operations": list(operations), "atomic": atomic})
        return sorted({each.rule.id for each in findings_of(kind("0099_try", "stories"), state)})

    return refused


def field(kind=models.IntegerField, **options):
    return kind(**options)


REFUSED_OPERATIONS = [
    ("index-blocks-writes", dj.AddIndex("passage", models.Index(fields=["length"], name="i"))),
    ("index-blocks-writes", dj.AddIndex("passage", GRAPH)),
    ("index-blocks-writes", dj.AddIndex("passage", GinIndex(fields=["metadata_index"], name="g"))),
    ("index-blocks-writes", dj.AddField("passage", "new", field(null=True, db_index=True))),
    ("index-blocks-writes", dj.AddField("passage", "new", field(null=True, unique=True))),
    ("index-drop-blocks", dj.RemoveIndex("passage", "passages_words")),
    ("constraint-scans", dj.AddConstraint("passage", POSITIVE)),
    ("constraint-scans", dj.AddConstraint("passage", USER)),
    ("reference-scans", dj.AddField("passage", "new", models.ForeignKey("audit.AuditLog", models.CASCADE, null=True, db_index=False))),
    ("unique-builds", dj.AddConstraint("passage", models.UniqueConstraint(fields=["user", "part"], name="u"))),
    ("exclusion-builds", dj.AddConstraint("passage", ExclusionConstraint(name="e", expressions=[(F("part"), "=")]))),
    ("not-null-scans", dj.AlterField("passage", "embedding", field(models.TextField))),
    ("rows-at-once", dj.AlterField("story", "embedding", field(models.TextField, default=""))),
    ("required-column", dj.AddField("passage", "new", field())),
    ("required-column", dj.AddField("passage", "new", field(default=1))),
    ("required-column", dj.AlterOrderWithRespectTo("passage", "story")),
    ("volatile-default", dj.AddField("passage", "new", field(models.UUIDField, db_default=RandomUUID()))),
    ("serial-column", dj.AddField("passage", "new", field(models.BigAutoField, primary_key=True))),
    ("stored-generated", dj.AddField("passage", "new", models.GeneratedField(expression=F("length") * 2, output_field=models.IntegerField(), db_persist=True))),
    ("type-changes", dj.AlterField("passage", "length", field(models.TextField))),
    ("type-changes", dj.AlterField("story", "embedder", field(models.CharField, max_length=10))),
    ("column-renamed", dj.RenameField("passage", "length", "size")),
    ("column-renamed", dj.AlterField("passage", "length", models.PositiveIntegerField(db_column="size"))),
    ("table-renamed", dj.AlterModelTable("passage", "parts")),
    ("column-dropped", dj.RemoveField("passage", "length")),
    ("table-dropped", dj.DeleteModel("SearchSet")),
    ("together", dj.AlterUniqueTogether("passage", {("user", "part")})),
    ("concurrently-in-transaction", BATCHES),
]  # fmt: skip
SAFE_STEPWISE = [
    dj.AddIndex("passage", models.Index(fields=["length"], name="i")),
    dj.AddIndex("passage", GRAPH),
    dj.RemoveIndex("passage", "passages_words"),
    dj.AddConstraint("passage", POSITIVE),
    dj.AddConstraint("passage", USER),
    dj.AddConstraint("passage", models.UniqueConstraint(fields=["user", "part"], name="u")),
    dj.AddField("passage", "new", field(null=True, unique=True)),
    BATCHES,
]
SAFE_ANYWHERE = [
    dj.AddField("passage", "new", field(null=True)),
    dj.AddField("passage", "new", field(null=True, default=1)),
    dj.AddField("passage", "new", field(db_default=1)),
    dj.AddField("passage", "new", field(models.DateTimeField, db_default=Now())),
    dj.AlterField("story", "embedder", field(models.CharField, max_length=200)),
    dj.AlterField("passage", "length", models.PositiveIntegerField(null=True)),
    dj.AddConstraint("passage", Privileges(name="p", role=SYSTEM, verbs={"SELECT": ["length"]})),
    dj.RemoveConstraint("passage", "passages_story"),
    dj.RenameIndex("passage", "passages_parts", old_name="passages_words"),
    dj.RenameModel("SearchSet", "Extent"),
    ForgetField("passage", "length"),
    DropColumn("passages", "old", "text"),
    Assured("no release since spring names this column", [dj.RemoveField("passage", "length")]),
    dj.RunPython(dj.RunPython.noop),
]


@pytest.mark.parametrize(
    ("rule", "operation"), REFUSED_OPERATIONS, ids=lambda each: getattr(each, "describe", lambda: each)()
)
def test_an_operation_that_is_unsafe_is_refused_by_its_rule(refused, rule, operation):
    assert rule in refused(operation)


@pytest.mark.parametrize("operation", SAFE_STEPWISE, ids=lambda each: each.describe())
def test_what_is_unsafe_in_a_transaction_is_safe_step_by_step(refused, operation):
    assert refused(operation) != []
    assert refused(operation, atomic=False) == []


@pytest.mark.parametrize("operation", SAFE_ANYWHERE, ids=lambda each: each.describe())
def test_what_is_safe_is_let_through(refused, operation):
    assert refused(operation) == []


REFUSED_SQL = {
    "index-blocks-writes": "CREATE  UNIQUE INDEX i ON passages (length)",
    "index-drop-blocks": "DROP INDEX passages_words",
    "reindex-blocks": "REINDEX (VERBOSE) TABLE passages",
    "constraint-scans": "ALTER TABLE ONLY passages\n ADD CONSTRAINT c CHECK (length > 0)",
    "reference-scans": "ALTER TABLE passages ADD COLUMN o bigint REFERENCES other (id)",
    "unique-builds": "ALTER TABLE passages ADD CONSTRAINT u UNIQUE (user_id, length)",
    "exclusion-builds": "ALTER TABLE passages ADD CONSTRAINT e EXCLUDE USING gist (length WITH =)",
    "not-null-scans": 'ALTER TABLE "passages" ALTER COLUMN "embedding" SET NOT NULL',
    "required-column": "ALTER TABLE passages ADD COLUMN n int NOT NULL",
    "volatile-default": "ALTER TABLE passages ADD COLUMN u uuid DEFAULT gen_random_uuid()",
    "serial-column": "ALTER TABLE passages ADD COLUMN s bigserial",
    "stored-generated": "ALTER TABLE passages ADD g int GENERATED ALWAYS AS (length * 2) STORED",
    "json-column": "ALTER TABLE passages ADD COLUMN j json",
    "type-changes": "ALTER TABLE passages ALTER length TYPE bigint",
    "column-renamed": "ALTER TABLE passages RENAME COLUMN length TO size",
    "table-renamed": "ALTER TABLE passages RENAME TO parts",
    "schema-renamed": "ALTER SCHEMA public RENAME TO old",
    "column-dropped": "ALTER TABLE passages DROP COLUMN length",
    "table-dropped": "DROP TABLE IF EXISTS passages",
    "cascade": "TRUNCATE passages",
    "enum-value": "ALTER TYPE mood ADD VALUE 'glad'",
    "domain-scans": "ALTER DOMAIN mood ADD CHECK (VALUE > 0)",
    "table-rewritten": "VACUUM (FULL) passages",
    "table-locked": "LOCK TABLE passages IN EXCLUSIVE MODE",
    "trigger-disabled": "ALTER TABLE passages DISABLE TRIGGER ALL",
    "partition-scans": "ALTER TABLE audit_logs ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
    "partition-detached": "ALTER TABLE audit_logs DETACH PARTITION p",
    "view-refreshed": "REFRESH MATERIALIZED VIEW v",
    "rows-at-once": "UPDATE passages SET length = 0",
    "session-setting": "SET lock_timeout = 0",
    "syntax-error": "ALTER TABLE passages ADD COLUMN a int, RENAME length TO size",
    "unknown-operation": "DO $$ BEGIN EXECUTE 'UPDATE ' || 'passages SET length = 0'; END $$",
}
SAFE_SQL = [
    "ALTER TABLE passages ADD CONSTRAINT c CHECK (length > 0) NOT VALID",
    "ALTER TABLE passages ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID",
    "ALTER TABLE passages VALIDATE CONSTRAINT c",
    "ALTER TABLE passages ADD CONSTRAINT u UNIQUE USING INDEX i",
    "ALTER TABLE passages ADD COLUMN n int NOT NULL DEFAULT 0",
    "ALTER TABLE passages ADD COLUMN n jsonb",
    "ALTER TABLE passages RENAME CONSTRAINT a TO b",
    "ALTER TABLE passages DROP CONSTRAINT c",
    "CREATE TABLE fresh (id int NOT NULL); CREATE INDEX i ON fresh (id); ALTER TABLE fresh ADD CHECK (id > 0)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
    "CREATE TRIGGER t BEFORE UPDATE OR DELETE ON passages EXECUTE FUNCTION f()",
    "GRANT SELECT, UPDATE ON passages TO vibe_system; REVOKE DELETE ON passages FROM vibe_user",
    "-- DROP TABLE passages\nSELECT 1",
]
# What a statement says in another form, and the nearest statement that is safe.
OTHER_FORMS = [
    ("rows-at-once", "UPDATE conversations AS c SET a=1", "SELECT a FROM conversations AS c"),
    ("rows-at-once", "UPDATE ONLY conversations SET a = 1", "SELECT a FROM ONLY conversations"),
    ("rows-at-once", "WITH x AS (SELECT 1) UPDATE conversations SET a = 1", "WITH x AS (SELECT 1) SELECT * FROM x"),
    ("rows-at-once", "WITH x AS (DELETE FROM passages RETURNING id) SELECT count(*) FROM x", "WITH x AS (SELECT 1) SELECT count(*) FROM x"),
    ("syntax-error", "ALTER TABLE t ADD COLUMN a int, RENAME b TO c", "ALTER TABLE t ADD COLUMN a int, ADD COLUMN c int"),
    ("column-dropped", "ALTER TABLE t ADD COLUMN a int, DROP b", "ALTER TABLE t ADD COLUMN a int, ALTER b DROP NOT NULL"),
    ("rows-at-once", "SELECT 'CREATE TABLE conversations'; UPDATE conversations SET a = 1", "SELECT 'UPDATE conversations SET a = 1'"),
    ("rows-at-once", "CREATE TABLE IF NOT EXISTS passages (); UPDATE passages SET a = 1", "CREATE TABLE fresh (); UPDATE fresh SET a = 1"),
    ("rows-at-once", "UPDATE passages SET a = 1; CREATE TABLE passages ()", "CREATE TABLE public.fresh (); UPDATE fresh SET a = 1"),
    ("rows-at-once", "CREATE TABLE fresh (); UPDATE passages SET a = (SELECT count(*) FROM fresh)", "CREATE TABLE fresh (); MERGE INTO fresh USING passages p ON true WHEN NOT MATCHED THEN INSERT VALUES (p.id)"),
    ("rows-at-once", "CREATE TABLE other.passages (); UPDATE passages SET a = 1", "CREATE TABLE other.fresh (); UPDATE other.fresh SET a = 1"),
    ("rows-at-once", "CREATE TEMP TABLE passages (); UPDATE public.passages SET a = 1", "CREATE TEMP TABLE mine (); UPDATE pg_temp.mine SET a = 1"),
    ("cascade", "CREATE TABLE fresh (); TRUNCATE fresh, passages", "CREATE TABLE fresh (); TRUNCATE fresh"),
    ("table-dropped", "CREATE TABLE fresh (); DROP TABLE fresh, passages", "CREATE TABLE fresh (); DROP TABLE fresh"),
    ("partition-scans", "CREATE TABLE fresh (); ALTER TABLE fresh ATTACH PARTITION passages DEFAULT", "CREATE TABLE fresh (); ALTER TABLE passages ATTACH PARTITION fresh DEFAULT"),
    ("rows-at-once", "MERGE INTO passages p USING stories s ON p.id = s.id WHEN MATCHED THEN DELETE", "SELECT * FROM passages p JOIN stories s ON p.id = s.id"),
    ("rows-at-once", "DELETE FROM passages p USING stories s WHERE p.story_id = s.id", "COMMENT ON TABLE passages IS 'DELETE FROM passages'"),
    ("rows-at-once", "COPY passages FROM '/rows'", "COPY passages TO '/rows'"),
    ("rows-at-once", "COPY (DELETE FROM passages RETURNING id) TO '/rows'", "COPY (SELECT id FROM passages) TO '/rows'"),
    ("rows-at-once", "INSERT INTO kinds VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", "INSERT INTO kinds VALUES (1) ON CONFLICT DO NOTHING"),
    ("rows-at-once", "INSERT INTO kinds SELECT id FROM passages", "CREATE TABLE fresh AS SELECT id FROM passages"),
    ("rows-at-once", 'UPDATE "public"."passages" SET a = 1', "GRANT UPDATE ON public.passages TO vibe_system"),
    ("rows-at-once", "UPDATE/* all */passages -- of them\nSET a = 1", "/* UPDATE passages SET a = 1 */ SELECT 1"),
    ("rows-at-once", "EXPLAIN ANALYZE UPDATE passages SET a = 1", "EXPLAIN SELECT a FROM passages"),
    ("rows-at-once", "PREPARE p AS UPDATE passages SET a = 1; EXECUTE p", "SHOW lock_timeout"),
    ("rows-at-once", "CREATE RULE r AS ON UPDATE TO passages DO INSTEAD DELETE FROM stories", "CREATE POLICY p ON passages USING (true)"),
    ("unknown-operation", "DO $$ BEGIN UPDATE passages SET length = 0; END $$", "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE passages SET length = 0 $$"),
    ("unknown-operation", "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE passages SET a = 1; END; SELECT f()", "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE passages SET a = 1; END; SELECT now()"),
    ("unknown-operation", "CALL change_all()", "SELECT pg_catalog.count(*) FROM passages"),
    ("unknown-operation", "SELECT other.now()", "SELECT setval('audit_logs_id_seq', 7)"),
    ("unknown-operation", "SET search_path = other", "SET work_mem = '64MB'"),
    ("unknown-operation", "COMMIT", "SET CONSTRAINTS ALL DEFERRED"),
    ("unknown-operation", "ALTER TABLE passages INHERIT other", "ALTER TABLE passages SET (fillfactor = 90)"),
    ("table-locked", "LOCK passages", "SELECT 'LOCK passages'"),
    ("table-locked", "SELECT id FROM passages FOR UPDATE", "SELECT id FROM passages"),
    ("trigger-disabled", "ALTER TABLE passages NO FORCE ROW LEVEL SECURITY", "ALTER TABLE passages FORCE ROW LEVEL SECURITY"),
    ("trigger-disabled", "ALTER TABLE passages ENABLE REPLICA TRIGGER t", "ALTER TABLE passages ENABLE TRIGGER t"),
    ("trigger-disabled", "SET session_replication_role = replica", "SET application_name = 'x'"),
    ("session-setting", "RESET ALL", "RESET work_mem"),
    ("session-setting", "SET LOCAL lock_timeout TO 0", "SET LOCAL work_mem TO '64MB'"),
    ("session-setting", "ALTER ROLE vibe_system SET statement_timeout = 0", "CREATE ROLE reader"),
    ("constraint-scans", "ALTER TABLE passages ADD COLUMN n int CHECK (n > 0)", "ALTER TABLE passages ADD COLUMN n int"),
    ("unique-builds", "ALTER TABLE passages ADD COLUMN n int UNIQUE", "ALTER TABLE passages ADD COLUMN n int DEFAULT 7"),
    ("not-null-scans", "ALTER TABLE passages ADD CONSTRAINT n NOT NULL length", "ALTER TABLE passages ADD CONSTRAINT n NOT NULL length NOT VALID"),
    ("required-column", "ALTER TABLE passages ADD n int NOT NULL DEFAULT NULL", "ALTER TABLE passages ADD n int NOT NULL DEFAULT 7"),
    ("volatile-default", "ALTER TABLE passages ADD n text DEFAULT md5(random()::text)", "ALTER TABLE passages ADD n text DEFAULT md5('x')"),
    ("volatile-default", "ALTER TABLE passages ADD n int DEFAULT public.now()", "ALTER TABLE passages ADD n timestamptz DEFAULT now()"),
    ("serial-column", "ALTER TABLE passages ADD n int GENERATED BY DEFAULT AS IDENTITY", "ALTER TABLE passages ADD n int GENERATED ALWAYS AS (length) VIRTUAL"),
    ("domain-scans", "CREATE DOMAIN mood AS int CHECK (VALUE > 0)", "CREATE DOMAIN mood AS int DEFAULT 7"),
    ("domain-scans", "ALTER DOMAIN mood VALIDATE CONSTRAINT c", "ALTER DOMAIN mood DROP CONSTRAINT c"),
    ("table-dropped", "DROP VIEW v", "DROP FUNCTION f()"),
    ("cascade", "ALTER TABLE passages DROP CONSTRAINT c CASCADE", "ALTER TABLE passages DROP CONSTRAINT c"),
    ("table-renamed", "ALTER VIEW v RENAME TO w", "ALTER INDEX i RENAME TO j"),
    ("table-rewritten", "ALTER TABLE ALL IN TABLESPACE slow SET TABLESPACE fast", "VACUUM passages"),
    ("reindex-blocks", "REINDEX (CONCURRENTLY off) TABLE passages", "ANALYZE passages"),
    ("partition-scans", "ALTER TABLE audit_logs ATTACH PARTITION p DEFAULT", "ALTER INDEX audit_logs_at ATTACH PARTITION p_at"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "sql"), REFUSED_SQL.items(), ids=REFUSED_SQL)
def test_a_statement_that_is_unsafe_is_refused_by_its_rule(refused, rule, sql):
    assert rule in refused(dj.RunSQL(sql))
    assert rule in {each.id for each in broken(sql.lower())}


@pytest.mark.parametrize("sql", SAFE_SQL)
def test_a_statement_that_is_safe_is_let_through(refused, sql):
    assert refused(dj.RunSQL(sql)) == []


@pytest.mark.parametrize(("rule", "unsafe", "safe"), OTHER_FORMS, ids=[unsafe for _, unsafe, _ in OTHER_FORMS])
def test_another_form_of_an_unsafe_statement_is_refused_and_what_is_like_it_is_not(refused, rule, unsafe, safe):
    assert rule in refused(dj.RunSQL(unsafe))
    assert refused(dj.RunSQL(safe)) == []


def test_every_statement_of_one_operation_is_judged(refused):
    update = "UPDATE passages SET length = 0"
    assert refused(dj.RunSQL(f"SELECT 1; {update}; SELECT 2")) == ["rows-at-once"]
    assert refused(dj.RunSQL(["SELECT 1 -- first", update])) == ["rows-at-once"]
    assert refused(dj.RunSQL([("UPDATE passages SET length = %s WHERE id %% 2 = %s", [0, 1])])) == ["rows-at-once"]
    assert refused(dj.RunSQL([("SELECT length FROM passages WHERE id %% 2 = %s", [1])])) == []
    assert refused(dj.RunSQL([update, "DROP TABLE passages"])) == ["rows-at-once", "table-dropped"]
    assert refused(dj.SeparateDatabaseAndState([dj.RunSQL(update)])) == ["rows-at-once"]


@pytest.mark.parametrize("sql", ["CREATE INDEX CONCURRENTLY i ON passages (length)", "DROP INDEX CONCURRENTLY i"])
def test_concurrently_is_refused_in_a_transaction_alone(refused, sql):
    assert refused(dj.RunSQL(sql)) == ["concurrently-in-transaction"]
    assert refused(dj.RunSQL([(sql, None)]), atomic=False) == []


def updates(apps, schema_editor):
    apps.get_model("stories", "Passage").objects.update(length=0)


def locks(apps, schema_editor):
    for table in ("passages",):
        schema_editor.execute(f"LOCK TABLE {table} IN SHARE MODE")


def has_helper(apps, schema_editor):
    updates(apps, schema_editor)


def has_helper_of_helper(apps, schema_editor):
    has_helper(apps, schema_editor)
    has_helper_of_helper(apps, schema_editor)


def has_helper_in_function(apps, schema_editor):
    def each():
        has_helper(apps, schema_editor)

    each()


def has_helper_elsewhere(apps, schema_editor):
    fill(apps)


def has_helper_in_module(apps, schema_editor):
    backfills.fill(apps)


def saves(apps, schema_editor):
    for passage in apps.get_model("stories", "Passage").objects.all():
        passage.save()


def updates_in_bulk(apps, schema_editor):
    apps.get_model("stories", "Passage").objects.bulk_update([], ["length"])


def hands_method_on(apps, schema_editor):
    list(map(apps.get_model("stories", "Passage").delete, ()))


def executes(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("UPDATE passages AS p SET length = %s", [0])


def has_odd_text(apps, schema_editor):
    return "\ud800", "\0"


def executes_constant(apps, schema_editor):
    schema_editor.execute(REFUSED_SQL_TEXT)


def spells_method(apps, schema_editor):
    getattr(apps.get_model("stories", "Passage").objects, "up" + "date")(length=0)


REFUSED_SQL_TEXT = "DELETE FROM ONLY passages"
CHANGES_ROWS = [
    updates, has_helper, has_helper_of_helper, has_helper_in_function, has_helper_elsewhere, has_helper_in_module, saves,
    updates_in_bulk, hands_method_on, executes, executes_constant,
]  # fmt: skip


@pytest.mark.parametrize("code", CHANGES_ROWS, ids=lambda each: each.__name__)
def test_python_that_changes_rows_is_refused_wherever_it_says_so(refused, code):
    assert refused(dj.RunPython(code)) == ["rows-at-once"]


def test_what_python_does_is_read_from_its_source(refused):
    assert refused(dj.RunPython(locks)) == ["table-locked"]
    assert refused(dj.RunPython(len)) == ["unknown-operation"]


def test_python_is_refused_when_its_source_does_not_say_what_it_does(refused):
    for code in (spells_method, has_odd_text, partial(updates), lambda *_: None):
        assert refused(dj.RunPython(code)) == ["unknown-operation"]
    assert refused(Assured("it reads one row by its key", [dj.RunPython(spells_method)])) == []


def test_a_table_that_the_same_migration_makes_is_in_nobodys_use(refused):
    made = dj.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))], options={"db_table": "fresh"})
    after = dj.AddIndex("fresh", models.Index(fields=["id"], name="i"))
    assert refused(made, after, dj.RunSQL("UPDATE fresh SET id = 1")) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [("Fresh", {}), ("Passages", {}), ("Other", {"db_table": "passages", "managed": False}), ("Part", {"proxy": True})],
)
def test_a_model_that_a_migration_makes_frees_no_other_table(refused, name, options):
    made = dj.CreateModel(name, [("id", models.BigAutoField(primary_key=True))], options=options)
    assert refused(made, dj.RunSQL("UPDATE passages SET id = 1")) == ["rows-at-once"]
    assert refused(made, dj.RunPython(updates)) == ["rows-at-once"]


def test_data_and_shape_are_moved_apart(refused):
    column = dj.AddField("passage", "new", field(null=True))
    assert refused(column, BATCHES, atomic=False) == ["data-and-shape"]


def test_an_operation_that_nobody_has_judged_is_refused(refused):
    class Strange(dj.operations.base.Operation):
        def state_forwards(self, app_label, state):
            pass

    assert refused(Strange()) == ["unknown-operation"]


def test_assurance_needs_a_reason():
    with pytest.raises(ConfigurationError, match="reason"):
        Assured("trust me", [])


def test_a_separated_operation_is_judged_by_what_it_does_to_the_database(refused):
    removed = dj.RemoveField("passage", "length")
    assert refused(dj.SeparateDatabaseAndState(state_operations=[removed])) == []
    assert refused(dj.SeparateDatabaseAndState(database_operations=[removed])) == ["column-dropped"]


def test_every_rule_is_tried_and_described():
    tried = REFUSED_SQL.keys() | {rule for rule, _ in REFUSED_OPERATIONS} | {"data-and-shape", "unknown-operation"}
    rules = {each.id for each in RULES}
    assert tried == rules and len(BY_ID) == len(RULES)
    assert set(re.findall(r"^\| `([a-z-]+)`", DOCS.read_text(), re.MULTILINE)) == rules


def test_the_migrations_of_the_project_pass(capsys):
    call_command("check_migrations")
    assert "hold nobody up" in capsys.readouterr().out


def test_the_command_says_what_to_install_where_the_parser_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pglast", None)
    with pytest.raises(CommandError, match="make develop"):
        call_command("check_migrations")


def test_first_migrations_are_exempt_and_later_ones_are_not(monkeypatch):
    loader = MigrationLoader(None)
    assert any(each.initial for each in loader.disk_migrations.values())
    for migration in loader.disk_migrations.values():
        monkeypatch.setattr(type(migration), "initial", False, raising=False)
    monkeypatch.setattr("vibe.core.db.migrating.lint.MigrationLoader", lambda *_: loader)
    assert {each.rule.id for each in findings(["accounts", "audit", "memories", "stories"])} != set()
