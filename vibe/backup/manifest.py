"""The manifest of a backup, to check whether it can be restored and whether it was restored completely."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final, Self

from vibe.backup.errors import BackupBroken

FORMAT: Final = 1
DATA, KEYS = "data", "keys"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Manifest of one file. `tables` counts rows in the dump's snapshot; `walls` lists their access rules."""

    kind: str  # DATA, or KEYS for the file of wrapped data keys
    pair: str  # the same in both files of one backup
    made_at: str  # ISO 8601, UTC
    database: str
    server: int  # major version
    program: int  # major version of pg_dump
    vector: str  # version of pgvector
    migrations: tuple[str, ...]  # app.name, sorted
    tables: Mapping[str, int]
    walls: Mapping[str, tuple[str, ...]]
    masters: tuple[str, ...]  # ids of the master keys under which values are wrapped, hexadecimal
    sha256: str  # of the dump
    size: int  # of it, bytes
    format: int = FORMAT

    def encode(self) -> bytes:
        """Encode it as readable JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Decode a manifest. Raises BackupBroken for one that this version cannot read."""
        try:
            said = json.loads(text)
            if said["format"] != FORMAT:
                raise BackupBroken(f"The backup is of format {said['format']}; this version reads {FORMAT}. Upgrade.")
            walls = {table: tuple(lines) for table, lines in said["walls"].items()}
            lists = {name: tuple(said[name]) for name in ("migrations", "masters")}
            return cls(**{each.name: said[each.name] for each in fields(cls)} | lists | {"walls": walls})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BackupBroken("The backup's manifest cannot be read.") from None

    def differences(self, tables: Mapping[str, int]) -> list[str]:
        """Return how row counts differ from the manifest, one line a table."""
        return [
            f"{table}: {tables.get(table, 'none')} rows instead of {self.tables.get(table, 'none')}"
            for table in sorted(self.tables.keys() | tables.keys())
            if tables.get(table) != self.tables.get(table)
        ]

    def fallen(self, walls: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Return the access rules that are missing or added, compared with the manifest."""
        ours = {(table, line) for table, lines in self.walls.items() for line in lines}
        theirs = {(table, line) for table, lines in walls.items() for line in lines}
        return [f"{table}: lacks {line}" for table, line in sorted(ours - theirs)] + [
            f"{table}: has {line}" for table, line in sorted(theirs - ours)
        ]
