"""What an operator types: each says what it found, in words or JSON, and is itself in the trail."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.actors import Actor
from audit.errors import PruningBroken
from audit.models import AuditLog, AuditPruning
from audit.proof.checkpoint import SignedCheckpoint
from audit.proof.keys import trail_keys
from audit.proof.merkle import verify_inclusion
from audit.proof.verification import prove
from audit.reading.services import csv_cell, page
from audit.retention.partitions import ensure_partitions, later, months_kept, this_month
from audit.sealing.services import seal
from audit.services import record
from audit.tasks import make_months
from tests.protections import unprotected
from vibe.core.db.scopes import as_support, as_system, as_user

ME = Actor.system("tests")
ADA, JONAS = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def file(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints.jsonl")
    return tmp_path / "checkpoints.jsonl"


def note(count: int = 1, **values: Any) -> None:
    for number in range(count):
        record(actor=ME, **{"action": "story.read", "details": {"ids": [number]}, **values})


def ran(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def actions() -> list[str]:
    with as_system():
        return list(AuditLog.objects.order_by("at", "id").values_list("action", flat=True))


def test_verify_says_that_the_trail_holds(db: None) -> None:
    note(3)
    assert "3 rows sealed under 1 checkpoints" in ran("seal_audit")
    said = json.loads(ran("verify_audit", json=True))
    assert (said["sound"], said["rows"], said["witnesses"]) == (True, 3, 1)
    assert "The trail holds: 3 rows" in ran("verify_audit")
    assert actions()[-2:] == ["audit.verify"] * 2


def test_verify_names_the_first_bad_row_and_exits_with_1(db: None) -> None:
    note(3)
    seal()
    with unprotected("audit_logs", triggers="USER") as cursor:
        cursor.execute("UPDATE audit_logs SET reason = 'private' RETURNING id")
    with as_system():
        first = AuditLog.objects.order_by("xact", "id").first()
    assert first
    with pytest.raises(CommandError, match=str(first.id)):
        ran("verify_audit")
    out = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("verify_audit", json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (caught.value.code, said["sound"], said["row"], said["fault"]) == (1, False, str(first.id), "row-altered")
    assert "private" not in out.getvalue()


def test_a_checkpoint_kept_elsewhere_shows_a_dropped_chain(db: None, file: Path, tmp_path: Path) -> None:
    note(3)
    seal()
    kept = tmp_path / "elsewhere.log"
    kept.write_text("2026-11-22 INFO audit.checkpoints: " + file.read_text())
    file.unlink()
    tables = "audit_logs", "audit_leaves", "audit_checkpoints"
    with unprotected(*tables, triggers="USER") as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
    assert "No checkpoint from outside" in ran("verify_audit")
    with pytest.raises(CommandError, match="cut"):
        ran("verify_audit", checkpoint=str(kept))
    with pytest.raises(CommandError, match="No such file"):
        ran("verify_audit", checkpoint=str(tmp_path / "none"))


def test_one_row_is_proved_to_somebody_with_a_checkpoint_alone(db: None) -> None:
    note(7)
    seal()
    with as_system():
        ids = list(AuditLog.objects.values_list("id", flat=True))
    for row_id in ids:
        said = json.loads(ran("verify_audit", row=row_id, json=True))
        checkpoint = SignedCheckpoint.from_line(said["checkpoint"]).checkpoint
        path = [bytes.fromhex(each) for each in said["path"]]
        index = said["position"] - checkpoint.first
        assert verify_inclusion(bytes.fromhex(said["leaf"]), index, checkpoint.count, path, checkpoint.root)
    with pytest.raises(CommandError, match="seal_audit"):
        ran("verify_audit", row=UUID(int=0))


def test_months_are_pruned_only_when_sealed_and_past_retention(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = later(this_month(), -4)
    with connection.cursor() as cursor:
        ensure_partitions(cursor, today=old, ahead=1)
    with monkeypatch.context() as patch:
        patch.setattr("audit.services.timezone.now", lambda: datetime(old.year, old.month, 9, tzinfo=UTC))
        note(5)
    note(2)
    settings.AUDIT_RETENTION_MONTHS = 12
    with pytest.raises(CommandError, match=str(later(old, 13))):
        ran("prune_audit", month=f"{old:%Y-%m}")
    assert str(later(old, 13)) in ran("prune_audit")
    settings.AUDIT_RETENTION_MONTHS = 2
    with pytest.raises(CommandError, match="5 rows that are not sealed"):
        ran("prune_audit", month=f"{old:%Y-%m}")
    seal()
    assert "5 rows dropped" in ran("prune_audit", month=f"{old:%Y-%m}")
    with connection.cursor() as cursor:
        assert old not in months_kept(cursor)
    seal()
    proof = prove(trail_keys())
    assert (proof.rows, proof.pruned) == (8, 5)
    assert actions().count("audit.prune") == 1
    with unprotected("audit_prunings", triggers="USER") as cursor:
        cursor.execute("UPDATE audit_prunings SET count = 4")  # with another than the signed, the same is a deletion
    with pytest.raises(PruningBroken, match=f"{old:%Y-%m}"):
        prove(trail_keys())
    with as_system():
        assert AuditPruning.objects.count() == 1


def test_partitions_are_made_ahead_and_rows_without_a_month_find_a_place(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_months() == []
    with connection.cursor() as cursor:
        last = months_kept(cursor)[-1]
    beyond = later(last, 1)
    with monkeypatch.context() as patch:
        patch.setattr("audit.services.timezone.now", lambda: datetime(beyond.year, beyond.month, 9, tzinfo=UTC))
        note()
    with connection.cursor() as cursor:
        assert ensure_partitions(cursor, today=beyond, ahead=1) == [f"audit_logs_{later(beyond, 1):%Y_%m}"]
    assert (seal().rows, prove(trail_keys()).rows) == (1, 1)


def test_an_export_is_recorded_and_no_spreadsheet_runs_it(db: None) -> None:
    note(2, subject=ADA, reason="=HYPERLINK(1)")
    note(1, subject=JONAS)
    rows = list(csv.DictReader(io.StringIO(ran("export_audit", format="csv", subject=ADA))))
    # The row of the export itself speaks of her too, and was there before.
    assert [row["action"] for row in rows] == ["story.read", "story.read", "audit.export"]
    assert {row["reason"] for row in rows} == {"'=HYPERLINK(1)", ""}
    since = datetime(2100, 1, 1, tzinfo=UTC)
    assert json.loads(ran("export_audit", format="json", since=since)) == []
    assert len(json.loads(ran("export_audit", format="json", actor="tests"))) == 3
    assert actions().count("audit.export") == 3


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


def test_the_trail_is_read_page_by_page_without_gap_or_repeat(db: None) -> None:
    note(5, subject=ADA)
    note(3, subject=JONAS)
    with as_support():
        whole = [row.id for row in AuditLog.objects.about(ADA).order_by("-at", "-id")]
        seen, place = [], None
        while not seen or place:
            part = page(AuditLog.objects.about(ADA), after=place, size=2)
            seen += [row.id for row in part.rows]
            place = part.next
        assert (seen, len(whole)) == (whole, 5)
        assert (AuditLog.objects.by("tests").count(), AuditLog.objects.by("").count()) == (8, 0)
    with as_user(ADA):
        assert len(page(AuditLog.objects.all()).rows) == 5, "a person sees what was done with their own data"
