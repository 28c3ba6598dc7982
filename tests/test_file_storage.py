"""Files in a folder and in a bucket: the same to whoever uses them, whole or not at all, and what fails is named."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.conf import settings

from accounts import tasks
from accounts.erasure.receipts import sign_statement
from accounts.erasure.services import erase, erase_again, request_erasure, unfinished_erasures
from accounts.erasure.tombstones import TombstoneBroken, add_tombstone, erased_people, read_tombstones
from accounts.export import files as export_files
from accounts.export.services import (
    export_link,
    export_status,
    make_export,
    open_export,
    remove_expired,
    request_export,
)
from accounts.models import UserKey
from tests.cast import TESTER
from vibe.backup.drill import tombstones_apart
from vibe.core import file_storage
from vibe.core.db.scopes import as_system
from vibe.core.errors import ConfigurationError
from vibe.core.file_storage import Bucket, Files, FilesUnavailable, Folder, client_of
from vibe.doctor import configuration

SAID = [("Ada", "I moved to Lisbon in May."), ("Ada", "Noor came to visit me there.")]
LARGE = [bytes([number]) * 1_000_000 for number in range(20)]  # several parts of an upload


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """Object storage as moto's server imitates it."""
    pytest.importorskip("boto3", reason="needs boto3: pip install boto3")
    moto = pytest.importorskip("moto.server", reason="needs moto: pip install moto[s3]")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    given = {
        "AWS_ENDPOINT_URL_S3": "http://{}:{}".format(*running.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with mock.patch.dict(os.environ, given):
        client_of.cache_clear()
        yield running
    client_of.cache_clear()
    running.stop()


@pytest.fixture
def bucket(server: Any, settings: Any, tmp_path: Path) -> str:
    """An empty bucket, which everything is stored in. The folders are there for nothing."""
    name = f"vibe-{uuid4()}"
    client_of(os.getpid()).create_bucket(Bucket=name)
    settings.OBJECT_STORAGE = f"s3://{name}/one/place"
    settings.EXPORT_DIR, settings.IMPORT_DIR = tmp_path / "exports", tmp_path / "imports"
    settings.ERASURES_FILE = tmp_path / "erasures.jsonl"
    return name


@pytest.fixture
def full(ada: Any, tell: Any) -> Any:
    """Ada, who has said something."""
    tell(ada, "lisbon", SAID)
    return ada


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Files:
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    settings.EXPORT_DIR = tmp_path / "exports"
    found = file_storage.files("exports", "EXPORT_DIR")
    assert isinstance(found, Bucket if request.param == "bucket" else Folder)
    return found


def names_in(bucket: str) -> list[str]:
    return [each["Key"] for each in client_of(os.getpid()).list_objects_v2(Bucket=bucket).get("Contents", ())]


def read(files: Files, name: str) -> bytes:
    with files.read(name) as source:
        return source.read()


def test_what_is_written_is_read_listed_and_removed(files: Files) -> None:
    for name in ("a.1.sealed", "a.2.sealed", "b.1.sealed"):
        files.write(name, [b"an earlier one"])
        files.write(name, iter(LARGE))
        assert read(files, name) == b"".join(LARGE)
    assert files.sizes("a.") == {"a.1.sealed": 20_000_000, "a.2.sealed": 20_000_000}
    assert files.remove("a.") == 2
    assert list(files.sizes()) == ["b.1.sealed"]
    assert files.remove("a.") == 0
    with pytest.raises(FileNotFoundError):
        files.read("a.1.sealed")
    files.write("empty", [])
    assert read(files, "empty") == b""


def test_content_that_fails_leaves_nothing_and_its_error_is_passed_on(files: Files) -> None:
    def content() -> Iterator[bytes]:
        yield from LARGE
        raise LookupError("in the middle")

    with pytest.raises(LookupError, match="in the middle"):
        files.write("cut", content())
    assert files.sizes() == {}
    if isinstance(files, Bucket):
        begun = client_of(os.getpid()).list_multipart_uploads(Bucket=files._bucket)
        assert begun.get("Uploads", []) == []
    else:
        assert list(settings.EXPORT_DIR.iterdir()) == []


def test_content_is_made_in_the_thread_that_writes(files: Files) -> None:
    """It reads from the database, whose connection and scope belong to the thread."""
    seen = set()

    def content() -> Iterator[bytes]:
        for chunk in LARGE:
            seen.add(threading.get_ident())
            yield chunk

    files.write("file", content())
    assert seen == {threading.get_ident()}


def test_an_export_goes_to_the_bucket_and_from_it(full: Any, bucket: str) -> None:
    which = request_export(user_id=full, actor=TESTER)
    make_export(user_id=full, export_id=which, actor=TESTER)
    assert names_in(bucket) == [f"one/place/exports/{which}.sealed"]
    assert not settings.EXPORT_DIR.exists()
    stored = read(export_files.stored(), export_files.name_of(which))
    assert b"Lisbon" not in stored
    assert b"vibe." not in stored
    opened = b"".join(open_export(token=export_link(export_status(user_id=full)), actor=TESTER).chunks)
    assert b"Lisbon" in opened, "the control"


def test_old_exports_and_erased_people_leave_the_bucket(full: Any, bucket: str, settings: Any) -> None:
    settings.EXPORT_LINK_HOURS = 0
    make_export(user_id=full, export_id=request_export(user_id=full, actor=TESTER), actor=TESTER)
    export_files.stored().write(export_files.name_of(uuid4()), [b"of no export"])
    assert remove_expired(actor=TESTER) == 2
    assert names_in(bucket) == []
    settings.EXPORT_LINK_HOURS = 72
    make_export(user_id=full, export_id=request_export(user_id=full, actor=TESTER), actor=TESTER)
    request_erasure(user_id=full, actor=TESTER, at_once=True)
    erase(user_id=full, actor=TESTER)
    assert [name for name in names_in(bucket) if "/exports/" in name] == []
    assert len([name for name in names_in(bucket) if name.startswith("one/place/erasures/")]) == 2
    assert [each["kind"] for each in read_tombstones()] == ["begun", "erased"]
    assert erased_people() == {full}
    assert not settings.ERASURES_FILE.exists()


def test_a_file_from_before_the_bucket_is_read_too(db: None, bucket: str) -> None:
    earlier, later = uuid4(), uuid4()
    with mock.patch.object(settings, "OBJECT_STORAGE", ""):
        add_tombstone(sign_statement({"kind": "begun", "person": str(earlier)}))
    add_tombstone(sign_statement({"kind": "begun", "person": str(later)}))
    assert erased_people() == {earlier, later}
    with tombstones_apart():
        assert erased_people() == {earlier, later}
        add_tombstone(sign_statement({"kind": "begun", "person": str(uuid4())}))
    assert erased_people() == {earlier, later}, "what happens in a drill's copy is no erasure"
    file_storage.files("erasures", "ERASURES_FILE").write("forged.json", [b'{"kind": "begun", "person": "x"}'])
    with pytest.raises(TombstoneBroken, match=r"erasures/forged\.json"):
        erased_people()


def unusable_folder(number: int) -> Any:
    """The system's answer where a disk is full or read-only; root could write to any folder in a test."""
    problem = OSError(number, os.strerror(number))
    return mock.patch("vibe.core.file_storage.os.open", side_effect=problem)


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "df -h"), (errno.EROFS, "remount,rw"), (errno.EACCES, "chown"), (errno.EIO, "manage.py doctor")],
)
def test_a_folder_that_takes_nothing_is_named(db: None, settings: Any, tmp_path: Path, number: int, says: str) -> None:
    settings.EXPORT_DIR = settings.IMPORT_DIR = tmp_path
    assert list(configuration.file_storage()) == [], "the control"
    with unusable_folder(number):
        found = list(configuration.file_storage())
    assert found
    assert all(str(tmp_path) in each.what and says in each.do for each in found)


def test_a_bucket_that_is_not_there_or_does_not_answer_is_named(
    db: None, bucket: str, server: Any, settings: Any
) -> None:
    assert list(configuration.file_storage()) == [], "the control"
    settings.OBJECT_STORAGE = "s3://vibe-nowhere"
    found = list(configuration.file_storage())
    assert all("vibe-nowhere" in each.what for each in found)
    assert "aws s3 mb" in found[0].do
    with mock.patch.dict(os.environ, AWS_ENDPOINT_URL_S3="http://127.0.0.1:1"):
        client_of.cache_clear()
        with pytest.raises(FilesUnavailable) as problem:
            file_storage.files("exports", "EXPORT_DIR").write("a", [b"b"])
    client_of.cache_clear()
    assert "The bucket" in problem.value.reason
    assert "Connect" in problem.value.reason, "refused, or on a busy machine not in time"


def test_a_disk_that_fills_up_fails_the_export_and_is_named(full: Any, settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = tmp_path
    which = request_export(user_id=full, actor=TESTER)
    full_disk = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    full_now = mock.patch("vibe.core.file_storage.write_all", side_effect=full_disk)
    with full_now, pytest.raises(tasks.ExportFailed) as said:
        tasks.export(str(full), str(which))
    assert "df -h" in str(said.value)
    assert export_status(user_id=full).problem == "files-unavailable"
    assert list(tmp_path.iterdir()) == []
    again = request_export(user_id=full, actor=TESTER)
    assert make_export(user_id=full, export_id=again, actor=TESTER)


def test_no_key_is_destroyed_while_the_list_takes_nothing(full: Any, bucket: str, settings: Any) -> None:
    there, settings.OBJECT_STORAGE = settings.OBJECT_STORAGE, "s3://vibe-nowhere"
    request_erasure(user_id=full, actor=TESTER, at_once=True)
    with pytest.raises(FilesUnavailable):
        erase(user_id=full, actor=TESTER)
    with as_system():
        assert UserKey.objects.of(full).filter(wrapped__isnull=False).exists()
    settings.OBJECT_STORAGE = there
    erase(user_id=full, actor=TESTER)
    assert erased_people() == {full}
    assert unfinished_erasures() == set()
    assert erase_again(actor=TESTER) == []


@pytest.mark.parametrize("address", ["bucket", "s3://", "s3://UPPER", "https://example.com/bucket", "s3://a b"])
def test_an_address_that_is_none_stops_the_start(settings: Any, address: str) -> None:
    settings.OBJECT_STORAGE = address
    with pytest.raises(ConfigurationError, match="s3://BUCKET"):
        file_storage.check()


def test_without_boto3_the_start_says_what_to_install(settings: Any) -> None:
    settings.OBJECT_STORAGE = "s3://bucket"
    file_storage.check()
    with mock.patch("vibe.core.file_storage.find_spec", return_value=None), pytest.raises(ConfigurationError) as said:
        file_storage.check()
    assert "pip install boto3" in str(said.value)
