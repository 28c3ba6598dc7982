"""The speakers, people, places and events of a person: each name once, sealed, behind its blind token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from stories.models import Entity, Story
from vibe.core.crypto.seal import Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.paging import Rank
from vibe.core.db.scale import replica
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Statement, execute_batch

TABLE = Entity._meta.db_table
KIND = Entity.Kind
INDEXES = {KIND.PERSON: "people_index", KIND.PLACE: "places_index", KIND.EVENT: "events_index"}
SPEAKERS = "SELECT id, name FROM entities WHERE user_id = %s AND kind = 'speaker' ORDER BY id LIMIT 200"
MOST_LISTED = 10_000

# What bears the names of each kind: a token and the story's first and last moment.
BORNE: dict[str, str] = {
    kind: f"SELECT unnest({column}) AS token, id AS story, occurred_from, occurred_to FROM stories WHERE user_id = %b"  # noqa: S608
    for kind, column in INDEXES.items()
}
BORNE[KIND.SPEAKER] = (
    "SELECT speaker AS token, story_id AS story, min(occurred_at) AS occurred_from, max(occurred_at) AS occurred_to "
    "FROM passages WHERE user_id = %b GROUP BY speaker, story_id"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A name, in how many stories it is borne, and from when to when these tell."""

    id: UUID
    kind: str
    stories: int
    first: datetime
    last: datetime
    at: datetime
    """When the list was begun."""
    name: str = field(repr=False)

    @property
    def rank(self) -> Rank:
        """Where it stands in the list: `list_entities(after=...)` goes on behind it."""
        return Rank(self.stories, self.id, self.at)


def list_entities(
    *, user_id: UUID, kind: str, actor: Actor, limit: int = 100, after: Rank | None = None
) -> list[Listed]:
    """The names of one kind, those of most stories first; no story is opened for it.

    `kind` is speaker, person, place or event; `limit` at most 10,000. Behind a rank it goes on as of the moment at
    which the list was begun: stories that came since count from the next beginning on.
    """
    kind, limit = KIND(kind), max(0, min(limit, MOST_LISTED))
    with as_user(user_id):
        vault = open_vault()
        rows = replica.read(
            user_id,
            lambda: bulk.run(
                f"SELECT e.id, e.name, count(*), min(borne.occurred_from), max(borne.occurred_to), asked.at "  # noqa: S608
                "FROM (SELECT coalesce(%b::timestamptz, statement_timestamp()) AS at, %b::int8 AS count, "
                f"%b::uuid AS id) AS asked, entities e JOIN ({BORNE[kind]}) AS borne ON borne.token = e.token "
                "JOIN stories s ON s.user_id = e.user_id AND s.id = borne.story "
                "WHERE e.user_id = %b AND s.user_id = %b AND e.kind = %b AND s.created_at <= asked.at "
                "GROUP BY e.id, e.name, asked.at, asked.count, asked.id "
                "HAVING asked.id IS NULL OR (-count(*), e.id) > (-asked.count, asked.id) "
                "ORDER BY count(*) DESC, e.id LIMIT %b",
                [
                    *(after and after.at, after and after.count, after and after.id),
                    *(user_id, user_id, user_id, kind.value, limit),
                ],
            ),
        )
        names = names_of(vault, (row[:2] for row in rows))
        record(
            actor=actor,
            action="entities.list",
            subject=user_id,
            resource="entities",
            details={"kind": kind.value, "count": len(rows)},
        )
    return [
        Listed(row_id, kind.value, stories, first, last, at, name)
        for (row_id, _, stories, first, last, at), name in zip(rows, names, strict=True)
    ]


def known(story: Story, vault: Vault, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return which of these names are those of people, and of places, in a person's other stories."""
    given = tuple(names)
    found = {}
    for kind in (KIND.PERSON, KIND.PLACE):
        tokens, borne = vault.index.tokens(kind, given), list(getattr(story, INDEXES[kind]))
        rows = bulk.run(
            "SELECT e.token FROM entities e WHERE e.user_id = %b AND e.kind = %b AND e.token = ANY(%b) AND "  # noqa: S608
            "(e.token <> ALL(%b) OR EXISTS (SELECT FROM stories s WHERE s.user_id = e.user_id AND s.id <> %b "
            f"AND s.{INDEXES[kind]} @> ARRAY[e.token]))",
            [story.user_id, kind.value, tokens, borne, story.pk],
        )
        kept = {token for (token,) in rows}
        found[kind.value] = frozenset(name for name, token in zip(given, tokens, strict=True) if token in kept)
    return found


def remember(user_id: UUID, vault: Vault, names: Mapping[str, Iterable[str]]) -> None:
    """Keep each name of each kind, unless it is kept already."""
    named = {(kind, vault.index.token(kind, name)): (uuid7(), name) for kind, given in names.items() for name in given}
    if not named:
        return
    sealed = vault.seal_all(TABLE, "name", ((row_id, 1, name) for row_id, name in named.values()))
    bulk.insert(
        TABLE,
        {
            "id": ("uuid", [row_id for row_id, _ in named.values()]),
            "user_id": ("uuid", [user_id] * len(named)),
            "kind": ("text", [kind for kind, _ in named]),
            "token": ("int8", [token for _, token in named]),
            "name": ("bytea", [value.ciphertext for value in sealed]),
        },
        tail="ON CONFLICT (user_id, kind, token) DO NOTHING",
        later=True,
    )


def borne_by(story: Story) -> dict[str, Iterable[int]]:
    """The tokens of the names that a story bears, by kind, without its speakers."""
    return {kind: getattr(story, column) for kind, column in INDEXES.items()}


def difference(
    before: Mapping[str, Iterable[int]], now: Mapping[str, Iterable[int]], speakers: Set[int]
) -> dict[str, list[int]]:
    """The tokens by kind that were borne and are not any more."""
    kept = {**now, KIND.SPEAKER: speakers}
    return {kind: sorted(set(tokens) - set(kept.get(kind, ()))) for kind, tokens in before.items()}


def forget_unused(user_id: UUID, among: Mapping[str, list[int]] | None = None) -> int:
    """Drop the names that no story and no passage bears any more: among these tokens, or of all. How many."""
    statements: list[Statement] = [
        (
            "DELETE FROM entities WHERE user_id = %s AND kind = %s AND (%s::int8[] IS NULL OR token = ANY(%s::int8[])) "  # noqa: S608
            f"AND token NOT IN (SELECT token FROM ({BORNE[kind]}) AS borne) RETURNING id",
            [user_id, kind.value, tokens, tokens, user_id],
        )
        for kind in KIND
        if (tokens := None if among is None else among.get(kind, [])) is None or tokens
    ]
    return sum(map(len, execute_batch(*statements)))


def speakers(user_id: UUID) -> Statement:
    """The statement that reads what `names_of` opens: the names under which people spoke, the first of them first."""
    return SPEAKERS, [user_id]


def names_of(vault: Vault, rows: Iterable[tuple[UUID, bytes]]) -> list[str]:
    """The names of rows of id and sealed name."""
    return vault.open_all(TABLE, "name", ((row_id, 1, Sealed(name)) for row_id, name in rows))
