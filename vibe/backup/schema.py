"""Grants on the schema of a restored database.

The dump's own grants are not used: they name login roles of the original server, which another server lacks, and on
PostgreSQL 15 a login role with NOINHERIT may not grant the schema to itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

import psycopg
from psycopg import sql

from vibe.backup.errors import BackupFailed
from vibe.backup.inspection import EVERYBODY
from vibe.core.db.roles import SCHEMA_OWNER

MAY: Final = re.compile(
    "(?P<who>.*) may (?P<what>USAGE|CREATE)(?P<option> WITH GRANT OPTION)?"
)  # of vibe.backup.inspection
GRANT: Final = "GRANT {what} ON SCHEMA public TO {{}}{option}"
REVOKE: Final = "REVOKE {what} ON SCHEMA public FROM {{}} CASCADE"


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
            for found in filter(None, (MAY.fullmatch(line) for line in sorted(lines))):
                who = sql.SQL("PUBLIC") if found["who"] == EVERYBODY else sql.Identifier(found["who"])
                here.execute(sql.SQL(statement.format(**found.groupdict(""))).format(who))
        here.execute("RESET ROLE")
    except psycopg.Error as problem:
        raise BackupFailed(
            f"The schema cannot be granted as it was: {problem.diag.message_primary}. Nothing was replaced."
        ) from None
