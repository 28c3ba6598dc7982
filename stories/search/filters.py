"""What a search is narrowed to, and which stories that leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql

from accounts.companions import companion_token
from memories.metadata import Metadata
from stories.text.passages import MOST_METADATA, metadata_tokens, speaker_token, word_tokens
from stories.text.words import own_words
from vibe.core.crypto.vault import Vault
from vibe.core.db.statements import bulk
from vibe.core.errors import InputError
from vibe.core.folding import fold, spelled_out

MOST_NAMES = 100

COUNTED = 20_000
"""Passages that are counted at most, to choose how they are searched."""
NAMED = 1_000
"""Passages that are searched by their ids, rather than by the filter that left so few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What must hold. One of the names of a kind is enough; each kind, and all the rest, must hold.

    A name matches as a whole, or by all of its words ("Anna" finds "Anna Berg", "Berg, Anna" too). `people`, `places`
    and `events` are those of the story that a passage is in, or, until that is built, words of the passage. All else
    holds for the passage itself. `since` and `until` are aware moments, both included; of `metadata` the memory must
    have each member.
    """

    people: Sequence[str] = ()
    places: Sequence[str] = ()
    events: Sequence[str] = ()
    authors: Sequence[str] = ()
    roles: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    conversation_id: UUID | None = None
    companion: str | None = None
    metadata: Metadata = field(default_factory=dict)
    archived: bool | None = None

    def __post_init__(self) -> None:
        if len(self.metadata) > MOST_METADATA:
            raise InputError(f"More than {MOST_METADATA} members of metadata to search by. Give fewer.")
        for moment in (self.since, self.until):
            if moment is not None and moment.utcoffset() is None:
                raise InputError("A time to search from or up to has no time zone. Give one.")
        if max(map(len, (self.people, self.places, self.events, self.authors))) > MOST_NAMES:
            raise InputError(f"More than {MOST_NAMES} names of one kind to search for. Give fewer.")


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The passages that a filter leaves: a condition on `p`, its parameters by name, and how many passages they are."""

    condition: sql.Composable
    values: dict[str, Any]
    passages: int


def narrowed_by(user_id: UUID, filters: Filters | None, vault: Vault) -> Narrowed | None:
    """Return which of the person's passages are searched; None for all of them."""
    parts = list(passage_conditions(user_id, filters, vault)) if filters else []
    if not parts:
        return None
    condition, values = joined(parts)
    found = sql.SQL("FROM passages p WHERE p.user_id = %(user)b {} LIMIT %(most)b").format(condition)
    given = {"user": user_id, **values}
    ids = [row_id for (row_id,) in bulk.run(sql.SQL("SELECT p.id {}").format(found), {**given, "most": NAMED + 1})]
    if len(ids) <= NAMED:  # what few passages have is not looked for again by each statement of the search
        return Narrowed(*joined([("p.id = ANY({}::uuid[])", [ids])]), len(ids))
    counted = sql.SQL("SELECT count(*) FROM (SELECT 1 {}) AS counted").format(found)
    [(count,)] = bulk.run(counted, {**given, "most": COUNTED})
    return Narrowed(condition, values, count)


def joined(parts: Sequence[tuple[str, Sequence[Any]]]) -> tuple[sql.Composable, dict[str, Any]]:
    """Return conditions joined by AND, each with its parameters named."""
    values: dict[str, Any] = {}
    texts = []
    for condition, given in parts:
        names = []
        for value in given:
            name = f"filter{len(values)}"
            values[name] = value
            names.append(sql.SQL(f"%({name})b"))  # type: ignore[arg-type]
        texts.append(sql.SQL("AND (" + condition + ")").format(*names))  # type: ignore[arg-type]
    return sql.SQL(" ").join(texts), values


def passage_conditions(user_id: UUID, filters: Filters, vault: Vault) -> Iterator[tuple[str, Sequence[Any]]]:
    """Give each condition on `p`, with its parameters. Names are matched blind."""
    for kind, plural, names in named(filters):
        if names:
            in_story, values = any_name(vault, kind, f"s.{plural}_index", names)
            spoken = [tokens for name in names if (tokens := word_tokens(vault, own_words(name)))]
            unbuilt = " OR ".join(["p.words @> {}::int8[]"] * len(spoken)) or "false"
            yield (
                f"p.story_id IN (SELECT s.id FROM stories s WHERE s.user_id = {{}} AND ({in_story})) OR (({unbuilt}) "  # noqa: S608
                f"AND p.story_id IN (SELECT s.id FROM stories s WHERE s.user_id = {{}} AND s.title IS NULL))",
                [user_id, *values, *spoken, user_id],
            )
    if filters.authors:
        yield "p.speaker = ANY({}::int8[])", [[speaker_token(vault, name) for name in filters.authors]]
    if filters.roles:
        yield "p.role = ANY({}::text[])", [list(filters.roles)]
    if filters.since:
        yield "p.occurred_at >= {}", [filters.since]
    if filters.until:
        yield "p.occurred_at <= {}", [filters.until]
    if filters.conversation_id:
        yield "p.conversation_id = {}", [filters.conversation_id]
    if filters.companion is not None:
        yield (
            "p.conversation_id IN (SELECT c.id FROM conversations c WHERE c.user_id = {} AND c.companion_token = {})",
            [user_id, companion_token(vault, filters.companion)],
        )
    if filters.metadata:
        yield "p.metadata_index @> {}::int8[]", [metadata_tokens(vault, filters.metadata)]
    if filters.archived is not None:
        yield (
            "p.conversation_id IN (SELECT c.id FROM conversations c WHERE c.user_id = {} AND c.is_archived = {})",
            [user_id, filters.archived],
        )


def story_conditions(filters: Filters, vault: Vault) -> Iterator[tuple[str, Sequence[Any]]]:
    """Give each condition on a story `s`, with its parameters; a story matches if any of it lies in the time."""
    for kind, plural, names in named(filters):
        if names:
            yield any_name(vault, kind, f"s.{plural}_index", names)
    if filters.since:
        yield "s.occurred_to >= {}", [filters.since]
    if filters.until:
        yield "s.occurred_from <= {}", [filters.until]
    if filters.conversation_id:
        yield "s.conversation_id = {}", [filters.conversation_id]
    if filters.companion is not None:
        yield (
            "EXISTS (SELECT FROM conversations c WHERE c.user_id = s.user_id AND c.id = s.conversation_id "
            "AND c.companion_token = {})",
            [companion_token(vault, filters.companion)],
        )
    if filters.archived is not None:
        yield (
            "EXISTS (SELECT FROM conversations c WHERE c.user_id = s.user_id AND c.id = s.conversation_id "
            "AND c.is_archived = {})",
            [filters.archived],
        )


def named(filters: Filters) -> tuple[tuple[str, str, Sequence[str]], ...]:
    """Return each kind of name with its plural, and the names."""
    return (
        ("person", "people", filters.people),
        ("place", "places", filters.places),
        ("event", "events", filters.events),
    )


def any_name(vault: Vault, kind: str, column: str, names: Sequence[str]) -> tuple[str, Sequence[list[int]]]:
    """Return whether one of the names stands in a blind index: whole, or with all of its words."""
    spelt = dict.fromkeys(spelling for name in names for spelling in (name, fold(name), spelled_out(name)))
    wholes = vault.index.tokens(kind, spelt)
    parted = [tokens for name in spelt if (tokens := vault.index.tokens(f"{kind}-word", own_words(name)))]
    tests = [f"{column} && {{}}::int8[]", *([f"{column} @> {{}}::int8[]"] * len(parted))]
    return " OR ".join(tests), [wholes, *parted]
