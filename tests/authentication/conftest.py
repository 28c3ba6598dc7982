"""An issuer, an API that needs signing in, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.authentication import tokens
from audit.models import AuditLog
from tests.authentication.issuer import PROJECT, KeyServer
from vibe.core.db.scopes import as_system

WHO = "/api/tests/who"


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    running = KeyServer()
    yield running
    running.close()
    tokens.keys_of.cache_clear()


@pytest.fixture
def firebase(key_server: KeyServer, settings: Any) -> Callable[..., None]:
    """Firebase is set up: firebase(clock_skew=0) changes how."""

    def firebase(**changes: Any) -> None:
        settings.FIREBASE = {**settings.FIREBASE, **changes}

    firebase(project=PROJECT, keys_url=key_server.url)
    return firebase


@pytest.fixture
def tested_api(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.authentication.api"
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def ask(tested_api: None) -> Callable[..., Any]:
    """Ask who one is: ask(token) or ask(headers={...})."""

    def ask(token: str | None = None, *, headers: dict[str, str] | None = None, path: str = WHO, **more: Any) -> Any:
        sent = {**({"authorization": f"Bearer {token}"} if token is not None else {}), **(headers or {})}
        method = more.pop("method", "get")
        return getattr(Client(raise_request_exception=False), method)(path, headers=sent, **more)

    return ask


def trail(**found: Any) -> list[AuditLog]:
    """Rows of the trail, oldest first."""
    with as_system():
        return list(AuditLog.objects.filter(**found).order_by("xact", "id"))


def code(answer: Any) -> tuple[int, str]:
    """Status and stable code of a refusal."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["code"]
