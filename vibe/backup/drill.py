"""Checks of a database restored from a backup, beyond its row counts and access rules.

A sample of its values is opened, the only proof that the keys fit the rows.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from accounts.erasure.services import erase_again, unfinished_erasures
from accounts.erasure.tombstones import lines
from accounts.keys.services.data_keys import open_vault
from accounts.models import UserKey
from audit.actors import Actor
from audit.errors import AuditError
from audit.proof import checkpoint_store
from audit.proof.checkpoint import SignedCheckpoint
from audit.proof.keys import trail_keys
from audit.proof.verification import prove
from audit.sealing import witness
from vibe.backup.restoring import Backup
from vibe.core.crypto.errors import SealError
from vibe.core.crypto.fields import SealedField, address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import VibeError

PEOPLE: Final = 50
ROWS: Final = 5  # of each table, a person

ACTOR = Actor.system("restore --drill")
SHOWN = 5


@dataclass(slots=True)
class Opened:
    """The number of values and people opened, and the errors of values that did not open."""

    people: int = 0
    values: int = 0
    broken: list[str] = field(default_factory=list)


def open_sample(people: int = PEOPLE) -> Opened:
    """Open some rows of every sealed column of random people. The texts are discarded."""
    found = Opened()
    with as_system():
        drawn = UserKey.objects.filter(destroyed_at=None).order_by("?").values_list("user_id", flat=True)
        chosen = list(dict.fromkeys(drawn[: people * 2]))[:people]
    for user_id in chosen:
        open_some_of(user_id, found)
    return found


def open_some_of(user_id: UUID, found: Opened) -> None:
    """Open one person's sample."""
    with as_user(user_id):
        try:
            vault = open_vault()
        except SealError as problem:
            found.broken.append(str(problem))
            return
        found.people += 1
        for model in sealed_models():
            for row in model._default_manager.filter(user_id=user_id).order_by("?")[:ROWS]:
                open_row(vault, row, found)


def open_row(vault: Vault, row: Any, found: Opened) -> None:
    """Open every sealed value of one row."""
    for column in sealed_columns(type(row)):
        if (value := getattr(row, column)) is not None:
            try:
                vault.open(value, address_of(row, column))
                found.values += 1
            except SealError as problem:
                found.broken.append(str(problem))


def sealed_models() -> list[Any]:
    """Return the models of people's rows with columns sealed under a data key."""
    return [model for model in apps.get_models() if issubclass(model, UserOwned) and sealed_columns(model)]


def sealed_columns(model: Any) -> list[str]:
    """Return the names of a model's columns sealed under a data key."""
    return [each.attname for each in model._meta.local_fields if isinstance(each, SealedField)]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    passed: bool
    said: str


def findings(backup: Backup) -> list[Finding]:
    """Check the database that Django is pointed at, restored from this backup with matching counts and access rules."""
    manifest = backup.rows()
    walls = sum(len(lines) for lines in manifest.walls.values())
    return [
        Finding("checksums", True, "every byte is as it was written"),
        Finding("rows", True, f"{sum(manifest.tables.values()):,} in {len(manifest.tables)} tables, as counted"),
        Finding("walls", True, f"{walls:,} policies, privileges, triggers and constraints, all there"),
        migrated(backup),
        erased_again(),
        trail_holds(),
        sample_opens(backup),
    ]


def migrated(backup: Backup) -> Finding:
    """Apply the pending migrations of this version to the copy."""
    start = time.perf_counter()
    call_command("migrate", interactive=False, verbosity=0)
    applied = {f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()}
    done = len(applied - set(backup.manifest.migrations))
    return Finding("migrations", True, f"{done} pending, applied in {time.perf_counter() - start:.1f} s")


def erased_again() -> Finding:
    """Erase again, in the copy, the people who were erased since the backup."""
    try:
        with tombstones_apart():
            again = erase_again(actor=ACTOR)
            left = unfinished_erasures()
    except VibeError as problem:
        return Finding("erasures", False, str(problem))
    if left:
        return Finding("erasures", False, f"{len(left)} people who were erased are back, the first {min(left)}")
    return Finding("erasures", True, f"{len(again)} people of the backup were erased since, and again in the copy")


@contextmanager
def tombstones_apart() -> Iterator[None]:
    """Use a temporary copy of the list of erasures, as a file: erasing in a copy is no erasure to record."""
    real, storage = settings.ERASURES_FILE, settings.OBJECT_STORAGE
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "erasures")
        copy.write_text("".join(line.rstrip("\n") + "\n" for _, line in lines()), encoding="utf-8")
        settings.ERASURES_FILE, settings.OBJECT_STORAGE = copy, ""
        try:
            yield
        finally:
            settings.ERASURES_FILE, settings.OBJECT_STORAGE = real, storage


def trail_holds() -> Finding:
    """Prove the audit log against the external checkpoints that existed when the backup was taken."""
    try:
        proof = prove(trail_keys(), witnesses())
    except AuditError as problem:
        return Finding("audit trail", False, str(problem))
    return Finding("audit trail", True, f"{proof.rows:,} rows sealed, {proof.unsealed:,} not sealed yet, all proved")


def witnesses() -> list[SignedCheckpoint]:
    """Return the checkpoints of the configured file up to the newest one of the backup."""
    file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
    if file is None or not file.path.exists():
        return []
    with as_system():
        head = checkpoint_store.newest_checkpoint()
    newest = head.checkpoint.number if head else 0
    return [each for each in witness.read_witnesses(file.path) if each.checkpoint.number <= newest]


def sample_opens(backup: Backup) -> Finding:
    """Open some rows of some people. This fails without the file of keys."""
    if backup.keys is None:
        return Finding("sample", False, "the file of keys was not given, so nothing sealed opens")
    opened = open_sample()
    if opened.broken:
        return Finding("sample", False, f"{len(opened.broken)} values do not open: {'; '.join(opened.broken[:SHOWN])}")
    return Finding("sample", True, f"{opened.values:,} values of {opened.people:,} people opened")
