"""Which statements hold others up, or break processes of the release that still runs, and what to do instead.

For SQL that a migration brings along (RunSQL, or in the source of a RunPython). What Django's own operations become is
judged by vibe.db.migration_lint, by the same rules. The list is that of GitLab's guide, strong_migrations and squawk, as
far as it concerns PostgreSQL 14 and newer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A statement that is refused, why, and the safe way."""

    id: str
    pattern: re.Pattern[str]
    why: str
    instead: str


def rule(id: str, pattern: str, why: str, instead: str) -> Rule:
    """A rule. Its pattern is looked for in one statement, in which white space is single blanks."""
    return Rule(id, re.compile(pattern, re.IGNORECASE), why, instead)


NAME = r"(?:ONLY )?(?:IF EXISTS )?[\w\".{}%]+"
TABLE = rf"ALTER TABLE {NAME}\b"
STEPWISE = "Use the operation of Django in a migration with `atomic = False`: it does this without holding anybody up."
EXPAND = (
    "Expand, migrate, contract: add the new one, write both, RunInBatches, move reads, drop the old a release later."
)

RULES = (
    rule("index-blocks-writes", r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)", "Blocks writes while it is built.",
         "CREATE INDEX CONCURRENTLY, or AddIndex, in a migration with `atomic = False`."),
    rule("index-drop-blocks", r"DROP INDEX (?!CONCURRENTLY)", "Blocks reads and writes, and waits for all of them.",
         "DROP INDEX CONCURRENTLY, or RemoveIndex, in a migration with `atomic = False`."),
    rule("reindex-blocks", r"REINDEX (?:\(.*?\) )?(?:INDEX|TABLE|SCHEMA|DATABASE) (?!CONCURRENTLY)",
         "Blocks writes, and reads through the index.", "REINDEX INDEX CONCURRENTLY."),
    rule("constraint-scans", rf"{TABLE}[^;]*?ADD (?:CONSTRAINT {NAME} )?(?:CHECK|FOREIGN KEY)(?![^;]*NOT VALID)",
         "Reads the whole table under a lock.", f"ADD ... NOT VALID, then VALIDATE CONSTRAINT. {STEPWISE}"),
    rule("reference-scans", rf"{TABLE}[^;]*?ADD COLUMN[^;]*?\bREFERENCES\b",
         "Locks both tables.", "Add the column, then ADD FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT."),
    rule("unique-builds", rf"{TABLE}[^;]*?ADD (?:CONSTRAINT {NAME} )?(?:UNIQUE|PRIMARY KEY)(?! USING INDEX)",
         "Builds an index under a lock that stops reads and writes.",
         f"CREATE UNIQUE INDEX CONCURRENTLY, then ADD ... USING INDEX. {STEPWISE}"),
    rule("exclusion-builds", rf"{TABLE}[^;]*?ADD (?:CONSTRAINT {NAME} )?EXCLUDE",
         "Builds an index under a lock that stops reads and writes, and has no concurrent form.",
         f"A new table with the constraint. {EXPAND}"),
    rule("not-null-scans", rf"{TABLE}[^;]*?ALTER (?:COLUMN )?[\w\"]+ SET NOT NULL",
         "Reads the whole table under a lock that stops reads and writes.",
         f"A validated check IS NOT NULL first. {STEPWISE}"),
    rule("required-column", rf"{TABLE}[^;]*?ADD (?:COLUMN )?(?!CONSTRAINT)[^;]*?\bNOT NULL(?![^;]*DEFAULT)"
        , "Fails on a table with rows, and for processes that do not know the column.",
         "Add it with a default of the database (`db_default`), or `null=True`, and make it NOT NULL a release later."),
    rule("volatile-default", rf"{TABLE}[^;]*?ADD (?:COLUMN )?[^;]*?DEFAULT \(?(?:\w+\.)?(?:gen_random_uuid|random|"
         r"uuid_generate_v\w+|uuidv\d|clock_timestamp|timeofday|nextval)\b",
         "Writes the whole table anew under a lock that stops reads and writes.",
         "Add it without a default, set the default for new rows, then RunInBatches."),
    rule("serial-column", rf"{TABLE}[^;]*?ADD (?:COLUMN )?[\w\"]+ (?:(?:small|big)?serial\b|[^;]*GENERATED [^;]*IDENTITY)",
         "Writes the whole table anew.", "A plain bigint with a default for new rows, then RunInBatches."),
    rule("stored-generated", rf"{TABLE}[^;]*?ADD (?:COLUMN )?[^;]*?\bSTORED\b",
         "Writes the whole table anew.", "A plain column, filled by the code and by RunInBatches; or a virtual one."),
    rule("json-column", rf"{TABLE}[^;]*?ADD (?:COLUMN )?[\w\"]+ json\b", "The type json has no equality: DISTINCT fails.",
         "jsonb: Django's JSONField."),
    rule("type-changes", rf"{TABLE}[^;]*?ALTER (?:COLUMN )?[\w\"]+ (?:SET DATA )?TYPE\b",
         "Writes the whole table anew, or at least its indexes.", EXPAND),
    rule("column-renamed", rf"{TABLE} RENAME (?!TO|CONSTRAINT)", "Running processes know it by the old name.",
         f"Rename in Django alone, with `db_column`. Or: {EXPAND}"),
    rule("table-renamed", rf"{TABLE} (?:RENAME TO|SET SCHEMA)", "Running processes know it by the old name.",
         f"Rename in Django alone, with `db_table`. Or: {EXPAND}"),
    rule("schema-renamed", r"ALTER SCHEMA [\w\"]+ RENAME", "Running processes know it by the old name.", EXPAND),
    rule("column-dropped", rf"{TABLE}[^;]*?DROP (?:COLUMN )(?!CONSTRAINT)", "Running processes still name it.",
         "ForgetField now, DropColumn a release later."),
    rule("table-dropped", r"DROP (?:TABLE|SCHEMA|DATABASE)\b|DROP OWNED", "Running processes still use it; not to be undone.",
         "Take the model away without its table (SeparateDatabaseAndState), drop a release later, Assured()."),
    rule("cascade", r"DROP [^;]*\bCASCADE\b|TRUNCATE", "Takes more than it names, and stops reads and writes.",
         "Name what is to go. Rows go by RunInBatches or a job."),
    rule("enum-value", r"ALTER TYPE [\w\".]+ (?:ADD|RENAME) VALUE", "Not usable in the transaction that adds it; for good.",
         "Text with a check constraint: CharField with choices."),
    rule("domain-scans", r"(?:CREATE DOMAIN [^;]*CHECK|ALTER DOMAIN [\w\".]+ ADD)",
         "Checks every table that uses it, under locks.", "A check constraint on each table."),
    rule("table-rewritten", rf"VACUUM (?:\(.*?)?FULL|\bCLUSTER\b|{TABLE} SET (?:TABLESPACE|(?:UN)?LOGGED|ACCESS METHOD)",
         "Writes the whole table anew under a lock that stops reads and writes.", "pg_repack, outside of migrations."),
    rule("table-locked", r"\bLOCK (?:TABLE )?[\w\"]+ IN\b", "Stops others for as long as the migration takes.",
         "Do without: RunInBatches, unique indexes, ON CONFLICT."),
    rule("trigger-disabled", rf"{TABLE} DISABLE (?:TRIGGER|RULE|ROW LEVEL)", "What guards the rows is off for everybody.",
         "Leave it on. As the system, by RunInBatches, rows can be changed that the owner does not see."),
    rule("partition-scans", rf"{TABLE} ATTACH PARTITION", "Reads the whole partition under a lock.",
         "A validated check of the same bounds on it first, then Assured()."),
    rule("partition-detached", rf"{TABLE} DETACH PARTITION (?![^;]*CONCURRENTLY)", "Stops reads and writes of the whole table.",
         "DETACH PARTITION ... CONCURRENTLY in a migration with `atomic = False`."),
    rule("view-refreshed", r"REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)", "Stops reads of the view.",
         "REFRESH MATERIALIZED VIEW CONCURRENTLY."),
    rule("rows-at-once", r"(?:^|[;\"'(]) *(?:UPDATE [\w\".{}]+ SET|DELETE FROM)\b",
         "Locks every row it changes until the migration ends, and sees no row of people: row-level security is forced.",
         "RunInBatches, in a migration of its own with `atomic = False`."),
    rule("session-setting", r"\bSET (?:SESSION )?(?:lock_timeout|statement_timeout)\b",
         "Undoes the limits that keep a waiting migration from holding others up.", "Leave them: MIGRATION_LOCK_TIMEOUT."),
)  # fmt: skip

CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
BLANKS = re.compile(r"\s+")
NEW_TABLE = re.compile(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w\".]+)", re.IGNORECASE)


BY_ID = {each.id: each for each in RULES}


def broken(sql: str, *, fresh: frozenset[str] = frozenset()) -> Iterator[Rule]:
    """The rules that statements break. Tables that the same migration makes, `fresh`, are in nobody's use yet."""
    text = BLANKS.sub(" ", COMMENT.sub(" ", sql))
    new = fresh | {name.strip('"') for name in NEW_TABLE.findall(text)}
    for statement in map(str.strip, text.split(";")):
        if not any(re.search(rf"\b{re.escape(name)}\b", statement) for name in new):
            yield from (each for each in RULES if each.pattern.search(statement))
