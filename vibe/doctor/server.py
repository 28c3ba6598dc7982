"""Checks of the database server: versions, rights, clock, durability, connections and replicas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from vibe.core.db import citus_nodes
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.health.connections import has_unnamed_pooler
from vibe.core.db.requirements import OLDEST_VECTOR, require_schema, require_server
from vibe.core.db.roles import ALL, PER_GRANT, is_member, membership_sql
from vibe.core.db.scale import replica
from vibe.core.db.statements.batching import distributed
from vibe.core.errors import VibeError
from vibe.doctor.findings import Finding, error, note, warning
from vibe.metrics import figures

CLOCK_SECONDS = 5.0
FULL = 0.8  # of the connections that the server allows
BEHIND_SECONDS = 30.0
LONG_SECONDS = 600.0
TRAITS = "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = ANY(%s)"


def version() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
        require_server(number())
    except DatabaseNotReady as problem:
        yield error(str(problem), why="Nothing works without the database.", do="Follow the message.")


def number() -> int:
    """Return the server's version, such as 180003."""
    return int(connection.pg_version)  # type: ignore[attr-defined]


def permissions() -> Iterator[Finding]:
    """Check that we can create tables and take each role."""
    with connection.cursor() as cursor:
        try:
            require_schema(cursor)
        except DatabaseNotReady as problem:
            yield error(str(problem), why="Migrations make tables.", do="Follow the message.")
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(ALL)])
        missing = set(ALL) - {name for (name,) in cursor.fetchall()}
        if missing:
            yield error(
                f"Database roles are missing: {', '.join(sorted(missing))}.",
                why="Every request takes one of them.",
                do="manage.py migrate",
            )
        elif not is_superuser(cursor) and not all(is_member(cursor, role, number()) for role in ALL):
            login = connection.settings_dict["USER"]
            yield error(
                f"The database user '{login}' cannot take every role, or holds their rights without taking them.",
                why="Requests fail, or row-level security judges by the wrong role.",
                do="; ".join(membership_sql(number(), login, inherits=number() < PER_GRANT)) + ";",
            )


def is_superuser(cursor: Any) -> bool:
    """Return whether the current database user is a superuser."""
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def passes_row_security() -> bool:
    """Return whether the database user is superuser or has BYPASSRLS."""
    [(passes,)] = figures.rows("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return bool(passes)


def workers() -> Iterator[Finding]:
    """Check that each worker of a cluster answers."""
    for host, port in sorted(citus_nodes.away()) if distributed() else ():
        yield error(
            f"The worker {host}:{port} of the cluster does not answer.",
            why="Whoever has rows on it is answered 503; nobody new can sign up, and nothing of everybody can be read.",
            do="Start the server there, or its machine, and see that the coordinator reaches it",
        )


def roles() -> Iterator[Finding]:
    """Check that neither our user nor our roles bypass row-level security."""
    if passes_row_security():
        user = connection.settings_dict["USER"]
        yield error(
            f"The database user '{user}' is superuser or has BYPASSRLS.",
            why="Outside of scopes, row-level security does not hold it: a mistake there would see everybody.",
            do="manage.py print_roles_sql prints what makes a role for Vibe and hands over what is here. Run that as "
            f"'{user}', then put the role into DATABASE_URL",
        )
    for role, *traits in figures.rows(TRAITS, [list(ALL)]):
        forbidden = ("SUPERUSER", "BYPASSRLS", "LOGIN")
        wrong = [trait for trait, has in zip(forbidden, traits, strict=True) if has]
        if distributed() and "LOGIN" in wrong:
            wrong.remove("LOGIN")  # Citus connects to the shards as the role of the scope
        if wrong:
            yield error(
                f"The role {role} has {' and '.join(wrong)}.",
                why="It is a scope that requests take: with this it is none.",
                do=f"ALTER ROLE {role} {' '.join('NO' + trait for trait in wrong)};",
            )


def extensions() -> Iterator[Finding]:
    """Check that pgvector is installed and new enough, and that no extension is older than its files."""
    found = figures.rows(
        "SELECT e.extname, e.extversion, a.default_version FROM pg_extension e "
        "LEFT JOIN pg_available_extensions a ON a.name = e.extname"
    )
    versions = {name: (installed, files) for name, installed, files in found}
    if "vector" not in versions:
        yield error(
            "The extension pgvector is not in this database.",
            why="Embeddings are stored in its columns.",
            do="As superuser, in this database: CREATE EXTENSION vector;",
        )
    elif numbers(versions["vector"][0]) < OLDEST_VECTOR:
        yield error(
            f"pgvector {versions['vector'][0]} is too old.",
            why="Search needs iterative index scans, of pgvector 0.8.",
            do="Install it on the server, then: ALTER EXTENSION vector UPDATE;",
        )
    for name, (installed, files) in versions.items():
        if files and installed != files:
            yield warning(
                f"The extension {name} is at {installed}, and the server has the files of {files}.",
                why="Its corrections are not in use.",
                do=f"ALTER EXTENSION {name} UPDATE;",
            )


def numbers(version: str) -> tuple[int, ...]:
    """Return the first two parts of a version."""
    return tuple(int(part) for part in version.split(".")[:2])


def clock() -> Iterator[Finding]:
    """Compare our clock with the server's, at the middle of a round trip."""
    before = time.time()
    [(theirs,)] = figures.rows("SELECT extract(epoch FROM clock_timestamp())")
    apart = abs(float(theirs) - (before + time.time()) / 2)
    if apart > CLOCK_SECONDS:
        yield warning(
            f"This machine's clock and the database server's are {apart:.0f} seconds apart.",
            why="Sessions, grants and one-time codes end by the clock, and the trail's times would not agree.",
            do="timedatectl set-ntp true (on both)",
        )


def durability() -> Iterator[Finding]:
    """Check that committed changes are on disk."""
    for name, value in figures.rows(
        "SELECT name, setting FROM pg_settings "
        "WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'"
    ):
        yield error(
            f"The server's {name} is {value}.",
            why="When it crashes, changes that were answered as done are lost, or the database is damaged.",
            do=f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();",
        )


def connections() -> Iterator[Finding]:
    """Compare the connections in use and the pool's size with what the server allows."""
    [((), most)] = figures.most_connections()
    used = sum(count for _, count in figures.connections())
    if used > FULL * most:
        yield warning(
            f"{used:.0f} of the server's {most:.0f} connections are in use.",
            why="When they run out, requests fail.",
            do="Set DATABASE_POOL_SIZE, put PgBouncer in front, or raise max_connections.",
        )
    pool = settings.DATABASE_POOL_SIZE
    if pool > most:
        yield error(
            f"DATABASE_POOL_SIZE is {pool}, and the server allows {most:.0f} connections.",
            why="The pool can never fill; whoever waits for it fails.",
            do=f"Set DATABASE_POOL_SIZE to less than {most:.0f} divided by the number of processes.",
        )


def pooler() -> Iterator[Finding]:
    """Check that a pooler before the server is named by DATABASE_POOLER."""
    if has_unnamed_pooler():
        yield error(
            "DATABASE_URL leads through a pooler, and DATABASE_POOLER is off.",
            why="In transaction mode statements that are kept are another session's, and requests fail.",
            do="Set DATABASE_POOLER=on, in session mode too: docs/scaling.md",
        )


def transactions() -> Iterator[Finding]:
    """Check that no transaction has been open for long."""
    [((), age)] = figures.longest_transaction()
    if age > LONG_SECONDS:
        yield warning(
            f"A transaction has been open for {age / 60:.0f} minutes.",
            why="It keeps dead rows from being cleared away, and schema changes waiting.",
            do="SELECT pid, usename, state, xact_start FROM pg_stat_activity ORDER BY xact_start LIMIT 5;",
        )


def replication() -> Iterator[Finding]:
    """Check that replicas keep up."""
    for (name,), seconds in figures.replication_seconds():
        if seconds > BEHIND_SECONDS:
            yield warning(
                f"The replica '{name}' is {seconds:.0f} seconds behind.",
                why="What it serves is old, and after a failover that much would be lost.",
                do="SELECT * FROM pg_stat_replication;",
            )


def read_replica() -> Iterator[Finding]:
    """Check that the replica of REPLICA_URL, if any, is a copy of this database and recent enough for reads."""
    if not replica.is_configured():
        return
    instead = "The primary answers in its place: it bears all the load."
    try:
        standing = replica.compare_positions()
    except DatabaseError as problem:
        told = str(problem) if isinstance(problem, VibeError) else f"it answered with {type(problem).__name__}."
        yield warning(f"The replica of REPLICA_URL cannot be asked: {told}", why=instead, do="Start or mend it.")
        return
    if not standing.same:
        yield error(
            "REPLICA_URL leads to a database that is no copy of the one of DATABASE_URL.",
            why="What is read there is not what was written here.",
            do="Correct REPLICA_URL, or leave it out.",
        )
    elif not standing.replays:
        yield warning(
            "The server of REPLICA_URL is no replica: it was promoted, or never was one.",
            why=instead,
            do="If it was promoted, set DATABASE_URL to it. Make a new replica: docs/scaling.md",
        )
    elif standing.seconds * 1000 > settings.REPLICA_MAX_LAG_MS:
        yield warning(
            f"The replica of REPLICA_URL is {standing.seconds:.1f} seconds and {standing.behind:,} bytes behind.",
            why=instead,
            do="SELECT * FROM pg_stat_wal_receiver; on the replica. Is its replay paused, its disk or network slow?",
        )
    else:
        yield note(
            f"The replica of REPLICA_URL is used. It is {standing.behind:,} bytes behind.",
            why="It answers what people read of their own.",
            do="Nothing.",
        )


def monitoring() -> Iterator[Finding]:
    """Check that we may see the server's other sessions."""
    [(may,)] = figures.rows("SELECT pg_has_role(current_user, 'pg_monitor', 'USAGE')")
    if not may and number() >= PER_GRANT:  # before, what a role of NOINHERIT is granted so does nothing
        yield note(
            "The database user may not see other users' sessions.",
            why="Long transactions and replicas of others stay unseen here and in /metrics.",
            do=f"As superuser: GRANT pg_monitor TO {connection.settings_dict['USER']} WITH INHERIT TRUE;",
        )
