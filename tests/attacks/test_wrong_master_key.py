"""A process with a master key that is not this database's: it refuses whatever writes, and nothing is written.

What it wrote would be under a key that nobody else has: a person it made would be lost to every other process.
"""

from __future__ import annotations

import ast
import json
import os
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import OutputWrapper
from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app
from psycopg import sql

from accounts import middleware
from accounts.authentication import local_tokens
from accounts.keys import master_key
from accounts.keys.errors import WrongMasterKey
from accounts.keys.job_middleware import JobRefused, refuse_wrong_master_key
from accounts.keys.services.data_keys import destroy_data_keys, open_vault
from accounts.keys.services.rotation import values_to_rewrap
from accounts.models import User, UserKey
from accounts.people.services.people import Profile, ensure_person
from accounts.staff.services import enroll
from accounts.tasks import RETRY
from audit.signals import recording
from stories.tasks import Retry
from tests.cast import TESTER
from tests.processes import manage, url
from vibe.core.crypto.master import MasterRing
from vibe.core.db.configured import embedded_server
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import ConfigurationError
from vibe.doctor import keys
from vibe.doctor.findings import Severity
from vibe.management.command_line import BY_THEMSELVES, ELSEWHERE, READ_ONLY, CommandLine
from vibe.mcp import web
from vibe.serving import readiness
from vibe.serving.preparing import prepare

PROJECT = Path(__file__).resolve().parent.parent.parent
ANY = "018f0000-0000-7000-8000-000000000000"
WRITING = {
    "add_one_time_code": "--email boss@example.com",
    "axes_reset": "",
    "axes_reset_failure_logs": "",
    "axes_reset_ip": "192.0.2.1",
    "axes_reset_ip_username": "192.0.2.1 boss",
    "axes_reset_logs": "",
    "axes_reset_username": "boss",
    "backup": "{folder}/backup",
    "changepassword": "boss@example.com",
    "check_lineage": "",
    "clearsessions": "",
    "createcachetable": "",
    "createsuperuser": "--noinput --email second@example.com",
    "distribute": "--apply",
    "erase_again": "",
    "erase_user": "ada --now --yes",
    "export_audit": "--format json",
    "flush": "--noinput",
    "import_conversations": "{lines}",
    "list_entities": "person --user ada",
    "loaddata": "nothing",
    "make_api_key": "--name server",
    "mcp": "--user ada",
    "migrate": "",
    "procrastinate": "shell",
    "prune_audit": "",
    "rebalance": "--apply",
    "reembed_stories": "",
    "reindex": "",
    "remove_stale_contenttypes": "--noinput",
    "revoke_api_key": ANY,
    "revoke_tokens": "--user ada",
    "rotate_keys": "--skip-missing",
    "run": "",
    "runserver": "",
    "seal_audit": "",
    "search_stories": "--user ada boat",
    "context": "--user ada boat",
    "shell": "-c pass",
    "build_stories": "",
    "verify_audit": "",
    "worker": "",
}
OPEN_NONE = "open none of the stored data keys"
OURS: str = django_settings.ENCRYPTION_KEY


@pytest.fixture
def stored(committed: None) -> MasterRing:
    """The master keys under which a person and a member of staff are stored."""
    ensure_person(profile=Profile("ada", email="ada@example.com", name="Ada Tavares"), actor=TESTER)
    User.objects.create_superuser("boss@example.com", "correct horse battery")
    return master_key.ring()


@pytest.fixture
def wrong(stored: MasterRing, settings: Any) -> MasterRing:
    """The same database, and a process with another master key."""
    return configure(settings, another())


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    said = [{"id": "1", "author": "Ida", "text": "I bought a boat.", "sent_at": "2026-03-01T10:00:00Z"}]
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps({"user": {"firebase_uid": "ida"}, "conversation": {"id": "c"}, "messages": said}))
    return file


@pytest.fixture
def unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the commands nor the trail nor the wrapping nor the web look at the master key."""
    monkeypatch.setattr(master_key, "require_fit", lambda _: None)
    monkeypatch.setattr(middleware, "opens_nothing", lambda: False)


def another() -> str:
    return os.urandom(32).hex()


def configure(settings: Any, key: str, *, retired: str = "") -> MasterRing:
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = key, retired
    return master_key.ring()


def everything() -> dict[str, str]:
    """Every row there is, by its table: read by the superuser, whom no policy keeps from any."""
    if not embedded_server():
        pytest.skip("reads past row-level security, on the embedded server")
    with embedded_server().connect(connection.settings_dict["NAME"]) as superuser:
        names = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        text = "SELECT coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '') FROM {} t"
        return {name: superuser.execute(sql.SQL(text).format(sql.Identifier(name))).fetchone()[0] for (name,) in names}


def type_in(name: str, arguments: str = "") -> None:
    """As on the command line."""
    command = CommandLine(["manage.py", name]).fetch_command(name)
    command.stdout = command.stderr = OutputWrapper(StringIO())
    command.run_from_argv(["manage.py", name, *arguments.split()])


def api(uid: str = "ada") -> dict[str, str]:
    return {"authorization": f"Bearer {local_tokens.issue(uid=uid)}"}


def people() -> int:
    with as_system():
        return User.objects.filter(is_staff=False).count()


# Commands


def test_every_command_is_known_to_write_or_not_to() -> None:
    kinds = [READ_ONLY, ELSEWHERE, BY_THEMSELVES - set(WRITING), frozenset(WRITING)]
    known = [name for kind in kinds for name in kind]
    assert sorted(known) == sorted(get_commands()), "name it in WRITING here, or in vibe.management.command_line"


def test_every_command_that_writes_is_refused_with_the_ids_of_the_keys(
    stored: MasterRing, wrong: MasterRing, lines: Path, tmp_path: Path
) -> None:
    before = everything()
    for name, arguments in WRITING.items():
        with pytest.raises(WrongMasterKey, match=OPEN_NONE) as refused:
            type_in(name, arguments.format(lines=lines, folder=tmp_path))
        said = str(refused.value)
        assert wrong.current.id.hex() in said and stored.current.id.hex() in said, name
        assert "Set ENCRYPTION_KEY back" in said and "docs/keys.md#the-wrong-master-key" in said, name
        assert everything() == before, name
    assert list(tmp_path.iterdir()) == [lines]


@pytest.mark.parametrize(
    "name",
    ["import_conversations", "make_api_key", "revoke_tokens", "erase_user", "add_one_time_code", "seal_audit"],
)
def test_control_without_the_look_they_write(
    unprotected: None, wrong: MasterRing, lines: Path, tmp_path: Path, name: str
) -> None:
    before = everything()
    type_in(name, WRITING[name].format(lines=lines, folder=tmp_path))
    assert everything() != before


def test_a_command_that_is_added_is_refused_too(wrong: MasterRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        get_commands(), "next_years_command", load_command_class(get_commands()["revoke_tokens"], "revoke_tokens")
    )
    with pytest.raises(WrongMasterKey, match=OPEN_NONE):
        type_in("next_years_command", "--user ada")


def test_what_only_reads_still_runs(wrong: MasterRing) -> None:
    before = everything()
    type_in("showmigrations")
    type_in("list_api_keys")
    with pytest.raises(SystemExit) as ended:
        type_in("doctor", "--json")
    assert ended.value.code == Severity.ERROR
    assert everything() == before


@pytest.mark.parametrize("command", ["serve", "worker", "import_conversations {lines}"])
def test_processes_of_their_own_refuse(stored: MasterRing, lines: Path, command: str) -> None:
    before = everything()
    environment = {"DEBUG": "on", "DATABASE_URL": url(), "ENCRYPTION_KEY": os.urandom(32).hex()}
    done = manage(*command.format(lines=lines).split(), **environment)
    assert done.returncode == 1
    assert OPEN_NONE in done.stderr and stored.current.id.hex() in done.stderr
    assert environment["ENCRYPTION_KEY"] not in done.stderr and "Traceback" not in done.stderr
    assert everything() == before


def test_serving_refuses_before_it_migrates(wrong: MasterRing) -> None:
    said: list[str] = []
    with pytest.raises(ConfigurationError, match=OPEN_NONE):
        prepare(migrate=True, say=said.append)
    assert not any("migrat" in each.lower() for each in said)


def test_a_drill_is_refused_and_a_backup_of_this_key_may_take_the_place_of_the_rest(
    stored: MasterRing, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the database that is replaced must fit, but the keys of the backup, which `restore` itself looks at."""
    configure(settings, another())
    (tmp_path / "backup").touch()
    (tmp_path / "backup.keys").touch()
    for how in ("--drill", "--without-keys --replace"):
        with pytest.raises(WrongMasterKey, match=OPEN_NONE):
            type_in("restore", f"{tmp_path}/backup {how}")
    with pytest.raises(SystemExit):  # it is no backup: what counts is that it was looked at
        type_in("restore", f"{tmp_path}/backup --replace")


# Past the command line


def test_a_verb_is_refused_whoever_calls_it(wrong: MasterRing) -> None:
    before = everything()
    for attempt in (
        lambda: call_command("revoke_tokens", user="ada"),
        lambda: call_command("make_api_key", name="server"),
        lambda: ensure_person(profile=Profile("ida", name="Ida"), actor=TESTER),
        lambda: enroll(email="boss@example.com", actor=TESTER),
        lambda: User.objects.create_user("second@example.com", "correct horse battery"),
    ):
        with pytest.raises(WrongMasterKey, match=OPEN_NONE):
            attempt()
    assert everything() == before


def test_control_without_the_look_before_recording_a_verb_that_wraps_nothing_writes(wrong: MasterRing) -> None:
    before = everything()
    recording.disconnect(master_key.refuse_recording)
    try:
        call_command("revoke_tokens", user="ada", stdout=StringIO())
    finally:
        recording.connect(master_key.refuse_recording)
    assert everything() != before


def test_nobody_is_made_even_where_nothing_is_recorded(wrong: MasterRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What wraps looks by itself, and always anew: a process may have been right a moment ago."""
    monkeypatch.setattr(master_key, "last_known_fit", lambda: master_key.Fit.OPENS)
    with pytest.raises(WrongMasterKey, match=OPEN_NONE):
        ensure_person(profile=Profile("ida", name="Ida"), actor=TESTER)
    assert people() == 1


def test_control_without_the_look_a_person_is_sealed_under_a_key_that_nobody_else_has(
    unprotected: None, stored: MasterRing, wrong: MasterRing, settings: Any
) -> None:
    ida = ensure_person(profile=Profile("ida", name="Ida"), actor=TESTER)
    configure(settings, OURS)
    with as_user(ida), pytest.raises(Exception, match=wrong.current.id.hex()):
        open_vault()


WRAPS = {
    ("accounts/people/services/people.py", "insert_person"),  # in the transaction of make_data_key
    ("accounts/keys/services/data_keys.py", "make_data_key"),
    ("accounts/staff/services.py", "new_device"),
    ("accounts/staff/services.py", "_keep_digests"),
    ("accounts/webhooks/services/endpoints.py", "make_webhook"),
    ("accounts/webhooks/services/endpoints.py", "rotate_secret"),
    ("accounts/keys/services/rotation.py", "rewrap_after"),  # what it has just unwrapped
    ("accounts/migrations/0009_one_time_secrets_wrapped.py", "wrap"),  # `migrate` is refused
}


def test_every_place_that_wraps_is_known() -> None:
    found = set()
    for config in apps.get_app_configs():
        folder = Path(config.path)
        if folder.is_relative_to(PROJECT) and "site-packages" not in folder.parts:
            for file in folder.rglob("*.py"):
                name = str(file.relative_to(PROJECT))
                if not name.startswith(("vibe/core/crypto/", "accounts/keys/providers/")):
                    found |= {(name, function) for function in wrapping_functions(file)}
    assert found == WRAPS, "new places take accounts.keys.master_key.wrapping_ring()"


def wrapping_functions(file: Path) -> set[str]:
    """The functions of a file that call `wrap` or `wrap_text` of anything."""
    return {
        function.name
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in ("wrap", "wrap_text")
    }


# Requests


REQUESTS = [
    ("POST", "/api/v1/conversations", "ada"),
    ("PATCH", "/api/v1/me/preferences", "ada"),
    ("GET", "/api/v1/me", "ada"),
    ("GET", "/api/v1/me", "ida"),  # her first sign-in
    ("POST", "/admin/login/", ""),
]


def send(client: Client, method: str, path: str, uid: str) -> Any:
    return client.generic(method, path, b"{}", "application/json", headers=api(uid) if uid else {})


@pytest.mark.parametrize(("method", "path", "uid"), REQUESTS)
def test_a_request_is_answered_503_and_writes_nothing(
    wrong: MasterRing, stored: MasterRing, method: str, path: str, uid: str
) -> None:
    before = everything()
    answer = send(Client(), method, path, uid)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    if uid:
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert not any(ring.current.id.hex() in answer.content.decode() for ring in (wrong, stored))
    assert everything() == before


@pytest.mark.parametrize(("method", "path", "uid"), [REQUESTS[1], REQUESTS[3]])
def test_control_without_the_gate_it_writes(
    unprotected: None, wrong: MasterRing, method: str, path: str, uid: str
) -> None:
    before = everything()
    assert send(Client(), method, path, uid).status_code == 200
    assert everything() != before


def test_a_process_that_served_an_empty_database_is_refused_as_soon_as_another_has_filled_it(
    committed: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_key, "REMEMBERED_SECONDS", -1.0)
    ours, other = another(), another()
    configure(settings, ours)
    assert Client().get("/api/v1/me").status_code == 401
    remembered = dict(master_key._remembered)
    assert set(remembered) == {master_key.cache_key()}
    configure(settings, other)
    ensure_person(profile=Profile("ada"), actor=TESTER)
    configure(settings, ours)
    master_key._remembered.update(remembered)
    assert send(Client(), *REQUESTS[1]).status_code == 503


def test_readiness_ends_what_a_process_remembers(
    stored: MasterRing, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotated away beneath it: it is told by its next probe."""
    monkeypatch.setattr(readiness, "REMEMBERED_SECONDS", -1.0)
    assert send(Client(), *REQUESTS[1]).status_code == 200
    master_key.note_fit(master_key.Fit.OPENS)
    remembered = dict(master_key._remembered)
    configure(settings, another(), retired=OURS)
    call_command("rotate_keys", stdout=StringIO())
    configure(settings, OURS)
    master_key._remembered.update(remembered)
    ready = Client().get("/readyz")
    assert ready.status_code == 503 and "Set ENCRYPTION_KEY back" in ready.json()["checks"]["keys"]["why"]
    assert send(Client(), *REQUESTS[1]).status_code == 503


def test_an_agent_is_answered_503_too(wrong: MasterRing) -> None:
    before = everything()
    headers = [(b"authorization", api("ida")["authorization"].encode())]
    assert web.admitted({"method": "POST", "headers": headers, "client": ("192.0.2.1", 1)}).status_code == 503
    assert everything() == before


def test_control_without_the_gate_an_agent_is_let_in(unprotected: None, wrong: MasterRing) -> None:
    headers = [(b"authorization", api("ida")["authorization"].encode())]
    assert web.admitted({"method": "POST", "headers": headers, "client": ("192.0.2.1", 1)}).user_id
    assert people() == 2


def test_probes_and_what_shows_nobody_answer_still(wrong: MasterRing) -> None:
    assert Client().get("/livez").status_code == 200
    assert Client().get("/").status_code == 200
    assert Client().get("/api/v1/nowhere").status_code == 404


# Jobs


def test_a_worker_whose_key_is_wrong_ends_and_its_job_is_tried_again(wrong: MasterRing) -> None:
    ended, done = [], []
    worker = SimpleNamespace(stop=lambda: ended.append(True))
    with pytest.raises(JobRefused) as refused:
        refuse_wrong_master_key(lambda: done.append(True), None, worker)
    assert (ended, done) == ([True], [])
    job = SimpleNamespace(attempts=0)
    assert all(each.get_retry_decision(exception=refused.value, job=job) for each in (RETRY, Retry()))
    assert refuse_wrong_master_key in app.worker_defaults["task_middleware"]


def test_control_a_worker_whose_key_is_right_works(stored: MasterRing) -> None:
    assert refuse_wrong_master_key(lambda: "done", None, None) == "done"


# What goes on


def test_an_empty_database_takes_any_key(committed: None, settings: Any, lines: Path) -> None:
    configure(settings, another())
    type_in("import_conversations", str(lines))
    assert people() == 1


def test_a_database_whose_keys_were_all_destroyed_takes_any_key(stored: MasterRing, settings: Any) -> None:
    with as_system():
        ada = UserKey.objects.values_list("user_id", flat=True).get()
    destroy_data_keys(user_id=ada, actor=TESTER)
    configure(settings, another())
    assert master_key.check_stored_keys() is master_key.Fit.NOTHING_STORED


def test_a_rotation_under_way_goes_on(stored: MasterRing, settings: Any, lines: Path) -> None:
    """The new key opens nothing yet, a retired one does."""
    configure(settings, another(), retired=OURS)
    type_in("import_conversations", str(lines))
    assert people() == 2
    [finding] = keys.retired()
    assert finding.do == "manage.py rotate_keys"
    type_in("rotate_keys")
    assert values_to_rewrap() == 0


def test_rotating_without_the_old_key_is_refused(stored: MasterRing, wrong: MasterRing) -> None:
    before = everything()
    for arguments in ({}, {"dry_run": True}):
        with pytest.raises(WrongMasterKey, match=stored.current.id.hex()):
            call_command("rotate_keys", **arguments)
    assert everything() == before


def test_keys_that_open_some_go_on_and_doctor_names_the_others(
    stored: MasterRing, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all the newest are under another key, which a process of an earlier version made."""
    mixed = configure(settings, another())
    with monkeypatch.context() as before:
        before.setattr(master_key, "require_fit", lambda _: None)
        for number in range(master_key.SAMPLE + 1):
            ensure_person(profile=Profile(f"uid-{number}"), actor=TESTER)
    configure(settings, OURS)
    assert master_key.check_stored_keys() is master_key.Fit.OPENS
    call_command("revoke_tokens", user="ada", stdout=StringIO())
    [finding] = keys.masters()
    assert mixed.current.id.hex() in finding.what and stored.current.id.hex() not in finding.what
    assert list(keys.retired()) == [], "the others are under no configured key: there is nothing to rotate"


def test_doctor_advises_the_right_key_and_no_rotation(stored: MasterRing, wrong: MasterRing) -> None:
    [finding] = keys.masters()
    assert finding.severity is Severity.ERROR and OPEN_NONE in finding.what
    assert stored.current.id.hex() in finding.what and wrong.current.id.hex() in finding.what
    assert finding.do.startswith("Set ENCRYPTION_KEY to the key")
    assert list(keys.retired()) == []
    advice = " ".join(each.do for check in (keys.masters, keys.canary, keys.retired) for each in check())
    assert "rotate" not in advice and "RETIRED" not in advice


def test_looking_is_one_round_trip_and_what_is_known_is_not_asked(ada: Any, django_assert_num_queries: Any) -> None:
    """Whatever writes looks first, so its round trips are what that costs."""
    with as_system(), django_assert_num_queries(1):
        assert master_key.check_stored_keys() is master_key.Fit.OPENS
    with django_assert_num_queries(0):
        assert master_key.last_known_fit() is master_key.Fit.OPENS
