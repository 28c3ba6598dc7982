"""The id of the request that this thread answers: in every log line, in the answer and in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

_current: ContextVar[str] = ContextVar("request_id", default="")


@contextmanager
def new_request_id() -> Iterator[str]:
    """An id of our own making for the block: what a client sends could be anything."""
    made = uuid4().hex
    before = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(before)


def request_id() -> str:
    """The current one; empty outside of requests."""
    return _current.get()
