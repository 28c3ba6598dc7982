"""What a search is narrowed to, and which stories that leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql

from stories.text.words import own_words
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.errors import InputError
from vibe.core.folding import fold, spelled_out

MOST_NAMES = 100

ARCHIVED = (
    "EXISTS (SELECT FROM conversations c "
    "WHERE c.user_id = s.user_id AND c.id = s.conversation_id AND c.is_archived = %b)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What must hold of a story. One of the names of a kind is enough; each kind, and all the rest, must hold.

    A name matches as a whole, or by all of its words ("Anna" finds "Anna Berg", "Berg, Anna" too). `since` and `until`
    are aware moments, both included; a story matches if any of it lies between them.
    """

    people: Sequence[str] = ()
    places: Sequence[str] = ()
    events: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    conversation_id: UUID | None = None
    archived: bool | None = None

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.utcoffset() is None:
                raise InputError("A time to search from or up to has no time zone. Give one.")
        if max(map(len, (self.people, self.places, self.events))) > MOST_NAMES:
            raise InputError(f"More than {MOST_NAMES} names of one kind to search for. Give fewer.")


@dataclass(frozen=True, slots=True)
class Scope:
    """The stories that a filter leaves, and how many passages they have."""

    stories: list[UUID]
    passages: int


def scope_of(user_id: UUID, filters: Filters | None, vault: Vault) -> Scope | None:
    """Which of the person's stories are searched; None for all of them."""
    parts = list(conditions(filters, vault)) if filters else []
    if not parts:
        return None
    statement = sql.SQL("SELECT s.id, s.passage_count FROM stories s WHERE s.user_id = %b AND {}").format(
        sql.SQL(" AND ").join(part for part, _ in parts)
    )
    rows = bulk.run(statement, [user_id, *(value for _, values in parts for value in values)])
    return Scope([row_id for row_id, _ in rows], sum(count for _, count in rows))


def conditions(filters: Filters, vault: Vault) -> Iterator[tuple[sql.Composable, Sequence[Any]]]:
    """Each as SQL over the alias `s`, with its parameters. Names are matched blind."""
    named = (
        ("person", "people", filters.people),
        ("place", "places", filters.places),
        ("event", "events", filters.events),
    )
    for kind, plural, names in named:
        if names:
            yield any_name(vault, kind, sql.SQL("s.{}").format(sql.Identifier(f"{plural}_index")), names)
    if filters.since:
        yield sql.SQL("s.occurred_to >= %b"), [filters.since]
    if filters.until:
        yield sql.SQL("s.occurred_from <= %b"), [filters.until]
    if filters.conversation_id:
        yield sql.SQL("s.conversation_id = %b"), [filters.conversation_id]
    if filters.archived is not None:
        yield sql.SQL(ARCHIVED), [filters.archived]


def any_name(
    vault: Vault, kind: str, column: sql.Composable, names: Sequence[str]
) -> tuple[sql.Composable, Sequence[list[int]]]:
    """Whether one of the names stands in a blind index: whole, or with all of its words."""
    spelt = dict.fromkeys(spelling for name in names for spelling in (name, fold(name), spelled_out(name)))
    wholes = vault.index.tokens(kind, spelt)
    parted = [tokens for name in spelt if (tokens := vault.index.tokens(f"{kind}-word", own_words(name)))]
    tests = [sql.SQL("{} && %b::int8[]").format(column), *([sql.SQL("{} @> %b::int8[]").format(column)] * len(parted))]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(tests)), [wholes, *parted]
