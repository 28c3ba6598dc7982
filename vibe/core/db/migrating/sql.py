"""A linter of the SQL of a migration, which uses PostgreSQL's own parser.

What is not listed here is refused: its locks are unknown. pglast is a dependency for development, where
check_migrations runs; `migrate` does not need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import ConstrType, DropBehavior, ObjectType, OnConflictAction, VariableSetKind
from pglast.parser import ParseError

from vibe.core.db.migrating.rules import BY_ID, Rule

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sbt]\b")
LIMITS = frozenset({"lock_timeout", "statement_timeout", "transaction_timeout"})
UNKNOWN = "unknown-operation"

# Statements that pass unless they break a rule below. Those that are evaluated call their functions at once.
EVALUATED = (
    ast.CopyStmt, ast.CreateTableAsStmt, ast.DeleteStmt, ast.ExplainStmt, ast.InsertStmt, ast.MergeStmt,
    ast.SelectStmt, ast.UpdateStmt,
)  # fmt: skip
KNOWN = (
    *EVALUATED,
    ast.AlterDefaultPrivilegesStmt, ast.AlterDomainStmt, ast.AlterFunctionStmt, ast.AlterOwnerStmt,
    ast.AlterPolicyStmt, ast.AlterSeqStmt, ast.AlterTableStmt, ast.CommentStmt, ast.CompositeTypeStmt,
    ast.ConstraintsSetStmt, ast.CreateDomainStmt, ast.CreateEnumStmt, ast.CreateExtensionStmt, ast.CreateFunctionStmt,
    ast.CreatePolicyStmt, ast.CreateRoleStmt, ast.CreateSchemaStmt, ast.CreateSeqStmt, ast.CreateStatsStmt,
    ast.CreateStmt, ast.CreateTrigStmt, ast.DropStmt, ast.GrantRoleStmt, ast.GrantStmt, ast.IndexStmt, ast.LockStmt,
    ast.RefreshMatViewStmt, ast.ReindexStmt, ast.RenameStmt, ast.TruncateStmt, ast.VacuumStmt, ast.VariableSetStmt,
    ast.VariableShowStmt, ast.ViewStmt,
)  # fmt: skip
# PostgreSQL's functions with one result for all rows of a statement, and others that change and lock nothing.
STABLE = frozenset({
    "concat", "current_setting", "format", "jsonb_build_array", "jsonb_build_object", "length", "lower", "make_date",
    "make_interval", "md5", "now", "replace", "statement_timestamp", "timezone", "to_char", "to_jsonb", "to_timestamp",
    "transaction_timestamp", "upper",
})  # fmt: skip
CALLED_FREELY = STABLE | {
    "array_agg", "array_length", "avg", "cardinality", "clock_timestamp", "count", "date_trunc", "gen_random_uuid",
    "generate_series", "jsonb_array_elements", "max", "min", "nextval", "random", "row_number", "setval", "string_agg",
    "sum", "to_regclass", "unnest",
}  # fmt: skip
# The commands of ALTER TABLE by the rule they break; new columns and constraints are checked further.
COMMANDS = {
    "": "ChangeOwner ColumnDefault DetachPartitionFinalize DropConstraint DropExpression DropIdentity DropNotNull "
        "EnableAlwaysTrig EnableRowSecurity EnableTrig EnableTrigAll EnableTrigUser ForceRowSecurity ReplicaIdentity "
        "ResetOptions ResetRelOptions SetCompression SetIdentity SetOptions SetRelOptions SetStatistics SetStorage "
        "ValidateConstraint",
    "column-dropped": "DropColumn",
    "not-null-scans": "SetNotNull",
    "partition-detached": "DetachPartition",
    "partition-scans": "AttachPartition",
    "stored-generated": "SetExpression",
    "table-rewritten": "SetAccessMethod SetLogged SetTableSpace SetUnLogged",
    "trigger-disabled": "DisableRowSecurity DisableRule DisableTrig DisableTrigAll DisableTrigUser EnableReplicaRule "
                        "EnableReplicaTrig NoForceRowSecurity",
    "type-changes": "AlterColumnType",
}  # fmt: skip
RULE_OF_COMMAND = {f"AT_{name}": rule for rule, names in COMMANDS.items() for name in names.split()}
RULE_OF_CONSTRAINT = {
    ConstrType.CONSTR_CHECK: "constraint-scans",
    ConstrType.CONSTR_EXCLUSION: "exclusion-builds",
    ConstrType.CONSTR_FOREIGN: "constraint-scans",
    ConstrType.CONSTR_NOTNULL: "not-null-scans",
    ConstrType.CONSTR_PRIMARY: "unique-builds",
    ConstrType.CONSTR_UNIQUE: "unique-builds",
}
NAMED_IN_CODE = {
    ObjectType.OBJECT_FOREIGN_TABLE, ObjectType.OBJECT_MATVIEW, ObjectType.OBJECT_SCHEMA, ObjectType.OBJECT_TABLE,
    ObjectType.OBJECT_VIEW,
}  # fmt: skip
NOT_IN_CODE = {
    ObjectType.OBJECT_DOMCONSTRAINT, ObjectType.OBJECT_INDEX, ObjectType.OBJECT_POLICY, ObjectType.OBJECT_TABCONSTRAINT,
    ObjectType.OBJECT_TRIGGER,
}  # fmt: skip


def broken(sql: str, *, fresh: frozenset[str] = frozenset(), atomic: bool = False) -> list[Rule]:
    """Return the rules that statements break. Tables that the same migration makes, `fresh`, are not in use yet."""
    try:
        statements = parse_sql(PLACEHOLDER.sub("$1", sql).replace("%%", "%"))
    except (ParseError, UnicodeEncodeError):
        return [BY_ID["syntax-error"]]
    found: dict[str, None] = {}
    for each in statements:
        found |= dict.fromkeys(_judge(each.stmt, fresh, atomic))
        fresh |= _created(each.stmt)
    return [BY_ID[id] for id in found]


def _judge(statement: Any, fresh: frozenset[str], atomic: bool) -> list[str]:
    """Return the ids of the rules that one statement breaks, at any depth."""
    nodes = list(_nodes(statement))
    found = [id for node in nodes if not _is_fresh(node, fresh) for id in _rules(node)]
    if atomic and any(map(_is_concurrent, nodes)):
        found.append("concurrently-in-transaction")
    calls_unknown = isinstance(statement, EVALUATED) and _calls(nodes) - CALLED_FREELY
    if calls_unknown or not (found or isinstance(statement, KNOWN)):
        found.append(UNKNOWN)
    return found


def _nodes(value: Any) -> Iterator[Any]:
    """Yield every node of a tree except what is in a function, which does not run yet."""
    if isinstance(value, tuple):
        for each in value:
            yield from _nodes(each)
    elif isinstance(value, ast.Node):
        yield value
        if not isinstance(value, ast.CreateFunctionStmt):
            yield from _nodes(tuple(getattr(value, name) for name in value))


def _rules(node: Any) -> Iterator[str]:  # noqa: PLR0912  a table
    """Yield the ids of the rules that one node breaks on a table in use."""
    match node:
        case ast.UpdateStmt() | ast.DeleteStmt() | ast.MergeStmt() | ast.CopyStmt(is_from=True):
            yield "rows-at-once"
        case ast.InsertStmt() if not _only_adds_values(node):
            yield "rows-at-once"
        case ast.SelectStmt(lockingClause=[_, *_]) | ast.LockStmt():
            yield "table-locked"
        case ast.IndexStmt(concurrent=False):
            yield "index-blocks-writes"
        case ast.ReindexStmt() if not _is_concurrent(node):
            yield "reindex-blocks"
        case ast.RefreshMatViewStmt(concurrent=False):
            yield "view-refreshed"
        case ast.AlterTableStmt(cmds=[*commands], objtype=kind):
            for command in commands:
                yield from _command_rules(command, kind)
        case ast.RenameStmt(renameType=ObjectType.OBJECT_COLUMN):
            yield "column-renamed"
        case ast.RenameStmt(renameType=ObjectType.OBJECT_SCHEMA):
            yield "schema-renamed"
        case ast.RenameStmt(renameType=kind) if kind not in NOT_IN_CODE:
            yield "table-renamed"
        case ast.AlterObjectSchemaStmt():
            yield "table-renamed"
        case ast.DropStmt():
            yield from _drop_rules(node)
        case ast.DropOwnedStmt() | ast.DropdbStmt():
            yield "table-dropped"
        case ast.TruncateStmt():
            yield "cascade"
        case ast.AlterEnumStmt():
            yield "enum-value"
        case ast.CreateDomainStmt() if any(each.contype == ConstrType.CONSTR_CHECK for each in node.constraints or ()):
            yield "domain-scans"
        case ast.AlterDomainStmt(subtype="C" | "O" | "V"):  # ADD, SET NOT NULL, VALIDATE CONSTRAINT
            yield "domain-scans"
        case ast.ClusterStmt() | ast.AlterTableMoveAllStmt():
            yield "table-rewritten"
        case ast.VacuumStmt() if _has_option("full", node.options):
            yield "table-rewritten"
        case ast.VariableSetStmt(name=name) if name in LIMITS or node.kind == VariableSetKind.VAR_RESET_ALL:
            yield "session-setting"
        case ast.VariableSetStmt(name="session_replication_role"):
            yield "trigger-disabled"
        case ast.VariableSetStmt(name="search_path"):  # names no longer say which table
            yield UNKNOWN


def _only_adds_values(insert: Any) -> bool:
    """Return whether INSERT spells its rows out and changes none that are there."""
    conflict, rows = insert.onConflictClause, insert.selectStmt
    only_adds = conflict is None or conflict.action == OnConflictAction.ONCONFLICT_NOTHING
    return only_adds and (rows is None or bool(rows.valuesLists))


def _command_rules(command: Any, kind: ObjectType | None) -> Iterator[str]:
    """Yield the ids for one command of ALTER TABLE, or of ALTER INDEX or the like."""
    if command.behavior == DropBehavior.DROP_CASCADE:
        yield "cascade"
    match command.subtype.name, command.def_:
        case "AT_AddColumn", column:
            yield from _new_column_rules(column)
        case "AT_AddConstraint", constraint:
            if not constraint.skip_validation and not constraint.indexname:
                yield RULE_OF_CONSTRAINT.get(constraint.contype, UNKNOWN)
        case "AT_DetachPartition", ast.PartitionCmd(concurrent=True):
            pass
        case "AT_AttachPartition", _ if kind == ObjectType.OBJECT_INDEX:
            pass
        case name, _:
            if rule := RULE_OF_COMMAND.get(name, UNKNOWN):
                yield rule


def _new_column_rules(column: Any) -> Iterator[str]:
    """Yield the ids for a column that a table in use gains."""
    kind, filled = column.typeName.names[-1].sval, False
    if kind == "json":
        yield "json-column"
    if "serial" in kind:
        yield "serial-column"
        filled = True
    for each in column.constraints or ():
        match each.contype:
            case ConstrType.CONSTR_DEFAULT:
                filled = not getattr(each.raw_expr, "isnull", False)
                if _calls(_nodes(each)) - STABLE:
                    yield "volatile-default"
            case ConstrType.CONSTR_IDENTITY:
                filled = True
                yield "serial-column"
            case ConstrType.CONSTR_GENERATED:
                filled = True
                if each.generated_kind == "s":
                    yield "stored-generated"
            case ConstrType.CONSTR_FOREIGN:
                yield "reference-scans"
            case ConstrType.CONSTR_CHECK | ConstrType.CONSTR_PRIMARY | ConstrType.CONSTR_UNIQUE as contype:
                yield RULE_OF_CONSTRAINT[contype]
    if not filled and any(each.contype == ConstrType.CONSTR_NOTNULL for each in column.constraints or ()):
        yield "required-column"


def _drop_rules(drop: Any) -> Iterator[str]:
    if drop.removeType in NAMED_IN_CODE:
        yield "table-dropped"
    if drop.removeType == ObjectType.OBJECT_INDEX and not drop.concurrent:
        yield "index-drop-blocks"
    if drop.behavior == DropBehavior.DROP_CASCADE:
        yield "cascade"


def _is_concurrent(node: Any) -> bool:
    """Return whether it is a CONCURRENTLY that does not work in a transaction."""
    if isinstance(node, ast.ReindexStmt):
        return _has_option("concurrently", node.params)
    return isinstance(node, ast.IndexStmt | ast.DropStmt | ast.PartitionCmd) and bool(node.concurrent)


def _has_option(name: str, options: Any) -> bool:
    """Return whether an option in parentheses is given, and not as off."""
    return any(each.defname == name and getattr(each.arg, "sval", "") not in ("off", "false") for each in options or ())


def _calls(nodes: Iterable[Any]) -> set[str]:
    """Return the functions that are called, by name; those of PostgreSQL without a schema."""
    calls = (_dotted(node.funcname or ()) for node in nodes if isinstance(node, ast.FuncCall))
    return {name.removeprefix("pg_catalog.") for name in calls}


def _dotted(name: Iterable[Any]) -> str:
    return ".".join(part.sval for part in name)


def _is_fresh(node: Any, fresh: frozenset[str]) -> bool:
    """Return whether a node changes or locks tables that are all fresh."""
    match node:
        case ast.DropStmt(removeType=ObjectType.OBJECT_TABLE):
            names = {_dotted(name).removeprefix("public.") for name in node.objects or ()}
        case ast.AlterTableStmt(cmds=[ast.AlterTableCmd(def_=ast.PartitionCmd(name=part, bound=bound))]) if bound:
            names = {_name(part)}  # the one that is read
        case ast.LockStmt() | ast.TruncateStmt():
            names = {_name(table) for table in node.relations or ()}
        case _:
            relation = getattr(node, "relation", None)
            names = {_name(relation)} if relation else set()
    return bool(names) and names <= fresh


def _created(statement: Any) -> frozenset[str]:
    """Return the table that a statement makes, if it is certain that it was not there."""
    match statement:
        case (
            ast.CreateStmt(relation=table, if_not_exists=False)
            | ast.CreateTableAsStmt(into=ast.IntoClause(rel=table), if_not_exists=False)
            | ast.SelectStmt(intoClause=ast.IntoClause(rel=table))
        ):
            return frozenset({_name(table)})
    return frozenset()


def _name(table: Any) -> str:
    """Return a table's name with its schema, unless that is public."""
    schema = "pg_temp" if table.relpersistence == "t" else table.schemaname
    return f"{schema}.{table.relname}" if schema not in (None, "public") else str(table.relname)
