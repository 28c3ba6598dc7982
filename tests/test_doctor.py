"""`doctor` finds each fault that is made here, says what to type, and that mends it."""

from __future__ import annotations

import json
import os
from collections import namedtuple
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.migrations.recorder import MigrationRecorder

from accounts.keys.services.data_keys import destroy_data_keys
from audit.actors import Actor
from audit.services import FAILED, record
from tests.api.conftest import Api
from tests.cast import TESTER
from tests.pooler import POOLER_PORT, pooled
from tests.processes import manage, url
from tests.protections import unprotected
from tests.workers import register_workers
from vibe.core.db.configured import embedded_server
from vibe.core.db.health import statements, tables
from vibe.core.db.health.reading import Chapter, Reading, Verdict
from vibe.core.db.scopes import as_system
from vibe.doctor import configuration, keys, schema, server, upkeep
from vibe.doctor.examination import Examined, examine, worst
from vibe.doctor.findings import Finding, Severity, error, note, warning
from vibe.metrics import figures
from vibe.serving.preparing import prepare

Usage = namedtuple("Usage", "total used free")


def execute(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def found(check: Any) -> list[str]:
    return [finding.what for finding in check()]


def mend(check: Any) -> None:
    """Type what the only finding says."""
    [finding] = check()
    statements = finding.do.removeprefix("BEGIN; ").removesuffix("COMMIT;")
    execute(statements)
    assert found(check) == []


@pytest.fixture
def worker(db: None) -> None:
    register_workers()


@pytest.fixture
def undisturbed(monkeypatch):
    """A database in which no other test was slow, or left dead rows or air."""
    monkeypatch.setattr(statements, "SLOW", float("inf"))
    monkeypatch.setattr(statements, "VERY_SLOW", float("inf"))
    monkeypatch.setattr(tables, "MANY", float("inf"))
    monkeypatch.setattr(tables, "PAGES", 2**31 - 1)


def test_a_sound_development_machine_has_nothing_wrong_but_debug(worker, ada, settings, undisturbed):
    settings.DEBUG = True
    wrong = {each.check: each.findings for each in examine() if each.findings}
    assert set(wrong) - {"disk"} == {"debug"}, wrong  # the disk is the machine's


def test_every_finding_says_what_why_and_what_to_do(db, settings):
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    findings = [finding for each in examine() for finding in each.findings]
    assert len(findings) >= 3
    assert all(finding.what and finding.why and finding.do for finding in findings)


# The schema


def test_row_level_security_off_is_found_and_mended(db):
    assert found(schema.walls) == []
    execute("ALTER TABLE stories NO FORCE ROW LEVEL SECURITY")
    assert "stories" in found(schema.walls)[0]
    mend(schema.walls)


def test_a_grant_that_no_model_declares_is_found(db):
    before = found(schema.rights)
    execute("GRANT UPDATE ON conversations TO vibe_sign_in")
    [more] = set(found(schema.rights)) - set(before)
    assert "conversations" in more


def test_what_is_bad_in_the_health_report_is_found(db, monkeypatch, undisturbed):
    assert found(schema.health) == []
    bad = Chapter("Connections", "Who is there.", (Reading("In use", "97 of 100", Verdict.BAD, "Pool them."),))
    monkeypatch.setattr(schema, "report", lambda: [bad])
    [finding] = schema.health()
    assert (finding.what, finding.do) == ("Connections: In use, 97 of 100", "Pool them.")


def test_a_missing_policy_is_found_and_mended(db):
    execute("DROP POLICY passages_walls_vibe_user ON passages")
    assert "passages" in found(schema.walls)[0]
    mend(schema.walls)


def test_a_partition_without_row_level_security_is_found_and_mended(db):
    execute("ALTER TABLE audit_logs_default DISABLE ROW LEVEL SECURITY")
    assert "audit_logs_default" in found(schema.walls)[0]
    mend(schema.walls)


def test_a_sealed_column_that_support_may_read_is_found_and_mended(db):
    execute("GRANT SELECT ON encrypted_memories TO vibe_support")
    assert "encrypted_memories.payload" in found(schema.sealed_columns)[0]
    mend(schema.sealed_columns)
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_column_privilege('vibe_support', 'encrypted_memories', 'id', 'SELECT')")
        assert cursor.fetchone()[0], "what support may read was not given back"


def test_rights_for_everybody_are_found_and_mended(db):
    execute("GRANT SELECT ON users TO PUBLIC")
    assert "users" in found(schema.owners)[0]
    mend(schema.owners)


def test_a_missing_index_is_found(db):
    execute("DROP INDEX users_newest")
    assert "users_newest" in found(schema.indexes)[0]


MADE = """
SELECT t.relname, 'INDEX' FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
WHERE c.relname = %s AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
UNION SELECT t.relname, 'CONSTRAINT' FROM pg_constraint JOIN pg_class t ON t.oid = conrelid WHERE conname = %s
"""


@pytest.mark.parametrize(
    "name", ["users_newest", "audit_logs_newest", "stories_one_open", "memories_role", "stories_conversation"]
)
def test_what_is_missing_is_made_anew_as_the_finding_says(committed, name):
    """An index, one of a partitioned table, which CONCURRENTLY cannot make, and constraints of each kind."""
    [(table, kind)] = figures.rows(MADE, [name, name])
    execute(f"DROP INDEX {name}" if kind == "INDEX" else f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        assert found(schema.indexes) == [f"{name} of table {table} is missing."]
    finally:
        type_in(schema.indexes)
    assert found(schema.indexes) == []


def test_an_invalid_index_of_a_partitioned_table_is_completed(committed):
    [(definition,)] = figures.rows("SELECT indexdef FROM pg_indexes WHERE indexname = 'audit_logs_newest'")
    execute("DROP INDEX audit_logs_newest")
    execute(definition)  # ON ONLY the table, as a migration that was cut short leaves it
    try:
        assert found(schema.indexes) == [
            "The index audit_logs_newest of table audit_logs is invalid: building it was cut short."
        ]
    finally:
        type_in(schema.indexes)
    assert found(schema.indexes) == []


def type_in(check: Any) -> None:
    """Type what the only finding says, one statement after another."""
    [finding] = check()
    for statement in filter(str.strip, finding.do.split(";")):
        execute(statement)


def test_a_missing_check_is_found(db):
    assert found(schema.indexes) == []
    execute("ALTER TABLE users DROP CONSTRAINT users_only_staff_rule")
    assert "users_only_staff_rule" in found(schema.indexes)[0]


def test_an_invalid_index_is_found_and_mended(committed):
    execute("CREATE TABLE doubled AS SELECT 1 AS n FROM generate_series(1, 2)")
    try:
        with pytest.raises(IntegrityError):
            execute("CREATE UNIQUE INDEX CONCURRENTLY cut_short ON doubled (n)")
        assert "cut_short" in found(schema.indexes)[0]
        execute("DELETE FROM doubled WHERE ctid = '(0,1)'")
        mend(schema.indexes)
    finally:
        execute("DROP TABLE doubled")


def test_a_constraint_left_unvalidated_is_found_and_mended(db):
    execute("ALTER TABLE stories ADD CONSTRAINT late CHECK (revision >= 0) NOT VALID")
    assert "late" in found(schema.indexes)[0]
    mend(schema.indexes)


def test_a_pending_migration_is_found(db):
    MigrationRecorder(connection).record_unapplied("stories", "0001_initial")
    assert "stories.0001_initial" in found(schema.migrations)[0]


def test_a_database_that_cannot_be_migrated_is_found(db):
    assert found(schema.migrations) == []
    MigrationRecorder(connection).record_applied("stories", "0004_next_vectors")
    assert "stories.0004_next_vectors is gone" in found(schema.migrations)[0]


def test_a_database_of_a_newer_version_is_named(db):
    MigrationRecorder(connection).record_applied("stories", "9999_later")
    assert "stories.9999_later is unknown" in found(schema.migrations)[0]
    said: list[str] = []
    prepare(migrate=False, say=said.append)
    assert any("stories.9999_later is unknown" in line for line in said)


# The server


def test_what_stands_beside_the_walls_is_found(db):
    assert found(schema.rights) == []
    execute("CREATE VIEW beside AS SELECT * FROM encrypted_memories")
    assert "beside" in found(schema.rights)[0]
    mend(schema.rights)


def test_a_policy_of_another_role_widened_is_found_and_mended(db):
    execute("ALTER POLICY users_walls_vibe_sign_in ON users USING (true) WITH CHECK (true)")
    assert "users.users_walls_vibe_sign_in: the policy of vibe_sign_in differs" in found(schema.rights)[0]
    mend(schema.rights)


def test_a_login_that_passes_the_walls_by_is_found(db, monkeypatch):
    assert found(server.roles) == []
    asked = figures.rows
    monkeypatch.setattr(figures, "rows", lambda query, *a: asked(query.replace("current_user", "'postgres'"), *a))
    assert "BYPASSRLS" in found(server.roles)[0]


def test_a_scope_that_may_log_in_is_found(db):
    execute("ALTER ROLE vibe_words LOGIN")
    assert "vibe_words" in found(server.roles)[0]
    mend(server.roles)


def test_a_server_that_answers_before_it_is_on_disk_is_found(db):
    assert found(server.durability) == []
    execute("SET LOCAL synchronous_commit = off")
    assert found(server.durability) == ["The server's synchronous_commit is off."]


def test_a_clock_that_is_wrong_is_found(db, monkeypatch):
    assert found(server.clock) == []
    monkeypatch.setattr(server.time, "time", lambda: 1_000_000.0)
    assert "apart" in found(server.clock)[0]


def test_connections_that_run_out_are_found(db, settings, monkeypatch):
    assert found(server.connections) == []
    settings.DATABASE_POOL_SIZE = 100_000
    assert "DATABASE_POOL_SIZE" in found(server.connections)[0]
    settings.DATABASE_POOL_SIZE = 0
    monkeypatch.setattr(figures, "connections", lambda: [(("active",), 99.0)])
    assert "99 of the server's" in found(server.connections)[0]


def test_a_replica_that_is_behind_is_found(db, monkeypatch):
    assert found(server.replication) == []
    monkeypatch.setattr(figures, "replication_seconds", lambda: [(("second",), 90.0)])
    assert "second" in found(server.replication)[0]


def test_an_old_extension_is_found(db, monkeypatch):
    assert found(server.extensions) == []
    monkeypatch.setattr(figures, "rows", lambda _: [("vector", "0.7.4", "0.8.1")])
    assert [finding.severity for finding in server.extensions()] == [Severity.ERROR, Severity.WARNING]
    monkeypatch.setattr(figures, "rows", lambda _: [])
    assert "not in this database" in found(server.extensions)[0]


# Keys


def test_a_wrong_master_key_is_found(ada, settings):
    assert found(keys.canary) == []
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    assert str(ada) not in "".join(found(keys.masters))
    assert "not configured" in found(keys.masters)[0]
    assert "user_keys.wrapped" in found(keys.canary)[0]


def test_without_any_data_key_it_is_said_that_nothing_opens(ada):
    assert found(keys.keyless) == []
    destroy_data_keys(user_id=ada, actor=TESTER)  # there is none, as after a restore without the file of keys
    assert found(keys.keyless) == ["There are people in the database, and no data key of anybody."]


def test_people_whose_rows_are_gone_are_found(ada, jonas):
    """As a shard that is lost takes them: accounts are elsewhere."""
    with unprotected("user_keys", triggers="USER") as cursor:
        cursor.execute("DELETE FROM user_keys WHERE user_id = %s", [ada])
    assert found(keys.keyless) == [f"1 people have an account and no data key, the first {ada}."]
    with pytest.raises(CommandError, match=f"1 people have an account .* the first {ada}: their rows are gone"):
        call_command("verify_audit")


def test_backups_and_drills_that_are_late_are_found_and_measured(db, settings):
    settings.DEBUG = False
    assert found(upkeep.ages) == ["No backup was taken yet.", "No drill passed yet."]
    assert (figures.backup_age(), figures.drill_age()) == ([], [])
    record(actor=Actor.system("backup"), action="backup.take", resource="a")
    record(actor=Actor.system("restore"), action="backup.drill", resource="a", outcome=FAILED)
    assert found(upkeep.ages) == ["No drill passed yet."], "one that failed is none"
    record(actor=Actor.system("restore"), action="backup.drill", resource="a")
    assert found(upkeep.ages) == []
    [((), age)] = figures.backup_age()
    assert 0 <= age < 60
    settings.BACKUP_HOURS, settings.DRILL_DAYS = -1, 0
    assert found(upkeep.ages) == ["The last backup was taken 0 hours ago."]
    settings.BACKUP_HOURS = 0
    assert found(upkeep.ages) == [], "the control: switched off"


def test_retired_keys_are_told_needed_until_they_are_not(ada, settings):
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = os.urandom(32).hex(), settings.ENCRYPTION_KEY
    [finding] = keys.retired()
    assert (finding.severity, finding.do) == (Severity.WARNING, "manage.py rotate_keys")
    call_command("rotate_keys", verbosity=0)
    [finding] = keys.retired()
    assert finding.severity is Severity.NOTE


# Jobs, trail, machine


def test_no_worker_is_found(db):
    assert found(upkeep.worker) == ["No worker is running."]
    register_workers("audit", "waited", "imports", "webhooks")
    assert found(upkeep.worker) == ["The class of work stories has stopped: no worker is running."]
    register_workers("stories")
    assert found(upkeep.worker) == []


def test_a_class_that_is_late_is_found(worker):
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
        "VALUES ('stories', 'stories.tell', '{}', 'todo', now() - interval '1 hour')"
    )
    execute("INSERT INTO job_failures VALUES ('stories', 'stories.tell', 'tokens-spent', now())")
    [what] = found(upkeep.late)
    assert "stories is late: the oldest job that is due waits 360" in what and "tokens-spent of stories.tell" in what


def test_jobs_that_are_stuck_are_found(worker):
    assert found(upkeep.stuck) == []
    for status in ("doing", "failed"):
        execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('stories', 'stories.build', '{}', %s, now() - interval '1 hour')",
            status,
        )
    assert [what.partition(" have")[0].partition(" belong")[0] for what in found(upkeep.stuck)] == ["1 jobs"] * 2


def test_a_trail_that_is_not_sealed_is_found(committed, tmp_path, settings, monkeypatch):
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints")
    with as_system():
        record(actor=TESTER, action="test")
    monkeypatch.setattr(upkeep, "LATE_SECONDS", -1.0)
    assert "1 rows" in found(upkeep.sealing)[0]
    call_command("seal_audit", verbosity=0)
    monkeypatch.setattr(upkeep, "LATE_SECONDS", 0.0)
    assert found(upkeep.sealing) == []


def test_a_full_disk_is_found(monkeypatch):
    monkeypatch.setattr(figures, "disk", lambda: [("state", Usage(10**10, 9 * 10**9, 10**9))])
    assert [finding.severity for finding in configuration.disk()] == [Severity.WARNING]
    monkeypatch.setattr(figures, "disk", lambda: [("state", Usage(10**10, 10**10, 10**7))])
    assert [finding.severity for finding in configuration.disk()] == [Severity.ERROR]


def test_a_state_folder_that_others_read_is_found(tmp_path, settings):
    settings.STATE_DIR = tmp_path
    tmp_path.chmod(0o755)
    assert "Other users" in found(configuration.state_folder)[0]
    tmp_path.chmod(0o711)
    assert found(configuration.state_folder) == []


# Settings


def test_unsafe_settings_are_found(settings):
    settings.DEBUG = True
    assert found(configuration.debug)
    settings.DEBUG = False
    settings.ONE_TIME_CODES, settings.ALLOWED_HOSTS, settings.METRICS_TOKEN = False, ["*"], "short"
    settings.GRANTS_ALLOW_SELF_APPROVAL, settings.GRANT_SEPARATION_DAYS = True, 0
    assert len(found(configuration.loosened)) == 5
    settings.ONE_TIME_CODES, settings.ALLOWED_HOSTS, settings.METRICS_TOKEN = True, ["vibe.example"], ""
    settings.GRANTS_ALLOW_SELF_APPROVAL, settings.GRANT_SEPARATION_DAYS = False, 7
    assert found(configuration.loosened) == []


# The command


def test_without_a_database_it_says_so_and_no_more():
    done = manage("doctor", "--json", DATABASE_URL="postgres://vibe:secret-word@127.0.0.1:1/vibe")
    told = json.loads(done.stdout)
    assert done.returncode == 2
    assert told["checks"][-1]["check"] == "connection"
    assert "127.0.0.1:1" in told["checks"][-1]["findings"][0]["what"]
    assert "secret-word" not in done.stdout + done.stderr


@pytest.mark.parametrize(("made", "code"), [((), 0), ((note,), 0), ((note, warning), 1), ((error, warning), 2)])
def test_the_exit_code_tells_how_bad_it_is(monkeypatch, capsys, made, code):
    findings = tuple(make("It is so.", why="It matters.", do="type this") for make in made)
    monkeypatch.setattr("vibe.management.commands.doctor.examine", lambda: [Examined("something", findings)])
    with pytest.raises(SystemExit) as left:
        call_command("doctor")
    assert int(left.value.code) == code
    assert ("do:   type this" in capsys.readouterr().out) == bool(made)


def test_what_is_wrong_in_many_places_is_said_once_and_the_worst_first(monkeypatch, capsys):
    many = tuple(
        Finding(Severity.ERROR, f"t{at}: it is open.", "Rows.", f"CLOSE t{at};", kind="it is open") for at in range(400)
    )
    examined = [Examined("first", (note("By the way.", why="So.", do="Nothing."),)), Examined("second", many)]
    monkeypatch.setattr("vibe.management.commands.doctor.examine", lambda: examined)
    with pytest.raises(SystemExit):
        call_command("doctor")
    told = capsys.readouterr().out
    assert told.index("second") < told.index("first")
    assert "t2: it is open. And 397 more of this kind." in told
    assert "t3" not in told
    assert told.count("why:") == 2
    with pytest.raises(SystemExit):
        call_command("doctor", "--json")
    assert "t399" in capsys.readouterr().out, "the control: a program gets all of them"


def test_a_pooler_that_no_setting_names_is_found_by_doctor_and_the_probe(db):
    server_of_tests = embedded_server()
    if server_of_tests is None:
        pytest.skip("needs the embedded server, before which it puts a pooler")
    asked = "from vibe.serving.readiness import ask; print(ask()['pooler'])"
    with pooled(server_of_tests, size=2) as folder:
        through = {"DATABASE_URL": url(host=folder, port=POOLER_PORT)}
        told = json.loads(manage("doctor", "--json", **through).stdout)
        named = json.loads(manage("doctor", "--json", DATABASE_POOLER="on", **through).stdout)
        probe = manage("shell", "-c", asked, **through).stdout

    def findings(examined: Any) -> list[Any]:
        return next(each["findings"] for each in examined["checks"] if each["check"] == "pooler")

    assert "DATABASE_POOLER" in findings(told)[0]["what"]
    assert findings(named) == [], "the control: it is named"
    assert "DATABASE_POOLER=on" in probe


def test_the_answer_that_fails_for_a_pooler_names_it(ada, monkeypatch):
    execute_in_fact = psycopg.Cursor.execute

    def of_another_session(self, query, *args, prepare=None, **kwargs):
        if prepare:
            raise psycopg.errors.DuplicatePreparedStatement
        return execute_in_fact(self, query, *args, prepare=prepare, **kwargs)

    as_ada = Api("ada")
    conversation = as_ada.post("/conversations", {}).json()["id"]
    as_ada.post(f"/conversations/{conversation}/memories", {"author": "Ada", "text": "I moved to Lisbon."})
    monkeypatch.setattr(psycopg.Cursor, "execute", of_another_session)
    answer = as_ada.post("/memories/search", {"question": "When did I move?"})
    assert (answer.status_code, answer.json()["code"]) == (503, "pooler-misconfigured")
    assert "DATABASE_POOLER=on" in answer.json()["detail"]


def test_the_worst_of_nothing_is_fine():
    assert worst([]) == 0
