"""Watches every statement of the suite: one of the product that would not go to one shard fails the test it ran in.

A test's own statements are left alone: many attack on purpose. Each distinct statement is parsed once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest

from tests.routing import faults

ROOT = Path(__file__).resolve().parent.parent
TESTS = str(ROOT / "tests")
PARTS = tuple(str(ROOT / name) for name in ("accounts", "audit", "memories", "stories", "vibe"))
NOT_ASKING = (
    *(f"/vibe/core/db/{part}" for part in ("schema/owned.py", "statements/", "scopes.py", "backend/")),
    "/vibe/metrics/",
)
"""What sends statements for others; who asks stands above it on the stack."""

passed: set[tuple[bool, str]] = set()
complaints: list[str] = []
_tests_count = False


@pytest.fixture(autouse=True)
def statements_are_routed() -> Iterator[None]:
    """Fail the test whose statement would have to go to every shard."""
    complaints.clear()
    yield
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="session", autouse=True)
def statements_are_watched() -> Iterator[None]:
    """Look at what every cursor is given."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany", "copy"):
            patch.setattr(psycopg.Cursor, name, watched(getattr(psycopg.Cursor, name)))
        yield


@contextmanager
def as_if_the_product_asked() -> Iterator[None]:
    """Take a test's statements for the product's."""
    global _tests_count  # noqa: PLW0603
    _tests_count = True
    try:
        yield
    finally:
        _tests_count = False


def watched(run: Any) -> Any:
    def ran(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        look(self, query)
        return run(self, query, *args, **kwargs)

    return ran


def look(cursor: Any, query: Any) -> None:
    """Judge a statement that was not seen before."""
    from vibe.core.db.scopes import OUTSIDE, USER, current_scope

    scope = current_scope()
    if scope is OUTSIDE:
        return  # the owner: migrations and maintenance
    text = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else query.as_string(cursor)
    seen = (scope.role == USER, text)
    if seen in passed:
        return
    if found := faults(text, owned_tables(), person=seen[0]):
        if asker := product_frame(sys._getframe(2)):
            complaints.append(f"{asker}: {'; '.join(found)}\n    {text}")
    else:
        passed.add(seen)


def product_frame(frame: FrameType | None) -> str | None:
    """The line of the product that asks; None when a test does."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(TESTS) and not name.endswith("/tests/statements.py"):
            return f"{Path(name).name}:{frame.f_lineno}" if _tests_count else None
        if name.startswith(PARTS) and not any(part in name for part in NOT_ASKING):
            return f"{Path(name).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def owned_tables() -> frozenset[str]:
    """The tables of people's rows."""
    global _owned  # noqa: PLW0603
    if not _owned:
        from django.apps import apps

        from vibe.core.db.schema.owned import UserOwned

        _owned = frozenset(model._meta.db_table for model in apps.get_models() if issubclass(model, UserOwned))
    return _owned


_owned: frozenset[str] = frozenset()
