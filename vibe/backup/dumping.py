"""pg_dump and pg_restore as streams: into a file, out of a file, with what they complained of said without content."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from vibe.backup.archive import BLOCK, Hashing, Progress
from vibe.backup.errors import BackupFailed
from vibe.backup.programs import program
from vibe.backup.server import Server

EVERYTHING_ELSE = ("--exclude-table-data=public.user_keys",)
ONLY_KEYS = ("--data-only", "--table=public.user_keys")
# Sealed data does not shrink; the rest does at any level. The build that comes with the product has gzip alone.
DUMP = ("--format=custom", "--compress=1", "--no-password", "--no-tablespaces", "--no-publications")
DUMP_ONLY = (*DUMP, "--no-subscriptions", "--no-security-labels", "--extension=vector")
RESTORE = ("--format=custom", "--exit-on-error", "--no-password", "--no-owner", "--no-comments", "--no-tablespaces")
# What may follow quotes rows: COPY's context, an error's detail, the statement that failed, a value.
CONTENT = re.compile(r"(?s)(?<!\s)\s*(CONTEXT:|DETAIL:|Command was:).*|(: |=)[\"'(].*")


def dump(
    server: Server,
    database: str,
    snapshot: str,
    into: Hashing,
    *,
    what: Sequence[str],
    major: int,
    progress: Progress,
) -> int:
    """Stream a pg_dump of a snapshot: what EVERYTHING_ELSE or ONLY_KEYS names. The major version of that pg_dump.

    It reads with row_security off: rows it would not see are an error, never left out.
    """
    pg_dump = program("pg_dump", major=major)
    arguments = [*DUMP_ONLY, f"--snapshot={snapshot}", *what, f"--dbname={server.conninfo(database)}"]
    with running([str(pg_dump.path), *arguments], server, stdout=subprocess.PIPE) as process:
        while block := process.stdout.read(BLOCK):  # type: ignore[union-attr]
            into.write(block)
            progress(len(block))
    return pg_dump.major


def put_back(
    server: Server, database: str, dump: IO[bytes], *, sections: Sequence[str], major: int, progress: Progress
) -> None:
    """Feed a dump, or sections of it, to pg_restore, which makes everything the owner's."""
    pg_restore = program("pg_restore", major=major)
    arguments = [*RESTORE, f"--role={server.owner}", f"--dbname={server.conninfo(database)}"]
    arguments += [f"--section={section}" for section in sections]
    with running([str(pg_restore.path), *arguments], server, stdin=subprocess.PIPE) as process:
        try:
            while block := dump.read(BLOCK):
                process.stdin.write(block)  # type: ignore[union-attr]
                progress(len(block))
            process.stdin.close()  # type: ignore[union-attr]
        except BrokenPipeError:
            pass  # it ended early, and says why


@contextmanager
def running(command: Sequence[str], server: Server, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program of PostgreSQL. Raises BackupFailed when it does not end well; ends it when the block does not."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stderr=errors, env=server.environment(), **pipes)
        try:
            yield process
            failed = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    if pipe:
                        pipe.close()
        if failed:
            errors.seek(0)
            raise BackupFailed(f"{command[0]} failed: {complaint(errors.read().decode(errors='replace'))}")


def complaint(said: str) -> str:
    """The first error a program named, without what could be a row."""
    start = said.find("error:")
    return CONTENT.sub("", said[start if start >= 0 else 0 :]).strip() or "it gave no reason"
