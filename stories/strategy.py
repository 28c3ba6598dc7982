"""Chooses how a person's passages are fetched: all of them, or the likeliest by the shared graph.

From the person's own count, never left to the planner. The statement of a small set sorts by nothing, so no index of
distances can serve it; that of a large one has no other way to sort (stories.graph).
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from stories.candidates import EXACT, HNSW, Found, Wanted, exact
from stories.filters import Scope
from stories.graph import from_graph
from stories.models import SearchSet


def fetch(user_id: UUID, wanted: Wanted, scope: Scope | None, search_set: SearchSet | None, limit: int) -> Found:
    """The candidates: for never fewer than `limit` stories, where there are as many."""
    stories = None if scope is None else scope.stories
    if search_set is not None and strategy_for(search_set, scope) == HNSW:
        found = from_graph(user_id, wanted, stories, search_set, limit)
        if found is not None:
            return found
    return exact(user_id, wanted, stories)


def strategy_for(search_set: SearchSet | None, scope: Scope | None = None) -> str:
    """The graph for a set that is in it, unless a filter leaves little enough of it to look at all."""
    if search_set is None or not search_set.in_graph:
        return EXACT
    return EXACT if scope is not None and scope.passages <= settings.SEARCH_EXACT_UP_TO else HNSW
