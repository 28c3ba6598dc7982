"""All checks, run in order. A check that cannot run is itself a finding, and the others continue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError, connection

from vibe.core.errors import VibeError
from vibe.doctor import configuration, keys, schema, server, upkeep
from vibe.doctor.findings import Check, Finding, Severity, error

ALONE: dict[str, Check] = {
    "debug": configuration.debug,
    "loosened settings": configuration.loosened,
    "secret files": configuration.secret_files,
    "static files": configuration.static_files,
    "database setting": configuration.database_url,
    "disk": configuration.disk,
    "state folder": configuration.state_folder,
    "file storage": configuration.file_storage,
    "checkpoint file": upkeep.checkpoints,
}
WITH_DATABASE: dict[str, Check] = {
    "server version": server.version,
    "permissions": server.permissions,
    "roles": server.roles,
    "workers of the cluster": server.workers,
    "extensions": server.extensions,
    "monitoring rights": server.monitoring,
    "clock": server.clock,
    "durability": server.durability,
    "connections": server.connections,
    "pooler": server.pooler,
    "long transactions": server.transactions,
    "replication": server.replication,
    "read replica": server.read_replica,
    "migrations": schema.migrations,
}
WITH_SCHEMA: dict[str, Check] = {
    "system checks": configuration.declared,
    "rights in the catalog": schema.rights,
    "rights of everybody": schema.side_doors,
    "row-level security": schema.walls,
    "table owners": schema.owners,
    "tables on shards": schema.placement,
    "sealed columns": schema.sealed_columns,
    "indexes": schema.indexes,
    "master keys": keys.masters,
    "key services": keys.services,
    "people without keys": keys.keyless,
    "data keys": keys.canary,
    "retired keys": keys.retired,
    "use of data keys": keys.used_up,
    "erased people": upkeep.people,
    "restricted people": upkeep.restricted,
    "worker": upkeep.worker,
    "jobs": upkeep.stuck,
    "late jobs": upkeep.late,
    "signing key": upkeep.signing_key,
    "sealing": upkeep.sealing,
    "backups": upkeep.ages,
    "database health": schema.health,
}


@dataclass(frozen=True, slots=True)
class Examined:
    """One check and its findings, none if all is well."""

    check: str
    findings: tuple[Finding, ...]


def examine() -> Iterator[Examined]:
    """Run every check that can run; fewer without a database or without its tables."""
    yield from made(ALONE)
    answer = examined("connection", reachable)
    yield answer
    if answer.findings:
        return
    last = Examined("", ())
    for last in made(WITH_DATABASE):
        yield last
    if last.findings and not has_tables():
        return
    yield from made(WITH_SCHEMA)


def made(checks: dict[str, Check]) -> Iterator[Examined]:
    """Run each of some checks."""
    return (examined(name, check) for name, check in checks.items())


def examined(name: str, check: Check) -> Examined:
    """Run one check. An error in it becomes a finding."""
    try:
        return Examined(name, tuple(check()))
    except (DatabaseError, VibeError, OSError) as problem:
        told = str(problem) if isinstance(problem, VibeError) else type(problem).__name__
        failed = error(
            f"This could not be checked: {told}", why="It may hide something.", do="Mend what is above first"
        )
        return Examined(name, (failed,))


def reachable() -> Iterator[Finding]:
    """Check that the database answers."""
    try:
        connection.ensure_connection()
    except (DatabaseError, VibeError) as problem:
        yield error(str(problem), why="Nothing works without the database.", do="Check DATABASE_URL and the server")


def has_tables() -> bool:
    """Return whether the database has been migrated at all."""
    return "users" in connection.introspection.table_names()


def worst(all_examined: list[Examined]) -> Severity:
    """Return the worst severity of all findings."""
    return max((finding.severity for each in all_examined for finding in each.findings), default=Severity.NOTE)
