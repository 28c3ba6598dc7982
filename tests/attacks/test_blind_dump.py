"""Attack: canary phrases, names and places go in by every way there is; then all that a thief carries off is read.

Dump, the server's data files and write-ahead log, its log, jobs, the admin's notes, log lines, temporary files and the
state folder, each as plain bytes, hexadecimal, base64, escaped JSON and UTF-16. What is stored in clear by design
(ids from outside, email addresses, preferences, reasons of grants: docs/threat-model.md) is given no canary.
"""

from __future__ import annotations

import json
import logging
import secrets
import string
import subprocess
import tempfile
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from procrastinate.contrib.django import app

from accounts import tasks
from accounts.export.services import request_export
from accounts.people.services.people import find_person
from memories import export_section
from memories.imports.services.files import FileImport
from memories.models import Memory
from stories.building.services import build as building
from stories.index import services
from stories.models import Story
from stories.tasks import JobFailed, build, index_imported
from tests.api.conftest import Api
from tests.attacks.corpus import tries
from tests.building import build_all, index_all
from tests.cast import TESTER
from tests.processes import PATIENCE, start, url
from tests.protections import unprotected
from vibe.core.db.configured import embedded_server
from vibe.core.db.embedded.files import BINARIES
from vibe.core.db.scopes import as_system, as_user

WHEN = "2026-05-12T09:30:00Z"
COUNT = tries(20, 1_000)
LETTERS = string.ascii_lowercase
LOGGERS = ("", "django", "django.request", "procrastinate", "audit.checkpoints", "stories", "memories", "accounts")


def mark() -> str:
    """What all canaries of one run have in common: nobody else ever says it."""
    return "zq" + "".join(secrets.choice(LETTERS) for _ in range(12))


def phrase(marked: str, number: int) -> str:
    """One canary: a name, a place, and a letter that JSON escapes."""
    return f"Ynez {marked.title()}{number} moved to Port {marked.title()}é{number} and said {marked}{number}é."


def forms(marked: str) -> dict[str, bytes]:
    """Every way in which the common part of the canaries could lie somewhere."""
    found = {}
    for cased in (marked, marked.title()):
        found |= {
            f"{cased} raw": cased.encode(),
            f"{cased} hex": cased.encode().hex().encode(),
            f"{cased} HEX": cased.encode().hex().upper().encode(),
            f"{cased} UTF-16": cased.encode("utf-16-le"),
            f"{cased} UTF-16 in hex": cased.encode("utf-16-le").hex().encode(),
            f"{cased} escaped": "".join(f"\\u{ord(each):04x}" for each in cased).encode(),
        }
        for shift in range(3):  # in base64 it depends on what stands before; the first and last letters are cut off
            found[f"{cased} base64 {shift}"] = b64encode(b"\0" * shift + cased.encode())[4:-4]
    return found


def line(marked: str, number: int, **changes: object) -> bytes:
    said = phrase(marked, number)
    messages = [
        {
            "id": f"m{at}",
            "author": f"Ynez {marked.title()}{number}",
            "text": f"{said} {at}",
            "sent_at": "2026-05-12T09:30:00Z",
        }
        for at in range(3)
    ]
    given = {
        "user": {"firebase_uid": f"u{number % 5}", "name": f"Ynez {marked.title()}"},
        "conversation": {"id": f"c{number}", "title": said, "description": said},
        "messages": messages,
        **changes,
    }
    return json.dumps(given, ensure_ascii=number % 2 == 0).encode() + b"\n"


def bad_lines(marked: str) -> list[bytes]:
    """What an import refuses, each with canaries wherever there is room."""
    good, said = line(marked, 1), phrase(marked, 1)
    return [
        good[:-20] + b"\n",
        said.encode() + b"\n",
        json.dumps({said: said}).encode() + b"\n",
        line(marked, 1, messages=[]),
        line(marked, 1, messages=[{"id": said * 9, "author": said, "text": said, "sent_at": said}]),
        line(marked, 1, messages=[{"id": "m0", "author": "Ynez", "text": said, "sent_at": "2026-05-12T09:30:00Z"}]),
        line(marked, 1, user={"firebase_uid": "u1", "email": said}),
        good.replace(b"sent_at", b"sent"),
        said.encode("utf-16") + b"\n",
    ]


def by_import(marked: str) -> None:
    stream = b"".join([*(line(marked, number) for number in range(COUNT)), *bad_lines(marked)])
    refused: list[str] = []
    FileImport(actor=TESTER, on_refused=lambda problem: refused.append(str(problem))).run(BytesIO(stream))
    assert len(refused) >= 8
    logging.getLogger("memories").warning("\n".join(refused))


def by_api(marked: str, api: Api) -> None:
    """Good requests and bad ones, with canaries in bodies, paths and questions."""
    for number in range(max(3, COUNT // 20)):
        said = phrase(marked, number)
        made = api.post("/conversations", {"title": said, "description": said})
        assert made.status_code == 201, made.content
        path = f"/conversations/{made.json()['id']}/memories"
        added = api.post(path, {"author": f"Ynez {marked.title()}", "text": said}, idempotency_key=f"k{number}")
        assert added.status_code in (200, 201), added.content
        api.post(path, {"author": said, "text": [said]})
        api.post(path, {"author": said})
        api.patch(f"/conversations/{made.json()['id']}", {"title": {said: said}})
        api.raw("POST", path, b'{"author": "' + said.encode())
        api.raw("POST", path, said.encode(), "text/plain")
        api.post("/stories/search", {"question": said, "limit": said})


def fail_jobs(user_id, marked, monkeypatch) -> None:
    """Jobs that break over content, with content in what they raise."""

    def breaks(*_):
        raise RuntimeError(phrase(marked, 3))

    with monkeypatch.context() as patched:
        with monkeypatch.context() as indexing:
            indexing.setattr(services, "make_entries", breaks)
            with pytest.raises(JobFailed):
                logged(lambda: index_imported(str(user_id)))
        index_all(user_id)
        patched.setattr(building, "build_draft", breaks)
        build(str(user_id))
        with as_user(user_id):
            failures = set(Story.objects.of(user_id).values_list("failure", flat=True))
        assert failures == {"The processor failed: RuntimeError."}
        patched.setattr(export_section, "message", breaks)
        export_id = request_export(user_id=user_id, actor=TESTER)
        with pytest.raises(tasks.ExportFailed):
            logged(lambda: tasks.export(str(user_id), str(export_id)))


def logged(work) -> None:
    """Do it, and log what it raises with its traceback, as a worker does."""
    try:
        work()
    except Exception:
        logging.getLogger("procrastinate").exception("A job failed.")
        raise


def everything_in(marked, monkeypatch) -> str:
    """All ways in. What the worker printed comes back."""
    by_import(marked)
    by_api(marked, Api("u0"))
    user_id = find_person("u0")
    fail_jobs(user_id, marked, monkeypatch)
    assert build_all(user_id) >= 3
    tasks.export(str(user_id), str(request_export(user_id=user_id, actor=TESTER)))
    worker = start("worker", "--one-shot", DATABASE_URL=url(), LOG_LEVEL="INFO")
    output, errors = worker.communicate(timeout=PATIENCE)
    return output + errors


def places(folder: Path, said: str, lines: list[str], since: float) -> dict[str, list[bytes]]:
    """What a thief finds, by place."""
    name = connection.settings_dict["NAME"]
    dump = [str(BINARIES / "pg_dump"), "-h", str(connection.settings_dict["HOST"]), "-U", "postgres", name]
    with psycopg.connect(
        host=connection.settings_dict["HOST"], dbname=name, user="postgres", autocommit=True
    ) as server:
        server.execute("CHECKPOINT")
        (oid,) = server.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
        (data,) = server.execute("SHOW data_directory").fetchone()
        tables = ("procrastinate_jobs", "procrastinate_events", "django_admin_log", "audit_logs", "exports")
        rows = {
            table: [repr(server.execute(f"SELECT t::text FROM {table} AS t").fetchall()).encode()] for table in tables
        }
    return {
        "dump": [subprocess.run(dump, check=True, capture_output=True).stdout],
        "data files": contents(Path(data, "base", str(oid)), since),
        "write-ahead log": contents(Path(data, "pg_wal"), since),
        "server's log": [embedded_server().log.read_bytes()],
        **rows,
        "log lines": ["\n".join(lines).encode()],
        "worker's output": [said.encode()],
        "state folder": contents(folder, 0),
        "temporary files": contents(Path(tempfile.gettempdir()), since, deep=False),
    }


def contents(folder: Path, since: float, *, deep: bool = True) -> list[bytes]:
    """Every file that was written since then."""
    found = []
    for path in folder.rglob("*") if deep else folder.glob("*"):
        try:
            if path.is_file() and path.stat().st_mtime >= since:
                found.append(path.read_bytes())
        except OSError:
            continue  # gone, or not ours
    return found


def hits(found: dict[str, list[bytes]], marked: str) -> set[tuple[str, str]]:
    """(place, form) of every canary."""
    return {
        (place, form)
        for place, parts in found.items()
        for form, needle in forms(marked).items()
        if any(needle in part for part in parts)
    }


@pytest.fixture
def lines(monkeypatch):
    """Every log line from DEBUG up to what is on by default, as it would be printed, with its traceback."""
    kept: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record):
            kept.append(self.format(record))

    handler = Keep(logging.INFO)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    named = [logging.getLogger(name) for name in LOGGERS]
    for logger in named:
        logger.addHandler(handler)
    yield kept
    for logger in named:
        logger.removeHandler(handler)


@pytest.fixture
def scene(committed, settings, tmp_path, tmp_path_factory):
    if not embedded_server():
        pytest.skip("reads the files of the embedded server")
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"
    settings.EXPORT_DIR, settings.ERASURES_FILE = tmp_path / "exports", tmp_path / "erasures.jsonl"
    return tmp_path


def test_no_canary_is_found_anywhere(scene, lines, monkeypatch):
    marked = mark()
    stamp = scene / "stamp"
    stamp.touch()
    said = everything_in(marked, monkeypatch)
    with as_user(user_id := find_person("u0")):
        assert Memory.objects.of(user_id).count() >= COUNT // 5 * 3
    found = places(scene, said, lines, stamp.stat().st_mtime)
    assert all(found[place] and found[place][0] for place in ("dump", "data files", "write-ahead log", "log lines"))
    assert hits(found, marked) == set()


def test_a_canary_in_clear_is_found_in_every_place(scene, lines):
    """The control: put by hand where it must not be, each place shows it."""
    marked = mark()
    stamp = scene / "stamp"
    stamp.touch()
    clear = phrase(marked, 1)
    with as_system():
        app.configure_task("stories.build", queue="-").defer(user_id=clear, conversation_id="-")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE procrastinate_events ADD COLUMN note text")
        cursor.execute("UPDATE procrastinate_events SET note = %s", [clear])
    try:
        wal_and_rows(clear, marked)
        logging.getLogger("stories").warning(clear)
        (scene / "left").write_text(clear)
        with tempfile.NamedTemporaryFile() as left, ServerLog(clear):
            left.write(clear.encode("utf-16-le"))
            left.flush()
            found = places(scene, clear, lines, stamp.stat().st_mtime)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE procrastinate_events DROP COLUMN note")
    assert {place for place, _ in hits(found, marked)} == set(found)
    for form, needle in forms(marked).items():
        shifted = {"form": [b"..." + needle + b"..."]}
        assert hits(shifted, marked) >= {("form", form)}
    for shift in range(3):
        assert hits({"base64": [b64encode(b"x" * shift + clear.encode())]}, marked)


def wal_and_rows(clear, marked) -> None:
    """In the admin's notes, the trail and the exports."""
    from accounts.models import User
    from accounts.people.services.people import Profile, ensure_person
    from audit.services import record

    ensure_person(profile=Profile("u0"), actor=TESTER)
    staff = User.objects.create_user("supporter@example.com", "correct horse battery")
    record(actor=TESTER, action="test", reason=clear)
    with unprotected("exports") as cursor:
        cursor.execute(
            "INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, user_id) "
            "VALUES (now(), '-', %s, 2, '', %s)",
            [clear, staff.pk],
        )
        cursor.execute(
            "INSERT INTO exports (id, user_id, state, progress, size, problem) "
            "VALUES (gen_random_uuid(), %s, 'failed', 0, 0, %s)",
            [find_person("u0"), clear[:100]],
        )


class ServerLog:
    """A line in the server's log for a moment."""

    def __init__(self, clear: str) -> None:
        self.clear, self.path = clear, embedded_server().log

    def __enter__(self) -> None:
        self.before = self.path.stat().st_size
        with self.path.open("a") as log:
            log.write(self.clear + "\n")

    def __exit__(self, *_: object) -> None:
        with self.path.open("r+") as log:
            log.truncate(self.before)
