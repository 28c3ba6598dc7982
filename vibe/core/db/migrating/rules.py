"""The rules of what a migration may not do while the service runs, why, and what to do instead.

The list is that of GitLab's guide, strong_migrations and squawk, as far as it concerns PostgreSQL 14 and newer.
vibe.core.db.migrating.sql applies it to statements, vibe.core.db.migrating.lint to the operations of Django.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What is refused, why, and the safe alternative."""

    id: str
    why: str
    instead: str


STEPWISE = "Use the operation of Django in a migration with `atomic = False`: it does this without holding anybody up."
EXPAND = (
    "Expand, migrate, contract: add the new one, write both, RunInBatches, move reads, drop the old a release later."
)

RULES = (
    Rule("index-blocks-writes", "Blocks writes while it is built.",
         "CREATE INDEX CONCURRENTLY, or AddIndex, in a migration with `atomic = False`."),
    Rule("index-drop-blocks", "Blocks reads and writes, and waits for all of them.",
         "DROP INDEX CONCURRENTLY, or RemoveIndex, in a migration with `atomic = False`."),
    Rule("reindex-blocks", "Blocks writes, and reads through the index.", "REINDEX INDEX CONCURRENTLY."),
    Rule("constraint-scans", "Reads the whole table under a lock.",
         f"ADD ... NOT VALID, then VALIDATE CONSTRAINT. {STEPWISE}"),
    Rule("reference-scans", "Locks both tables.",
         "Add the column, then ADD FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT."),
    Rule("unique-builds", "Builds an index under a lock that stops reads and writes.",
         f"CREATE UNIQUE INDEX CONCURRENTLY, then ADD ... USING INDEX. {STEPWISE}"),
    Rule("exclusion-builds", "Builds an index under a lock that stops reads and writes, and has no concurrent form.",
         f"A new table with the constraint. {EXPAND}"),
    Rule("not-null-scans", "Reads the whole table under a lock that stops reads and writes.",
         f"A validated check IS NOT NULL first. {STEPWISE}"),
    Rule("required-column", "Fails on a table with rows, and for processes that do not know the column.",
         "Add it with a default of the database (`db_default`), or `null=True`, and make it NOT NULL a release later."),
    Rule("volatile-default", "Writes the whole table anew under a lock that stops reads and writes.",
         "Add it without a default, set the default for new rows, then RunInBatches."),
    Rule("serial-column", "Writes the whole table anew.",
         "A plain bigint with a default for new rows, then RunInBatches."),
    Rule("stored-generated", "Writes the whole table anew.",
         "A plain column, filled by the code and by RunInBatches; or a virtual one."),
    Rule("json-column", "The type json has no equality: DISTINCT fails.", "jsonb: Django's JSONField."),
    Rule("type-changes", "Writes the whole table anew, or at least its indexes.", EXPAND),
    Rule("column-renamed", "Running processes know it by the old name.",
         f"Rename in Django alone, with `db_column`. Or: {EXPAND}"),
    Rule("table-renamed", "Running processes know it by the old name.",
         f"Rename in Django alone, with `db_table`. Or: {EXPAND}"),
    Rule("schema-renamed", "Running processes know it by the old name.", EXPAND),
    Rule("column-dropped", "Running processes still name it.", "ForgetField now, DropColumn a release later."),
    Rule("table-dropped", "Running processes still use it; not to be undone.",
         "Take the model away without its table (SeparateDatabaseAndState), drop a release later, Assured()."),
    Rule("cascade", "Takes more than it names, and stops reads and writes.",
         "Name what is to go. Rows go by RunInBatches or a job."),
    Rule("enum-value", "Not usable in the transaction that adds it; for good.",
         "Text with a check constraint: CharField with choices."),
    Rule("domain-scans", "Checks every table that uses it, under locks.", "A check constraint on each table."),
    Rule("table-rewritten", "Writes the whole table anew under a lock that stops reads and writes.",
         "pg_repack, outside of migrations."),
    Rule("table-locked", "Stops others for as long as the migration takes.",
         "Do without: RunInBatches, unique indexes, ON CONFLICT."),
    Rule("trigger-disabled", "What guards the rows is off for everybody.",
         "Leave it on. As the system, by RunInBatches, rows can be changed that the owner does not see."),
    Rule("partition-scans", "Reads the whole partition under a lock.",
         "A validated check of the same bounds on it first, then Assured()."),
    Rule("partition-detached", "Stops reads and writes of the whole table.",
         "DETACH PARTITION ... CONCURRENTLY in a migration with `atomic = False`."),
    Rule("view-refreshed", "Stops reads of the view.", "REFRESH MATERIALIZED VIEW CONCURRENTLY."),
    Rule("rows-at-once",
         "Locks every row it changes until the migration ends, and sees no row of people: "
         "row-level security is forced.",
         "RunInBatches, in a migration of its own with `atomic = False`."),
    Rule("session-setting", "Undoes the limits that keep a waiting migration from holding others up.",
         "Leave them: MIGRATION_LOCK_TIMEOUT."),
    Rule("syntax-error", "PostgreSQL cannot parse it.", "Correct it: `sqlmigrate` shows the SQL of a migration."),
    Rule("concurrently-in-transaction", "CONCURRENTLY and batches do not work in a transaction.",
         "Give the migration `atomic = False`."),
    Rule("data-and-shape", "Changes rows and the schema in one: it cannot be tried again by half.",
         "Two migrations: first the shape, then RunInBatches."),
    Rule("unknown-operation", "Its locks are unknown.",
         "RunInBatches for rows, plain SQL or operations of Django for the schema; "
         "or look it up, and wrap it in Assured() with the reason."),
    Rule("together", "Builds or drops an index under a lock.", f"A UniqueConstraint or Index. {STEPWISE}"),
)  # fmt: skip
BY_ID = {each.id: each for each in RULES}
