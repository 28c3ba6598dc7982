"""The id of the current request: in every log line, in the response and in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import uuid_utils.compat

_current: ContextVar[str] = ContextVar("request_id", default="")


@contextmanager
def new_request_id() -> Iterator[str]:
    """Generate an id for the block. A client's own is not used: it could be anything.

    It begins with its time (RFC 9562, version 7), by which the rows of the audit log that bear it are found.
    """
    made = uuid_utils.compat.uuid7().hex
    before = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(before)


def request_id() -> str:
    """Return the id of the current request; empty outside of requests."""
    return _current.get()
