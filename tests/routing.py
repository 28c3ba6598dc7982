"""Whether a statement on people's rows would go to one shard of a database distributed by user_id.

PostgreSQL's own parser reads it. Inside a person's scope every table of people's rows must be tied to one given
user_id, by itself or through a join. In the other scopes a plain reading may go over everybody, but a join must be by
user_id, and what writes or locks must name the owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sbt]")
OWNER = "user_id"
GIVEN = "a given value"


@dataclass
class Ties:
    """Which tables of a statement are tied to each other, or to a given value, by their owner."""

    parent: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def tie(self, one: str, other: str) -> None:
        self.parent[self.root(one)] = self.root(other)

    def tied(self, one: str, other: str) -> bool:
        return self.root(one) == self.root(other)


@dataclass
class Reading:
    """What was seen of a statement: tables of people's rows by alias, functions in FROM, and their ties."""

    owned: frozenset[str]
    tables: dict[str, str] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    """Aliases of `users`, whose id is the owner."""
    functions: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    joined: list[set[str]] = field(default_factory=list)
    """For each FROM, the aliases in it of tables of people's rows."""
    ties: Ties = field(default_factory=Ties)
    faults: list[str] = field(default_factory=list)


def faults(statement: str, owned: Iterable[str], *, person: bool) -> list[str]:
    """What keeps a statement (or several, divided by semicolons) from one shard; empty if nothing does.

    `owned` are the tables of people's rows; `person` says that it ran in a person's scope.
    """
    text = PLACEHOLDER.sub("$1", statement).replace("%%", "%")
    return [fault for raw in parse_sql(text) for fault in faults_of(raw.stmt, frozenset(owned), person=person)]


def faults_of(statement: Any, owned: frozenset[str], *, person: bool) -> list[str]:
    if isinstance(statement, ast.ExplainStmt):
        statement = statement.query
    if not isinstance(statement, ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
        return []
    reading = Reading(owned)
    level(statement, reading)
    for function in reading.functions:
        reading.ties.tie(function, GIVEN)
    if person:
        loose = {alias for alias in reading.tables if not reading.ties.tied(alias, GIVEN)}
    else:
        loose = {alias for alias in reading.written if not reading.ties.tied(alias, GIVEN)}
        for joined in reading.joined:
            if len({reading.ties.root(alias) for alias in joined}) > 1:
                reading.faults.append(f"joins {', '.join(sorted(joined))} otherwise than by {OWNER}")
    return reading.faults + [f"{reading.tables[alias]} ({alias}) is not tied to one {OWNER}" for alias in sorted(loose)]


def level(statement: Any, reading: Reading) -> None:
    """One SELECT, INSERT, UPDATE or DELETE: its own tables, its conditions, and what lies inside."""
    here: list[str] = []
    for name in ("fromClause", "usingClause"):
        for each in getattr(statement, name, None) or ():
            source(each, here, reading)
    relation = getattr(statement, "relation", None)
    if isinstance(statement, ast.InsertStmt):
        inserted(statement, reading)
    elif relation is not None:
        source(relation, here, reading)
        reading.written |= set(here[-1:]) & set(reading.tables)
    if isinstance(statement, ast.UpdateStmt) and reading.written and sets_owner(statement):
        reading.faults.append(f"{relation.relname}: {OWNER} is set anew")
    if getattr(statement, "lockingClause", None):
        reading.written |= set(here) & set(reading.tables)
    reading.joined.append(set(here) & set(reading.tables))
    condition(getattr(statement, "whereClause", None), here, reading)
    for inner in inside(statement):
        level(inner, reading)


def sets_owner(statement: Any) -> bool:
    """Citus refuses that, even to the same value."""
    return OWNER in {target.name for target in statement.targetList}


def source(node: Any, here: list[str], reading: Reading) -> None:
    """A table, join, function or sub-select in FROM."""
    if isinstance(node, ast.RangeVar):
        alias = node.alias.aliasname if node.alias else node.relname
        here.append(alias)
        if node.relname in reading.owned:
            reading.tables[alias] = node.relname
        elif node.relname == "users":
            reading.people.add(alias)
    elif isinstance(node, ast.JoinExpr):
        source(node.larg, here, reading)
        source(node.rarg, here, reading)
        condition(node.quals, here, reading)
    elif isinstance(node, ast.RangeFunction) and node.alias:
        here.append(node.alias.aliasname)
        reading.functions.add(node.alias.aliasname)
    elif isinstance(node, ast.RangeSubselect):
        here.append(node.alias.aliasname)
        tie_result(node.alias.aliasname, node.subquery, reading)


def tie_result(name: str, query: Any, reading: Reading) -> None:
    """A sub-select's owner is that of the tables it reads, once these are seen; a list of values is given."""
    if getattr(query, "valuesLists", None):
        reading.ties.tie(name, GIVEN)
    for each in getattr(query, "fromClause", None) or ():
        inner: list[str] = []
        seen = Reading(reading.owned)
        source(each, inner, seen)
        for alias in seen.tables:
            reading.ties.tie(name, alias)


def inserted(statement: Any, reading: Reading) -> None:
    table = statement.relation.relname
    if table not in reading.owned:
        return
    if statement.cols and OWNER not in {column.name for column in statement.cols}:
        reading.faults.append(f"{table}: a row is inserted without {OWNER}")
    infer = statement.onConflictClause and statement.onConflictClause.infer
    if infer and infer.indexElems and OWNER not in {element.name for element in infer.indexElems}:
        reading.faults.append(f"{table}: a conflict is looked for without {OWNER}")


def condition(node: Any, here: list[str], reading: Reading) -> None:
    """Note the ties that hold whenever the condition does: equalities joined by AND."""
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        for each in node.args:
            condition(each, here, reading)
    elif isinstance(node, ast.A_Expr) and node.kind == A_Expr_Kind.AEXPR_OP and node.name[-1].sval == "=":
        left, right = owner_of(node.lexpr, here, reading), owner_of(node.rexpr, here, reading)
        if left and right:
            reading.ties.tie(left, right)
        elif left and is_given(node.rexpr):
            reading.ties.tie(left, GIVEN)
        elif right and is_given(node.lexpr):
            reading.ties.tie(right, GIVEN)


def owner_of(node: Any, here: list[str], reading: Reading) -> str | None:
    """The alias whose owner a column is."""
    if not isinstance(node, ast.ColumnRef) or not isinstance(node.fields[-1], ast.String):
        return None
    *qualified, column = [each.sval for each in node.fields]
    alias = qualified[-1] if qualified else next((each for each in here if each in reading.tables), None)
    if alias is None or alias in reading.functions:
        return alias
    return alias if column == ("id" if alias in reading.people else OWNER) else None


def is_given(node: Any) -> bool:
    """A parameter, a literal, or a setting read by a function: something that no table decides."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.ParamRef | ast.A_Const | ast.FuncCall)


def inside(node: Any) -> Iterator[Any]:
    """The nearest SELECTs (and writing CTEs) inside a node, itself left out."""
    for name in node:
        yield from nearest(getattr(node, name))


def nearest(value: Any) -> Iterator[Any]:
    if isinstance(value, ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from nearest(each)
    elif isinstance(value, ast.Node):
        yield from inside(value)
