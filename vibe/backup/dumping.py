"""pg_dump and pg_restore as streams into and out of a file, with error messages stripped of content."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any

from vibe.backup.archive import BLOCK, Archive, Hashing, Progress
from vibe.backup.errors import BackupFailed
from vibe.backup.programs import program
from vibe.backup.server import Server
from vibe.backup.server import major as server_major

EVERYTHING_ELSE = ("--exclude-table-data=public.user_keys",)
ONLY_KEYS = ("--data-only", "--table=public.user_keys")
# Sealed data does not shrink; the rest does at any level. The bundled build supports gzip only.
DUMP = ("--format=custom", "--compress=1", "--no-password", "--no-tablespaces", "--no-publications")
DUMP_ONLY = (*DUMP, "--no-subscriptions", "--no-security-labels", "--extension=vector")
RESTORE = ("--format=custom", "--exit-on-error", "--no-password", "--no-owner", "--no-comments", "--no-tablespaces")
PSQL = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
# The settings at the head of pg_restore's script, and the name of one.
HEAD = re.compile(rb"(--.*|\\restrict .*|SET .*|SELECT pg_catalog\.set_config\(.*)?\n")
SETTING = re.compile(rb"SET (\w+) = ")
# Of the schema, and of PostgreSQL's own functions, which only a superuser may change.
FOREIGN_GRANTS = re.compile(rb"(?m)^\d+; \d+ \d+ ACL (- SCHEMA public|pg_catalog) .*\n")
ERROR = re.compile("error:|ERROR:")
# From here on an error may quote rows: COPY's context, its detail, the failed statement, a value.
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
    """Stream a pg_dump of a snapshot, limited by EVERYTHING_ELSE or ONLY_KEYS. Return the major version of pg_dump.

    It runs with row_security off: hidden rows cause an error and are never left out.
    """
    pg_dump = program("pg_dump", major=major)
    arguments = [*DUMP_ONLY, f"--snapshot={snapshot}", *what, f"--dbname={server.conninfo(database)}"]
    with running([str(pg_dump.path), *arguments], server, stdout=subprocess.PIPE) as process:
        while block := process.stdout.read(BLOCK):  # type: ignore[union-attr]
            into.write(block)
            progress(len(block))
    return pg_dump.major


def put_back(
    server: Server, database: str, archive: Archive, *, sections: Sequence[str], major: int, progress: Progress
) -> None:
    """Feed a dump, or sections of it, to pg_restore, which assigns everything to the owner.

    `major` is that of the pg_dump that wrote it. Grants on the schema are left out (see vibe.backup.restoring), and so
    are those of PostgreSQL's own functions: the database that it is restored into has its server's.
    """
    pg_restore = program("pg_restore", major=major)
    with server.connect(database) as here:
        older = server_major(here) < pg_restore.major
        known = {name for (name,) in here.execute("SELECT name FROM pg_settings")}
    with tempfile.NamedTemporaryFile() as contents, archive.dump() as dump:
        contents.write(FOREIGN_GRANTS.sub(b"", listed(pg_restore.path, server, archive)))
        contents.flush()
        command = [str(pg_restore.path), *RESTORE, f"--role={server.owner}", f"--use-list={contents.name}"]
        command += [f"--section={section}" for section in sections]
        into = f"--dbname={server.conninfo(database)}"
        if older:
            psql = [str(program("psql", major=pg_restore.major).path), *PSQL, into]
            through_psql([*command, "--file=-"], psql, server, known=known, dump=dump, progress=progress)
        else:
            with running([*command, into], server, stdin=subprocess.PIPE) as process:
                feed(dump, process.stdin, progress)


def listed(pg_restore: Path, server: Server, archive: Archive) -> bytes:
    """Return the contents of a dump, one a line, in the form that --use-list takes."""
    command = [str(pg_restore), "--format=custom", "--list"]
    with tempfile.TemporaryFile() as lines, archive.dump() as dump:
        with running(command, server, stdin=subprocess.PIPE, stdout=lines) as process:
            feed(dump, process.stdin, lambda _: None)
        lines.seek(0)
        return lines.read()


def through_psql(
    command: Sequence[str],
    psql: Sequence[str],
    server: Server,
    *,
    known: Container[str],
    dump: IO[bytes],
    progress: Progress,
) -> None:
    """Pipe SQL from pg_restore through psql, for a server that is older than both.

    Connected directly, pg_restore would begin with settings that such a server does not know, and fail.
    """
    pipe = subprocess.PIPE
    with (
        running(command, server, stdin=pipe, stdout=pipe) as reader,
        running(psql, server, stdin=pipe, stdout=subprocess.DEVNULL) as runner,  # waited for first: it names the error
    ):
        passing = Thread(target=pass_on, args=(reader.stdout, runner.stdin, known))
        passing.start()
        feed(dump, reader.stdin, progress)
        passing.join()


def pass_on(script: IO[bytes], to: IO[bytes], known: Container[str]) -> None:
    """Copy pg_restore's SQL, without settings at its head that the server does not know."""
    with script, suppress(BrokenPipeError), to:
        for line in script:
            setting = SETTING.match(line)
            if not setting or setting[1].decode() in known:
                to.write(line)
            if not HEAD.fullmatch(line):
                break
        shutil.copyfileobj(script, to, BLOCK)


def feed(dump: IO[bytes], to: Any, progress: Progress) -> None:
    """Write a dump to a program. It may stop reading early: then it reports an error or needs no more."""
    with suppress(BrokenPipeError), to:
        while block := dump.read(BLOCK):
            to.write(block)
            progress(len(block))


@contextmanager
def running(command: Sequence[str], server: Server, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a PostgreSQL program. Raises BackupFailed when it fails. Kills it when the block raises."""
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
    """Return the first error in a program's output, without anything that could be a row."""
    first = ERROR.search(said)
    return CONTENT.sub("", said[first.start() if first else 0 :]).strip() or "it gave no reason"
