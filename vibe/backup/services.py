"""Take, restore and try out backups. Each action is recorded in the audit log of its database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from accounts.erasure.services import erase_again
from audit.actors import Actor
from audit.services import FAILED, OK, record
from vibe.backup import archive, inspection, server
from vibe.backup.archive import Manifest
from vibe.backup.drill import Finding, findings
from vibe.backup.restoring import beside, draft, opened, privileges_named, require_privileges, swap
from vibe.backup.server import MAINTENANCE, Server, pointed_at
from vibe.backup.taking import Snapshot, Told
from vibe.core.errors import Refused, VibeError

KEYS_SUFFIX = ".keys"


def keys_beside(path: Path) -> Path:
    """Return the path of the wrapped data keys of a backup."""
    return path.with_name(path.name + KEYS_SUFFIX)


def take(*, path: Path, actor: Actor, told: Told) -> Manifest:
    """Back the database up into `path`, and its wrapped data keys into a file beside it.

    Neither gets its name before both are complete and recorded. Raises InputError for a file that exists,
    DatabaseNotReady for a role that does not see every row, BackupFailed when pg_dump fails.
    """
    at, database = server.configured(), name_of_ours()
    record(actor=actor, action="backup.begin", resource=path.name)
    try:
        with archive.writing(path) as data, archive.writing(keys_beside(path)) as keys, at.connect(database) as eyes:
            snapshot = Snapshot(at, database, eyes, told)
            with snapshot.writing:
                snapshot.hold()
                snapshot.write_keys(keys)
                manifest = snapshot.write_data(data)
            details = {"sha256": manifest.sha256, "rows": sum(snapshot.rows.values())}
            record(actor=actor, action="backup.take", resource=path.name, details=details)
    except VibeError as problem:
        record(actor=actor, action="backup.take", resource=path.name, outcome=FAILED, reason=problem.code)
        raise
    return manifest


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored backup, and the new name of the previous database, empty if there was none."""

    manifest: Manifest
    before: str
    erased: int  # number of people erased after the backup was taken, and now again


def restore(*, path: Path, keys: Path | None, replace: bool, actor: Actor, told: Told) -> Restored:
    """Put a backup in the database's place: whole, or nothing changes.

    The copy is made beside the present database, checked and migrated. People erased since are erased in it too. Then
    it takes the name in one transaction. Raises BackupBroken before anything changes, and Refused for a database that
    is not empty, unless `replace` is set.
    """
    backup = opened(path, keys, told)
    at, present = server.configured(for_restoring=True), name_of_ours()
    holds_something = is_furnished(at, present)
    if holds_something and not replace:
        raise Refused(f"Database '{present}' is not empty. Say --replace to put the backup in its place.")
    before = beside(present, "before")
    with at.connect(MAINTENANCE) as maintenance:
        require_privileges(maintenance, at.owner, present)
    with privileges_named(at), draft(backup, at, beside(present, "restoring"), told) as new:
        with pointed_at(new):
            call_command("migrate", interactive=False, verbosity=0)
            again = erase_again(actor=actor)
            details = {
                "sha256": backup.manifest.sha256,
                "erased": len(again),
                "made_at": backup.manifest.made_at,
                "keys": bool(keys),
            }
            record(actor=actor, action="backup.restore", resource=path.name, details=details)
        with at.connect(MAINTENANCE) as maintenance:
            swap(maintenance, new, present, before)
            if not holds_something:
                server.drop(maintenance, before)
    return Restored(backup.manifest, before if holds_something else "", len(again))


def drill(*, path: Path, keys: Path | None, actor: Actor, told: Told) -> list[Finding]:
    """Restore into a temporary database, run all checks, and return their results.

    Pending migrations are applied to the copy, so a drill also tries them on real data.
    """
    backup = opened(path, keys, told)
    at, present = server.configured(for_restoring=True), name_of_ours()
    try:
        with privileges_named(at), draft(backup, at, beside(present, "drill"), told) as name, pointed_at(name):
            found = findings(backup)
    except VibeError as problem:
        found = [Finding("restore", False, str(problem))]
    if is_furnished(at, present):
        outcome = OK if all(each.passed for each in found) else FAILED
        failed = {each.name: each.passed for each in found}
        record(actor=actor, action="backup.drill", resource=path.name, outcome=outcome, details=failed)
    return found


def name_of_ours() -> str:
    """Return the name of the configured database."""
    return str(connection.settings_dict["NAME"])


def is_furnished(at: Server, database: str) -> bool:
    """Return whether the database exists and has tables."""
    with at.connect(MAINTENANCE) as maintenance:
        if not server.exists(maintenance, database):
            return False
    with at.connect(database) as here:
        return not inspection.is_empty(here)
