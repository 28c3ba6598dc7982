"""Restores a backup into a new database beside the present one. It is complete and verified, or dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import psycopg
from django.db import DatabaseError, connection
from psycopg import sql

from accounts.keys.master_key import ring
from vibe.backup import inspection, server
from vibe.backup.archive import DATA, KEYS, Archive, Manifest, Progress, verified
from vibe.backup.dumping import put_back
from vibe.backup.errors import BackupBroken, BackupFailed
from vibe.backup.inspection import EVERYBODY, SCHEMA
from vibe.backup.server import MAINTENANCE, Server, pointed_at
from vibe.backup.taking import Told
from vibe.core.crypto.errors import MasterKeyMissing
from vibe.core.db import roles
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.migrating.retired import WHAT_TO_DO, newer_of, retired_of
from vibe.core.db.roles import SCHEMA_OWNER
from vibe.core.errors import InputError

MAY_GRANT: Final = re.compile(
    "(?P<who>.*) may (?P<what>USAGE|CREATE)(?P<option> WITH GRANT OPTION)?"
)  # of vibe.backup.inspection
GRANT: Final = "GRANT {what} ON SCHEMA public TO {{}}{option}"
REVOKE: Final = "REVOKE {what} ON SCHEMA public FROM {{}} CASCADE"

SHOWN = 8  # differences that an error names
# Jobs that ran when the backup was taken have no worker now. They are idempotent, so they restart.
FREED = "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, queueing_lock = NULL WHERE status = 'doing'"
MAY = """
SELECT quote_ident(rolname), rolsuper OR rolcreatedb, rolsuper OR pg_has_role(owner.oid, 'MEMBER'),
    quote_ident(%(owner)s), rolsuper OR rolcreaterole OR (
        SELECT count(*) FROM pg_roles WHERE rolname = ANY(%(roles)s)) = cardinality(%(roles)s),
    rolsuper OR coalesce((SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = %(present)s), true),
    quote_ident(%(present)s)
FROM pg_roles, (SELECT to_regrole(quote_ident(%(owner)s))::oid) AS owner (oid) WHERE rolname = current_user
"""


def grant_again(here: psycopg.Connection[Any], *, held: set[str], wanted: set[str]) -> None:
    """Change the held grants to the wanted ones, as the schema's owner. Do nothing if we may not take that role.

    Raises BackupFailed for a role that this server lacks.
    """
    owner, may_take, _, _ = here.execute(SCHEMA_OWNER).fetchone() or ("", False, "", False)
    if not may_take:
        return
    try:
        here.execute(f"SET ROLE {owner}")
        for statement, lines in ((REVOKE, held - wanted), (GRANT, wanted - held)):
            for found in filter(None, (MAY_GRANT.fullmatch(line) for line in sorted(lines))):
                who = sql.SQL("PUBLIC") if found["who"] == EVERYBODY else sql.Identifier(found["who"])
                here.execute(sql.SQL(statement.format(**found.groupdict(""))).format(who))
        here.execute("RESET ROLE")
    except psycopg.Error as problem:
        raise BackupFailed(
            f"The schema cannot be granted as it was: {problem.diag.message_primary}. Nothing was replaced."
        ) from None


@dataclass(frozen=True, slots=True)
class Backup:
    """One or both files of a backup, every byte verified."""

    data: Archive
    manifest: Manifest
    keys: Archive | None
    keys_manifest: Manifest | None

    @property
    def program(self) -> int:
        """Return the major version of the pg_dump that wrote it."""
        return max(self.manifest.program, self.keys_manifest.program if self.keys_manifest else 0)

    def rows(self) -> Manifest:
        """Return the manifest with the expected row counts; without the file of keys, no data keys."""
        keys = self.keys_manifest.tables if self.keys_manifest else {"user_keys": 0}
        return replace(self.manifest, tables={**self.manifest.tables, **keys})


def opened(path: Path, keys: Path | None, told: Told) -> Backup:
    """Verify both files before anything changes. Raises BackupBroken, InputError, MasterKeyMissing."""
    data = looked_at(path, told)
    wrapped = looked_at(keys, told) if keys else None
    manifest = Manifest.decode(data.manifest)
    keys_manifest = Manifest.decode(wrapped.manifest) if wrapped else None
    if manifest.kind != DATA or (keys_manifest and (keys_manifest.kind, keys_manifest.pair) != (KEYS, manifest.pair)):
        raise BackupBroken(f"{path} and {keys} are not the data and the keys of one backup.")
    require_known_migrations(manifest)
    if keys_manifest:
        require_masters(keys_manifest)
    return Backup(data, manifest, wrapped, keys_manifest)


def looked_at(path: Path, told: Told) -> Archive:
    """Verify one file."""
    size = path.stat().st_size if path.exists() else 0
    return verified(path, progress=told(f"Checking {path.name}", size))


def require_known_migrations(manifest: Manifest) -> None:
    """Raise InputError for a backup of a newer version than this one, or of one that cannot be migrated."""
    applied: list[tuple[str, str]] = [tuple(name.split(".", 1)) for name in manifest.migrations]  # type: ignore[misc]
    if retired := retired_of(applied):
        raise InputError(
            f"The backup is of an earlier version of Vibe: migration {retired[0]} is gone from this one. Restore it "
            f"with the version that made it. {WHAT_TO_DO}"
        )
    if newer := newer_of(applied):
        raise InputError(
            f"The backup is of a newer version of Vibe: migration {newer[0]} is unknown here. Upgrade, then restore."
        )


def require_masters(manifest: Manifest) -> None:
    """Raise MasterKeyMissing when a master key of the backup is not configured."""
    missing = [name for name in manifest.masters if bytes.fromhex(name) not in ring()]
    if missing:
        raise MasterKeyMissing(
            f"Data keys in the backup are under master keys that are not configured: {', '.join(missing)}. "
            "Add these keys, from escrow, to ENCRYPTION_KEYS_RETIRED."
        )


@contextmanager
def draft(backup: Backup, at: Server, name: str, told: Told) -> Iterator[str]:
    """Restore the backup into a new database and check it. Drop it at the end unless it was renamed."""
    with at.connect(MAINTENANCE) as maintenance:
        require_privileges(maintenance, at.owner)
        server.drop(maintenance, name)
        maintenance.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(at.owner))
        )
    try:
        fill(backup, at, name, told)
        yield name
    finally:
        with at.connect(MAINTENANCE) as maintenance:
            server.drop(maintenance, name)


def require_privileges(maintenance: psycopg.Connection[Any], owner: str, present: str = "") -> None:
    """Raise DatabaseNotReady with each privilege that a restore lacks: to make a database for its owner, and, where it
    is to take the place of the present one, to rename that.
    """
    given = {"owner": owner, "present": present, "roles": list(roles.ALL)}
    found = maintenance.execute(MAY, given).fetchone()
    if found is None:
        return
    role, makes, gives, owner, has_roles, renames, present = found
    lacking = [
        ("make a database", makes, f"ALTER ROLE {role} CREATEDB;"),
        (f"make one for {owner}", gives, f"GRANT {owner} TO {role};"),
        ("make the roles of scopes", has_roles, "what manage.py print_roles_sql prints"),
        (f"rename {present}", renames, f"ALTER DATABASE {present} OWNER TO {role};"),
    ]
    missing = [(what, do) for what, may, do in lacking if not may]
    if missing:
        raise DatabaseNotReady(
            f"Role {role} may not {', nor '.join(what for what, _ in missing)}. Nothing was changed. As superuser: "
            f"{' '.join(do for _, do in missing)}"
        )


@contextmanager
def privileges_named(at: Server) -> Iterator[None]:
    """Raise DatabaseNotReady, with the server's words, for a privilege that turns out to be missing in the block."""
    try:
        yield
    except (psycopg.Error, DatabaseError) as problem:
        refusal = problem if isinstance(problem, psycopg.Error) else problem.__cause__
        if not isinstance(refusal, psycopg.errors.InsufficientPrivilege):
            raise
        role = at.reached["user"]
        said = refusal.diag.message_primary
        raise DatabaseNotReady(
            f"Role {role} lacks a privilege, and nothing was replaced: {said}. Grant it, or set BACKUP_DATABASE_URL "
            "to a superuser: docs/backup.md#putting-it-back"
        ) from None


def fill(backup: Backup, at: Server, name: str, told: Told) -> None:
    """Create roles, tables, rows, keys, indexes and policies, in that order. Raises BackupFailed on any difference."""
    with at.connect(name) as here:
        make_vector(here)
    with pointed_at(name):
        roles.create(None, SimpleNamespace(connection=connection))
    restore = restorer(at, name, backup)
    restore(backup.data, ["pre-data"], lambda _: None)
    restore(backup.data, ["data"], told("Restoring rows", backup.manifest.size))
    if backup.keys and backup.keys_manifest:
        restore(backup.keys, ["data"], told("Restoring keys", backup.keys_manifest.size))
    with at.connect(name) as here:  # before the policies, which would hide the rows from their owner
        require_same("rows", backup.rows().differences(inspection.counts(here)))
    restore(backup.data, ["post-data"], lambda _: None)
    with at.connect(name) as here:
        require_same("walls", backup.manifest.fallen(walls_with_schema(here, backup.manifest)))
        here.execute(FREED)
        here.execute("ANALYZE")


def walls_with_schema(here: psycopg.Connection[Any], manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Restore grants on the schema, if the backup lists them, and return the access rules of the new database."""
    walls = inspection.walls(here)
    held = walls.pop(SCHEMA, ())
    if SCHEMA not in manifest.walls:
        return walls
    grant_again(here, held=set(held), wanted=set(manifest.walls[SCHEMA]))
    return inspection.walls(here)


def make_vector(here: psycopg.Connection[Any]) -> None:
    """Create the extension pgvector, which the owner may not. Raises DatabaseNotReady."""
    try:
        here.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.Error:
        raise DatabaseNotReady(
            "This role may not create the extension pgvector, or the server lacks it. As superuser, so that every new "
            "database has it: psql template1 -c 'CREATE EXTENSION vector'"
        ) from None


def restorer(at: Server, name: str, backup: Backup) -> Callable[[Archive, Sequence[str], Progress], None]:
    """Return a function that restores sections of an archive into the database."""

    def restore(archive: Archive, sections: Sequence[str], progress: Progress) -> None:
        try:
            put_back(at, name, archive, sections=sections, major=backup.program, progress=progress)
        except BackupFailed as problem:
            with at.connect(name) as here:
                raise BackupFailed(f"{problem}{across_versions(backup, server.major(here))}") from None

    return restore


def across_versions(backup: Backup, major: int) -> str:
    """Return a likely reason of a failure when versions differ, to append to its message, or an empty string."""
    of = backup.manifest.server
    if major < of:
        return (
            f". The backup is of PostgreSQL {of}, this server is {major} and may not know all that is in it: "
            f"restore to PostgreSQL {of} or newer."
        )
    if backup.program > of:
        return (
            f". The backup is of PostgreSQL {of}, taken by pg_dump {backup.program}, which may have kept what only "
            f"that server knows: take another one where pg_dump {of} is installed (Debian: postgresql-client-{of})."
        )
    return ""


def require_same(what: str, differences: list[str]) -> None:
    """Raise BackupFailed with the first differences."""
    if differences:
        more = f", and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise BackupFailed(
            f"The {what} are not those of the backup: {'; '.join(differences[:SHOWN])}{more}. Nothing was replaced."
        )


def beside(name: str, what: str) -> str:
    """Return a name for a database beside another one, within the limit of 63 bytes."""
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    return f"{name[: 63 - len(what) - len(stamp) - 2]}_{what}_{stamp}"


def swap(maintenance: psycopg.Connection[Any], new: str, present: str, kept: str) -> None:
    """Replace the present database with the new one in one transaction, and keep the present one as `kept`."""
    there = server.exists(maintenance, present)
    try:
        if there:
            close(maintenance, present, allow=False)
        with maintenance.transaction():
            if there:
                rename(maintenance, present, kept)
            rename(maintenance, new, present)
    except BaseException:  # Ctrl-C too: nobody could connect any more
        if there:
            close(maintenance, present, allow=True)
        raise


def close(maintenance: psycopg.Connection[Any], name: str, *, allow: bool) -> None:
    """Refuse new connections and end the open ones, or allow connections again."""
    maintenance.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.Literal(allow))
    )
    if not allow:
        maintenance.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = %s AND backend_type = 'client backend'",
            [name],
        )


def rename(maintenance: psycopg.Connection[Any], name: str, to: str) -> None:
    """Rename a database."""
    maintenance.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))
