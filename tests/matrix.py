"""The tests on each major version of PostgreSQL that is found: `make matrix`, or `python -m tests.matrix [OPTION …]`.

The versions are the one that comes with the product, those that systems install, and those of MATRIX_POSTGRES: folders
`bin`, with colons between. Options go to pytest; without files among them it runs those in which the version matters.
Restores to an older version and back, and drills, are tried with each version in its turn as the older one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.plain_servers import PlainServer, bundled_programs, plain_server
from tests.processes import PROJECT
from vibe.backup.programs import all_folders, major_of
from vibe.core.db.embedded.server import DATABASE, PORT, SUPERUSER

SUPPORTED: Final = range(14, 19)
OF_THE_SERVER: Final = (
    *("tests/backup", "tests/test_migrations.py", "tests/test_safe_migrations.py", "tests/test_schema.py"),
    *("tests/test_roles.py", "tests/test_scopes.py", "tests/test_walls.py", "tests/test_protections.py"),
    *("tests/test_rotation.py", "tests/test_erasure.py", "tests/test_provisioning.py", "tests/stories/test_search.py"),
)


def main(options: list[str]) -> int:
    """Run the tests on each version, print a line of each, and return 1 if any failed."""
    found = versions(folders())
    if not any(each.startswith("tests") for each in options):
        options = [*options, *OF_THE_SERVER]
    results = {version: on_version(version, found[version], options) for version in SUPPORTED if version in found}
    for version in SUPPORTED:
        print(f"PostgreSQL {version}: {results.get(version, 'not tried: none with pgvector was found')}")
    return int(any(not result.startswith("passed") for result in results.values()))


def folders() -> list[Path]:
    """Return the folders of programs, those that were named first."""
    named = os.environ.get("MATRIX_POSTGRES", "").split(":")
    return [*map(Path, filter(None, named)), bundled_programs(), *map(Path, all_folders())]


def versions(folders: list[Path]) -> dict[int, Path]:
    """Return the first folder of each major version, where both server and pgvector are."""
    found: dict[int, Path] = {}
    for folder in folders:
        version = major_of(folder / "postgres")
        if version and major_of(folder / "initdb") == version and has_vector(folder):
            found.setdefault(version, folder)
    return found


def has_vector(folder: Path) -> bool:
    """Return whether pgvector is where the server of a folder looks for extensions."""
    told = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    shared = [Path(told.stdout.strip()), folder.parent / "share", folder.parent / "share" / "postgresql"]
    return any((each / "extension" / "vector.control").is_file() for each in shared)


def on_version(version: int, programs: Path, options: list[str]) -> str:
    """Run the tests on a server of a version, and return `passed` or `FAILED` with pytest's figures."""
    print(f"# PostgreSQL {version}, {programs}", flush=True)
    with plain_server(programs) as server, server.database(DATABASE):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--create-db", *options],
            cwd=PROJECT,
            env={
                **os.environ,
                **places(server),
                "VIBE_OLDER_POSTGRES": str(programs),
                "PG_BIN": f"{programs}{os.pathsep}{bundled_programs()}",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    print(done.stdout, flush=True)
    figures = re.findall(r"^=*\s*(\d.* in [\d.]+s.*?)\s*=*$", done.stdout, re.MULTILINE)
    return f"{'FAILED' if done.returncode else 'passed'}: {figures[-1] if figures else 'pytest did not run'}"


def places(server: PlainServer) -> dict[str, str]:
    """Return the settings that lead to a server, as the login role of the docs and as its superuser."""
    place = f"/{DATABASE}?host={server.folder}&port={PORT}"
    return {"DATABASE_URL": f"postgres://vibe@{place}", "BACKUP_DATABASE_URL": f"postgres://{SUPERUSER}@{place}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
