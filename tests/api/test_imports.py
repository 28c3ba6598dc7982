"""Importing over HTTP: begun, uploaded in sealed parts, started, done by a job that says how far it is."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from django.db import OperationalError
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.erasure import services as erasure
from accounts.keys.services.data_keys import open_vault
from audit.models import AuditLog
from memories import tasks
from memories.imports import uploads
from memories.imports.services import files, uploaded
from memories.models import Import, Memory
from memories.payload import open_memories
from tests.cast import TESTER
from vibe.core.crypto.errors import SealBroken
from vibe.core.db.scopes import as_support, as_system, as_user

SAMPLES = Path(__file__).parent.parent / "imports"
CHATGPT = (SAMPLES / "chatgpt.json").read_bytes()
SECRET = b"My dog Pixel comes along."

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.IMPORT_DIR = tmp_path / "imports"
    return settings.IMPORT_DIR


def begin(who, form="chatgpt", **options):
    answer = who.post("/me/import", {"format": form, **options})
    assert answer.status_code == 201, answer.content
    assert answer.headers["Location"] == f"/api/v1/me/import/{answer.json()['id']}"
    return f"/me/import/{answer.json()['id']}"


def put(who, path, number, content, content_type="application/octet-stream"):
    return who.raw("PUT", f"{path}/parts/{number}", content, content_type)


def upload(who, content, form="chatgpt", parts=1, **options):
    """Begin, upload and start an import. Return its address."""
    path = begin(who, form, **options)
    size = -(-len(content) // parts)
    for number in range(parts):
        assert put(who, path, number, content[number * size : (number + 1) * size]).status_code == 204
    started = who.post(f"{path}/start", {"parts": parts})
    assert (started.status_code, started.json()["state"]) == (202, "waiting")
    return path


def run(path, user_id):
    tasks.import_upload(str(user_id), path.rpartition("/")[2])


def texts(user_id):
    with as_user(user_id):
        opened = open_memories(Memory.objects.of(user_id).order_by("occurred_at", "id"), open_vault())
        return [each.payload.text for each in opened]


def test_a_file_in_parts_comes_in_and_is_gone(ada, as_ada, folder):
    path = upload(as_ada, CHATGPT, parts=3)
    with as_system():
        [args] = ProcrastinateJob.objects.filter(task_name=uploaded.JOB).values_list("args", flat=True)
    assert args == {"user_id": str(ada), "import_id": path.rpartition("/")[2]}
    run(path, ada)
    done = as_ada.get(path).json()
    assert (done["state"], done["progress"], done["problems"], done["problem"]) == ("done", 100, [], "")
    assert (done["counts"]["conversations"], done["counts"]["memories"]) == (2, 5)
    assert done["passed_over"]["hidden messages"] == 2
    assert as_ada.get("/me/import").json() == done
    assert texts(ada)[0].startswith("My dog Pixel")
    assert list(folder.iterdir()) == []
    run(path, ada)  # a job that is done twice
    assert len(texts(ada)) == 5
    with as_support():
        actions = list(
            AuditLog.objects.filter(action__startswith="import.").order_by("id").values_list("action", flat=True)
        )
    assert actions == ["import.begin", *["import.part"] * 3, "import.start", "import.finish"]


def test_what_waits_is_sealed_for_its_person_and_place(ada, jonas, as_ada, folder):
    path = begin(as_ada, me="Ada Tavares", time_zone="Europe/Lisbon")
    put(as_ada, path, 0, SECRET)
    stored = b"".join(each.read_bytes() for each in folder.iterdir())
    assert SECRET not in stored and b"Lisbon" not in stored and b"Ada" not in stored
    which = UUID(path.rpartition("/")[2])
    with as_user(ada):
        seal = open_vault().files
    assert b"".join(uploads.read_part(seal, ada, which, 0)) == SECRET
    (folder / uploads.name_of(which, 0)).rename(folder / uploads.name_of(which, 1))
    with as_user(jonas):
        others = open_vault().files
    for key, number, person in ((seal, 1, ada), (others, 1, ada), (seal, 1, jonas)):
        with pytest.raises(SealBroken):
            list(uploads.read_part(key, person, which, number))


def test_another_persons_import_is_not_there(ada, as_ada, as_jonas):
    path = begin(as_ada)
    assert as_jonas.get(path).status_code == 404
    assert put(as_jonas, path, 0, b"[]").status_code == 404
    assert as_jonas.post(f"{path}/start", {"parts": 1}).status_code == 404
    assert as_jonas.delete(path).status_code == 404
    assert as_jonas.get("/me/import").status_code == 404
    assert as_ada.get(path).json()["state"] == "uploading"


def test_a_server_imports_for_a_person(ada, server):
    who = server("read", "write").as_("ada")
    path = upload(who, CHATGPT)
    run(path, ada)
    assert who.get(path).json()["counts"]["memories"] == len(texts(ada)) == 5
    assert server("read").as_("ada").post("/me/import", {"format": "chatgpt"}).status_code == 403
    assert server("read", "write", companion="nova").as_("ada").get(path).status_code == 403


def test_one_at_a_time_and_in_its_order(ada, as_ada, folder):
    path = begin(as_ada)
    again = as_ada.post("/me/import", {"format": "claude"})
    assert (again.status_code, again.json()["code"]) == (409, "import-under-way")
    assert again.json()["existing_id"] == path.rpartition("/")[2]
    put(as_ada, path, 1, b"]")
    assert "Part 0 has not come" in as_ada.post(f"{path}/start", {"parts": 2}).json()["detail"]
    put(as_ada, path, 0, b"x")
    put(as_ada, path, 0, b"[")  # in place of the first
    assert "More parts have come" in as_ada.post(f"{path}/start", {"parts": 1}).json()["detail"]
    assert as_ada.post(f"{path}/start", {"parts": 2}).status_code == 202
    assert put(as_ada, path, 0, b"[").json()["code"] == "import-under-way"
    assert as_ada.delete(path).status_code == 204
    assert list(folder.iterdir()) == []
    assert as_ada.get(path).json()["state"] == "cancelled"
    run(path, ada)
    assert as_ada.get(path).json()["state"] == "cancelled"
    begin(as_ada)


def test_the_same_request_twice_with_a_key_is_one(ada, as_ada):
    first = as_ada.post("/me/import", {"format": "chatgpt"}, idempotency_key="k1")
    again = as_ada.post("/me/import", {"format": "chatgpt"}, idempotency_key="k1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"format": "pdf"}, 422),
        ({"format": "whatsapp", "time_zone": "../etc/passwd"}, 400),
        ({"format": "whatsapp", "dates": "never"}, 422),
        ({"format": "chatgpt", "who": "uid:jonas"}, 422),
    ],
)
def test_what_is_wrong_with_a_beginning_is_said_at_once(ada, as_ada, given, status, folder):
    assert as_ada.post("/me/import", given).status_code == status
    assert not folder.exists()
    with as_user(ada):
        assert not Import.objects.of(ada).exists()


def test_a_part_is_bytes_of_a_bounded_size(ada, as_ada, monkeypatch):
    path = begin(as_ada)
    assert put(as_ada, path, 0, b"[]", "application/json").status_code == 415
    assert put(as_ada, path, uploaded.MOST_PARTS, b"[]").status_code == 422
    assert put(as_ada, path, 0, bytes(uploaded.PART_BYTES)).status_code == 204
    too_much = put(as_ada, path, 1, bytes(uploaded.PART_BYTES + 1))
    assert (too_much.status_code, too_much.json()["code"]) == (413, "body-too-large")


BROKEN = [
    ("chatgpt", CHATGPT[: len(CHATGPT) // 2], "failed", "unreadable-file", "Nothing of the file could be read"),
    ("chatgpt", CHATGPT[:-400], "done", "", "conversation 2: the file ends here in the middle"),
    ("chatgpt", b"PK\x03\x04" + bytes(100), "failed", "unreadable-file", "is a zip archive"),
    ("whatsapp", CHATGPT, "failed", "unreadable-file", "no zone"),
    ("jsonl", b"{", "done", "", "line 1: not JSON"),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_ends_with_its_problems(ada, as_ada, folder, broken):
    form, content, state, code, problem = broken
    path = upload(as_ada, content, form)
    run(path, ada)
    done = as_ada.get(path).json()
    assert (done["state"], done["problem"]) == (state, code)
    assert problem in done["problems"][0]
    assert list(folder.iterdir()) == []
    assert len(texts(ada)) == done["counts"]["memories"]


def line(uid, text="Hello.", number=1):
    message = {"id": "m", "author": "Ada", "text": text, "sent_at": "2026-05-12T09:30:00Z"}
    user = {"user": {"firebase_uid": uid}} if uid else {}
    return json.dumps({**user, "conversation": {"id": f"c{number}"}, "messages": [message]}).encode() + b"\n"


def test_a_file_that_names_others_brings_in_nothing(ada, jonas, as_ada):
    path = upload(as_ada, line("ada") + line("jonas", number=2), "jsonl")
    run(path, ada)
    done = as_ada.get(path).json()
    assert (done["state"], done["problem"]) == ("failed", "names-another")
    assert texts(ada) == texts(jonas) == []


def test_control_without_the_check_its_first_lines_come_in(ada, jonas, as_ada, monkeypatch):
    monkeypatch.setattr(files, "require_owner", lambda *_: None)
    monkeypatch.setattr(files, "BATCH_MESSAGES", 1)
    run(upload(as_ada, line("ada") + line("jonas", number=2), "jsonl"), ada)
    assert texts(ada) == ["Hello."]


def test_a_dry_run_and_a_strict_one_write_nothing(ada, as_ada):
    path = upload(as_ada, CHATGPT, dry_run=True)
    run(path, ada)
    assert as_ada.get(path).json()["counts"]["memories"] == 5
    path = upload(as_ada, line(None) + b"{", "jsonl", strict=True)
    run(path, ada)
    done = as_ada.get(path).json()
    assert (done["state"], done["problem"]) == ("failed", "bad-line")
    assert texts(ada) == []


@pytest.mark.parametrize(("limit", "came"), [("off/2", 2), ("off", 3)])
def test_the_limits_of_storage_hold(ada, as_ada, settings, limit, came):
    settings.STORAGE_LIMIT_MEMORIES = limit
    path = upload(as_ada, b"".join(line(None, f"Said {number}.", number) for number in range(3)), "jsonl")
    run(path, ada)
    done = as_ada.get(path).json()
    assert len(texts(ada)) == done["counts"]["memories"] == came
    assert [problem.split(":")[0] for problem in done["problems"]] == ["line 3"][: 3 - came]


def test_a_job_that_breaks_off_is_finished_by_the_next(ada, as_ada, monkeypatch):
    content = b"".join(line(None, f"Said {number}.", number) for number in range(20))
    path = upload(as_ada, content, "jsonl", parts=2)
    take, taken = files.import_conversations, []
    monkeypatch.setattr(files, "BATCH_MESSAGES", 5)

    def breaking(**given):
        if len(taken) == 2:
            taken.clear()
            raise OperationalError("gone, with " + SECRET.decode())
        taken.append(1)
        return take(**given)

    monkeypatch.setattr(files, "import_conversations", breaking)
    with pytest.raises(OperationalError) as problem:
        run(path, ada)
    assert SECRET.decode() not in str(problem.value)
    there = as_ada.get(path).json()
    assert there["state"] == "running" and 0 < there["progress"] < 100
    assert len(texts(ada)) == 10
    monkeypatch.setattr(files, "import_conversations", take)
    run(path, ada)
    done = as_ada.get(path).json()
    assert (done["state"], done["counts"]["memories"], done["counts"]["unchanged"]) == ("done", 10, 10)
    assert len(texts(ada)) == 20


def test_a_job_that_fails_says_only_the_kind_of_error(ada, as_ada, monkeypatch, folder):
    path = upload(as_ada, CHATGPT)

    def fail(**_):
        raise RuntimeError(SECRET.decode())

    monkeypatch.setattr(files, "import_conversations", fail)
    with pytest.raises(tasks.ImportFailed) as problem:
        run(path, ada)
    assert SECRET.decode() not in str(problem.value)
    done = as_ada.get(path).json()
    assert (done["state"], done["problem"]) == ("failed", "RuntimeError")
    assert list(folder.iterdir()) == []


def test_only_so_many_problems_are_kept(ada, as_ada, monkeypatch):
    monkeypatch.setattr(uploaded, "MOST_PROBLEMS", 3)
    path = upload(as_ada, b"{\n" * 10, "jsonl")
    run(path, ada)
    done = as_ada.get(path).json()
    assert (len(done["problems"]), done["counts"]["refused"]) == (3, 10)


def test_an_upload_that_nobody_finishes_goes(ada, as_ada, folder, monkeypatch):
    path = begin(as_ada)
    put(as_ada, path, 0, CHATGPT)
    (folder / f"{UUID(int=7)}.0.sealed").write_bytes(b"of no import")
    assert uploaded.remove_abandoned(actor=TESTER) == 1
    assert as_ada.get(path).json()["state"] == "uploading"
    monkeypatch.setattr(uploaded, "ABANDONED", uploaded.ABANDONED * 0)
    uploaded.remove_abandoned(actor=TESTER)
    assert (as_ada.get(path).json()["state"], as_ada.get(path).json()["problem"]) == ("failed", "abandoned")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("known", [True, False], ids=["known", "control"])
def test_an_erasure_takes_what_was_uploaded(ada, as_ada, settings, monkeypatch, known):
    folder = settings.IMPORT_DIR
    settings.EXPORT_DIR, settings.ERASURES_FILE = folder.parent / "exports", folder.parent / "erasures.jsonl"
    path = begin(as_ada)
    put(as_ada, path, 0, CHATGPT)
    if not known:
        monkeypatch.setattr(erasure, "FILES", [])
    erasure.request_erasure(user_id=ada, actor=TESTER, at_once=True)
    erasure.erase(user_id=ada, actor=TESTER)
    assert bool(list(folder.iterdir())) is not known
