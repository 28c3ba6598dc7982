"""Chooses how a person's passages are searched, from the person's own count; never left to the planner.

- up to READ_WHOLE: every passage is fetched and ranked ("exact");
- up to SEARCH_EXACT_UP_TO: the nearest of all by sorting, the best by words ("exact");
- beyond: the nearest by the shared graph, where the person's set then is, the best by words ("hnsw").

A filter that leaves little enough of a large set brings it back to the first or the second.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from stories.models import SearchSet
from stories.search.candidates import EXACT, HNSW, Found, Wanted, exact
from stories.search.filters import Narrowed
from stories.search.graph import likeliest

READ_WHOLE = 10_000
"""Passages that are fetched and ranked all; beyond it is no dearer to have candidates chosen by the database."""


def fetch(user_id: UUID, wanted: Wanted, narrowed: Narrowed | None, search_set: SearchSet | None, limit: int) -> Found:
    """The candidates: for never fewer than `limit` stories, where there are as many."""
    strategy = strategy_for(search_set, narrowed)
    if search_set is None or (size_of(search_set, narrowed) <= READ_WHOLE and strategy == EXACT):
        return exact(user_id, wanted, narrowed)
    return likeliest(user_id, wanted, narrowed, search_set, strategy=strategy, limit=limit)


def strategy_for(search_set: SearchSet | None, narrowed: Narrowed | None = None) -> str:
    """The graph for a set that is in it, unless a filter leaves little of it."""
    if search_set is None or not search_set.in_graph:
        return EXACT
    return EXACT if narrowed is not None and narrowed.passages <= settings.SEARCH_EXACT_UP_TO else HNSW


def size_of(search_set: SearchSet, narrowed: Narrowed | None) -> int:
    """How many passages are searched."""
    return search_set.passages if narrowed is None else narrowed.passages
