"""Every committed row is sealed once, whatever happens to the sealer, the clock, the transactions or the server."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from audit.errors import ChainBroken, Fault, SigningKeyUnknown
from audit.models import AuditCheckpoint, AuditLeaf, AuditLog
from audit.proof.keys import TrailKeys, trail_keys
from audit.proof.unsealed import Snapshot, detect_restore, sealer_state
from audit.proof.verification import prove
from audit.sealing import services as sealing
from audit.sealing import witness
from audit.sealing.services import seal, write_out
from audit.services import record
from tests.processes import PATIENCE
from vibe.core.db.scopes import as_system
from vibe.doctor import upkeep

ME = Actor.system("tests")


@pytest.fixture(autouse=True)
def file(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints.jsonl")
    return tmp_path / "checkpoints.jsonl"


def note(count: int = 1) -> None:
    for number in range(count):
        record(actor=ME, action="story.read", details={"ids": [number]})


def lines(file: Path) -> list[int]:
    return [each.checkpoint.number for each in witness.read_witnesses(file)]


def elsewhere(work: Any) -> threading.Thread:
    """Another connection."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_rows_are_sealed_once_and_the_file_has_every_checkpoint(db: None, file: Path) -> None:
    note(25)
    assert (seal(batch=10).checkpoints, seal().checkpoints) == (3, 0)
    note()
    assert (seal(batch=10).rows, lines(file)) == (1, [1, 2, 3, 4])
    assert prove(trail_keys(), witness.read_witnesses(file)).rows == 26


def test_it_works_where_statements_are_logged(db: None) -> None:
    note(2)
    with CaptureQueriesContext(connection):
        assert (seal().rows, prove(trail_keys()).rows) == (2, 2)


def test_a_row_that_commits_late_is_sealed_later(committed: None) -> None:
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            note()
            written.set()
            may_commit.wait(PATIENCE)

    thread = elsewhere(slow)
    written.wait(PATIENCE)
    note(3)
    assert seal().rows == 3
    note(2)
    assert seal().rows == 2
    may_commit.set()
    thread.join()
    assert seal().rows == 1
    assert (seal().rows, prove(trail_keys()).unsealed) == (0, 0)


def test_of_two_sealers_at_once_one_works(committed: None) -> None:
    note(3)
    held, may_end = threading.Event(), threading.Event()

    def other() -> None:
        with as_system():
            sealing.only_sealer()
            held.set()
            may_end.wait(PATIENCE)

    thread = elsewhere(other)
    held.wait(PATIENCE)
    first = seal()
    may_end.set()
    thread.join()
    assert (first.busy, first.rows, seal().rows) == (True, 0, 3)


def test_many_sealers_at_once_seal_every_row_once(committed: None) -> None:
    note(40)
    done: list[int] = []
    threads = [elsewhere(lambda: done.append(seal(batch=7).rows)) for _ in range(4)]
    for thread in threads:
        thread.join()
    done.append(seal().rows)
    assert sum(done) == prove(trail_keys()).rows == 40


@pytest.mark.parametrize(
    "place", ["audit.sealing.services.checkpoint_store.stored_of", "audit.sealing.services.save_sealer_state"]
)
def test_a_sealer_killed_in_a_batch_leaves_whole_batches(
    committed: None, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    note(5)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(place, killed)
        seal(batch=10)
    with as_system():
        assert (AuditLeaf.objects.count(), AuditCheckpoint.objects.count()) == (0, 0)
    assert (seal().rows, prove(trail_keys()).rows) == (5, 5)


def test_a_sealer_killed_before_it_wrote_outside_is_made_up_for(
    committed: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("audit.sealing.services.write_out", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        seal()
    assert not file.exists()
    note()
    assert (seal().written, lines(file)) == (2, [1, 2])


def test_half_a_line_at_the_end_of_the_file_is_written_anew(db: None, file: Path) -> None:
    for _ in range(2):
        note()
        seal()
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    assert lines(file) == [1]
    assert (write_out(), file.read_bytes()) == (1, whole)


def test_the_log_stream_gets_each_checkpoint_once(db: None, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.AUDIT_CHECKPOINT_FILE = "-"
    with caplog.at_level("INFO", "audit.checkpoints"):
        for _ in range(2):
            note()
            seal()
        seal()
    text = "".join(f"2026-11-22 INFO audit.checkpoints: {each.getMessage()}\n" for each in caplog.records)
    assert [line.count('"number":') for line in witness.checkpoint_lines(text.splitlines(keepends=True))] == [1, 1]


def test_nothing_is_sealed_on_a_cut_or_forged_end(db: None, file: Path, settings: Any) -> None:
    for _ in range(3):
        note()
        seal()
    kept = file.read_bytes()
    faults = []
    for wrong in (kept.replace(b'"number":3', b'"number":4'), kept.replace(b'"count":1', b'"count":2')):
        file.write_bytes(wrong)
        note()
        with pytest.raises(ChainBroken) as caught, transaction.atomic():
            seal()
        faults.append(caught.value.fault)
    assert faults == [Fault.CUT, Fault.FORK]
    file.write_bytes(kept)


def test_a_wrong_or_dropped_signing_key_is_named_and_no_row_is_called_forged(db: None, settings: Any) -> None:
    old = settings.AUDIT_SIGNING_KEY
    note(2)
    seal()
    note()
    settings.AUDIT_SIGNING_KEY = "7" * 64
    for use in (seal, lambda: prove(trail_keys())):
        with pytest.raises(SigningKeyUnknown, match="AUDIT_SIGNING_KEYS_RETIRED") as caught:
            use()
        assert caught.value.fault is Fault.UNKNOWN_KEY
        assert TrailKeys.from_hex(old).signing.id.hex() in str(caught.value)
        assert old not in str(caught.value)
    [finding] = upkeep.signing_key()
    assert "AUDIT_SIGNING_KEY" in finding.what
    settings.AUDIT_SIGNING_KEYS_RETIRED = old
    assert (seal().rows, seal().forged, list(upkeep.signing_key())) == (1, [], []), "the control: it is configured"


def test_the_signing_key_rotates(db: None, settings: Any) -> None:
    old, new = "5" * 64, "6" * 64
    settings.AUDIT_SIGNING_KEY = old
    note(2)
    seal()
    note()
    public = TrailKeys.from_hex(old).signing.public.hex()
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_SIGNING_KEYS_RETIRED = new, old
    note()
    assert (seal().rows, prove(trail_keys()).rows) == (2, 4)
    settings.AUDIT_SIGNING_KEYS_RETIRED, settings.AUDIT_PUBLIC_KEYS_RETIRED = "", public
    assert prove(trail_keys()).rows == 4
    settings.AUDIT_PUBLIC_KEYS_RETIRED = ""
    with pytest.raises(ChainBroken):
        prove(trail_keys())


def test_after_a_restore_into_a_younger_server_rows_are_still_found(committed: None) -> None:
    try:
        with connection.cursor() as cursor:  # rows that an older server wrote, and a sealer that remembers it
            cursor.execute("ALTER TABLE audit_logs ALTER COLUMN xact SET DEFAULT 9000000000")
        note(3)
        with as_system():
            sealer = sealer_state()
            sealer.snapshot = "9000000005:9000000005:"
            sealer.save()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_logs ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint)")
        note()
        assert seal().rows == 4
        note(2)
        assert (seal().rows, prove(trail_keys()).unsealed) == (2, 0)
        with as_system():
            assert AuditLog.objects.order_by("-xact").first().xact > 9_000_000_001  # type: ignore[union-attr]
        detect_restore()
        with as_system():
            assert sealer_state().shift == 9_000_000_001
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_logs ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint)")


def test_the_news_of_a_snapshot_is_what_was_not_visible_in_it() -> None:
    news = Snapshot.read("10:14:10,12").news(100)
    assert [(each.condition, each.parameters) for each in news] == [
        ("r.xact = ANY(%s)", ([110, 112],)),
        ("r.xact >= %s", (114,)),
    ]
