"""Every operation that would hold others up or break running processes is refused, and its safe way is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.core.management import call_command
from django.db import migrations as dj
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.models import F, Q
from django.db.models.functions import Now
from pgvector.django import HnswIndex

from vibe.db.constraints import CompositeReference, Privileges
from vibe.db.migration_lint import OPERATION_RULES, findings, judged
from vibe.db.migration_rules import BY_ID, RULES, broken
from vibe.db.operations import Assured, DropColumn, ForgetField, RunInBatches
from vibe.db.roles import SYSTEM
from vibe.errors import ConfigurationError

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
        return sorted({each.rule.id for each in judged(kind("0099_try", "stories"), state)})

    return refused


def field(kind=models.IntegerField, **options):
    return kind(**options)


REFUSED_OPERATIONS = [
    ("index-blocks-writes", dj.AddIndex("passage", models.Index(fields=["length"], name="i"))),
    ("index-blocks-writes", dj.AddIndex("passage", GRAPH)),
    ("index-blocks-writes", dj.AddIndex("passage", GinIndex(fields=["counts"], name="g"))),
    ("index-blocks-writes", dj.AddField("passage", "new", field(null=True, db_index=True))),
    ("index-blocks-writes", dj.AddField("passage", "new", field(null=True, unique=True))),
    ("index-drop-blocks", dj.RemoveIndex("passage", "passages_words")),
    ("constraint-scans", dj.AddConstraint("passage", POSITIVE)),
    ("constraint-scans", dj.AddConstraint("passage", USER)),
    ("reference-scans", dj.AddField("passage", "new", models.ForeignKey("audit.AuditLog", models.CASCADE, null=True, db_index=False))),
    ("unique-builds", dj.AddConstraint("passage", models.UniqueConstraint(fields=["user", "position"], name="u"))),
    ("exclusion-builds", dj.AddConstraint("passage", ExclusionConstraint(name="e", expressions=[(F("position"), "=")]))),
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
    ("together", dj.AlterUniqueTogether("passage", {("user", "position")})),
    ("concurrently-in-transaction", BATCHES),
]  # fmt: skip
SAFE_STEPWISE = [
    dj.AddIndex("passage", models.Index(fields=["length"], name="i")),
    dj.AddIndex("passage", GRAPH),
    dj.RemoveIndex("passage", "passages_words"),
    dj.AddConstraint("passage", POSITIVE),
    dj.AddConstraint("passage", USER),
    dj.AddConstraint("passage", models.UniqueConstraint(fields=["user", "position"], name="u")),
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


@pytest.mark.parametrize(("rule", "sql"), REFUSED_SQL.items(), ids=REFUSED_SQL)
def test_a_statement_that_is_unsafe_is_refused_by_its_rule(refused, rule, sql):
    assert rule in refused(dj.RunSQL(sql))
    assert rule in {each.id for each in broken(sql.lower())}


@pytest.mark.parametrize("sql", SAFE_SQL)
def test_a_statement_that_is_safe_is_let_through(refused, sql):
    assert refused(dj.RunSQL(sql)) == []


@pytest.mark.parametrize("sql", ["CREATE INDEX CONCURRENTLY i ON passages (length)", "DROP INDEX CONCURRENTLY i"])
def test_concurrently_is_refused_in_a_transaction_alone(refused, sql):
    assert refused(dj.RunSQL(sql)) == ["concurrently-in-transaction"]
    assert refused(dj.RunSQL([(sql, None)]), atomic=False) == []


def updates(apps, schema_editor):
    apps.get_model("stories", "Passage").objects.update(length=0)


def locks(apps, schema_editor):
    for table in ("passages",):
        schema_editor.execute(f"LOCK TABLE {table} IN SHARE MODE")


def test_what_python_does_is_read_from_its_source(refused):
    assert refused(dj.RunPython(updates)) == ["rows-at-once"]
    assert refused(dj.RunPython(locks)) == ["table-locked"]
    assert refused(dj.RunPython(len)) == ["unknown-operation"]


def test_a_table_that_the_same_migration_makes_is_in_nobodys_use(refused):
    made = dj.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))], options={"db_table": "fresh"})
    after = dj.AddIndex("fresh", models.Index(fields=["id"], name="i"))
    assert refused(made, after, dj.RunSQL("UPDATE fresh SET id = 1")) == []


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
    rules = {each.id for each in (*RULES, *OPERATION_RULES)}
    assert tried == rules and len(BY_ID) == len(RULES)
    assert set(re.findall(r"^\| `([a-z-]+)`", DOCS.read_text(), re.MULTILINE)) == rules


def test_the_migrations_of_the_project_pass(capsys):
    call_command("check_migrations")
    assert "hold nobody up" in capsys.readouterr().out


def test_first_migrations_are_exempt_and_later_ones_are_not(monkeypatch):
    loader = MigrationLoader(None)
    assert any(each.initial for each in loader.disk_migrations.values())
    for migration in loader.disk_migrations.values():
        monkeypatch.setattr(type(migration), "initial", False, raising=False)
    monkeypatch.setattr("vibe.db.migration_lint.MigrationLoader", lambda *_: loader)
    assert {each.rule.id for each in findings(["accounts", "audit", "memories", "stories"])} != set()
