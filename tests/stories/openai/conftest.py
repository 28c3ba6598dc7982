"""A service that can be told to misbehave, and a processor and an embedder that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection

from stories.processors.openai_compatible import client
from stories.processors.openai_compatible.embedder import OpenAIEmbedder
from stories.processors.openai_compatible.processor import OpenAIProcessor
from tests.processes import PATIENCE
from tests.stories.openai.fake_service import KEY, FakeService


@dataclass
class Clock:
    """A clock that goes on only while somebody sleeps by it."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(client, "time", made)
    return made


@pytest.fixture
def service() -> Iterator[FakeService]:
    running = FakeService()
    yield running
    running.close()


@pytest.fixture
def configure(service: FakeService, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Change the settings OPENAI_*: configure(timeout=1). Waits are short; no tokens are counted unless asked for."""
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.02)

    def configure(**values: Any) -> None:
        settings.OPENAI = {**settings.OPENAI, **values}

    settings.OPENAI_API_KEY = KEY
    configure(
        base_url=service.url,
        text_model="teller",
        embedding_model="vectors",
        embedding_dimensions=service.dimensions,
        timeout=PATIENCE,
        deadline=PATIENCE,
        daily_tokens=0,
    )
    yield configure
    for made in list(CLIENTS):
        made.openai.close()
    CLIENTS.clear()
    client.client_of.cache_clear()


CLIENTS: list[client.Client] = []


def kept(made: Any) -> Any:
    CLIENTS.append(made.client)
    return made


@pytest.fixture
def processor(configure: Callable[..., None]) -> Callable[..., OpenAIProcessor]:
    """A processor with settings of its own: processor(deadline=1)."""

    def make(**values: Any) -> OpenAIProcessor:
        configure(**values)
        return kept(OpenAIProcessor())

    return make


@pytest.fixture
def embedder(configure: Callable[..., None]) -> Callable[..., OpenAIEmbedder]:
    """An embedder with settings of its own."""

    def make(**values: Any) -> OpenAIEmbedder:
        configure(**values)
        return kept(OpenAIEmbedder())

    return make


TOKEN_USE = """
CREATE TABLE token_use (
    id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE, day date NOT NULL,
    tokens bigint NOT NULL CHECK (tokens >= 0), UNIQUE (user_id, day)
);
ALTER TABLE token_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE token_use FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON token_use TO vibe_user USING (user_id = nullif(current_setting('vibe.user_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON token_use TO vibe_user;
"""


@pytest.fixture(scope="session")
def token_use(django_db_setup: None, django_db_blocker: Any) -> None:
    """The table of the count, until a migration makes it."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('token_use')")
        if cursor.fetchone()[0] is None:
            cursor.execute(TOKEN_USE)
