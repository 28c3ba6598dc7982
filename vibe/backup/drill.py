"""What must hold in a database that came out of a backup, beyond its counts and walls."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from audit import trail, witness
from audit.checkpoint import SignedCheckpoint
from audit.errors import AuditError
from audit.proving import prove
from vibe.backup.restoring import Backup
from vibe.backup.sample import open_sample
from vibe.db.contexts import as_system

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    passed: bool
    said: str


def findings(backup: Backup) -> list[Finding]:
    """In the database that Django is pointed at, which came from this backup and passed its counts and walls."""
    manifest = backup.rows()
    walls = sum(len(lines) for lines in manifest.walls.values())
    return [
        Finding("checksums", True, "every byte is as it was written"),
        Finding("rows", True, f"{sum(manifest.tables.values()):,} in {len(manifest.tables)} tables, as counted"),
        Finding("walls", True, f"{walls:,} policies, privileges, triggers and constraints, all there"),
        migrated(backup),
        trail_holds(),
        sample_opens(backup),
    ]


def migrated(backup: Backup) -> Finding:
    """What this version has to migrate, on the copy."""
    start = time.perf_counter()
    call_command("migrate", interactive=False, verbosity=0)
    applied = {f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()}
    done = len(applied - set(backup.manifest.migrations))
    return Finding("migrations", True, f"{done} pending, applied in {time.perf_counter() - start:.1f} s")


def trail_holds() -> Finding:
    """The audit trail, proved against the checkpoints outside that the backup is old enough to know."""
    try:
        proof = prove(settings.AUDIT_KEYS, witnesses())
    except AuditError as problem:
        return Finding("audit trail", False, str(problem))
    return Finding("audit trail", True, f"{proof.rows:,} rows sealed, {proof.unsealed:,} not sealed yet, all proved")


def witnesses() -> list[SignedCheckpoint]:
    """Of the configured file, those up to the newest checkpoint of the backup."""
    file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
    if file is None or not file.path.exists():
        return []
    with as_system():
        head = trail.head()
    newest = head.checkpoint.number if head else 0
    return [each for each in witness.read_witnesses(file.path) if each.checkpoint.number <= newest]


def sample_opens(backup: Backup) -> Finding:
    """Some of everybody's rows, opened. Without the file of keys nothing can be."""
    if backup.keys is None:
        return Finding("sample", False, "the file of keys was not given, so nothing sealed opens")
    opened = open_sample()
    if opened.broken:
        return Finding("sample", False, f"{len(opened.broken)} values do not open: {'; '.join(opened.broken[:SHOWN])}")
    return Finding("sample", True, f"{opened.values:,} values of {opened.people:,} people opened")
