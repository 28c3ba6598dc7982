"""Watches every log line of the suite: one that holds a text that was sealed or opened meanwhile fails its test.

The lines are those that the configured handler would write, in both forms. Every text of every test is a canary.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from vibe.core.crypto.vault import Vault
from vibe.core.logs.formatting import Json, Scrubbed, Text

LOGGERS = ("", "django", "django.server")  # the two do not propagate
SHORTEST = 8
"""A shorter text stands in a line by chance."""
MOST = 20_000
"""Texts of one test that are looked for."""

texts: set[str] = set()
lines: list[str] = []


class Listener(logging.Handler):
    """Keeps what would be written."""

    forms = (Json(), Text())

    def emit(self, record: logging.LogRecord) -> None:
        lines.extend(form.format(record) for form in self.forms)


@pytest.fixture(autouse=True)
def logs_hold_no_content() -> Iterator[None]:
    """Fail the test of whose content a log tells."""
    texts.clear()
    lines.clear()
    yield
    told = [line for line in lines if any(text in line for text in texts)]
    assert not told, "a log holds what somebody said:\n" + "\n".join(told)


@pytest.fixture(scope="session", autouse=True)
def logs_are_watched() -> Iterator[None]:
    """Listen to every logger, and note each text that a vault seals or opens."""
    listener = Listener()
    listener.addFilter(Scrubbed())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vault, "seal_all", noting_sealed(Vault.seal_all))
        patch.setattr(Vault, "open_all", noting_opened(Vault.open_all))
        for name in LOGGERS:
            logging.getLogger(name).addHandler(listener)
        yield
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(listener)


def noting_sealed(seal_all: Callable[..., Any]) -> Callable[..., Any]:
    def sealing(self: Vault, table: str, column: str, rows: Iterable[tuple[Any, int, str]]) -> Any:
        rows = list(rows)
        note(text for _, _, text in rows)
        return seal_all(self, table, column, rows)

    return sealing


def noting_opened(open_all: Callable[..., list[str]]) -> Callable[..., Any]:
    def opening(*args: Any) -> list[str]:
        opened = open_all(*args)
        note(opened)
        return opened

    return opening


def note(found: Iterable[object]) -> None:
    """Texts to look for; what is none is left to whoever refuses it."""
    for text in found:
        if isinstance(text, str) and len(text) >= SHORTEST and len(texts) < MOST:
            texts.add(text)
