"""A person's own client of the API: get, post, patch and delete under /api/v1, JSON in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from accounts.api_keys.services import make_api_key
from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.cast import TESTER

V1 = "/api/v1"


def at_once(work: Callable[[int], Any], count: int) -> list[Any]:
    """What `work` gives for 0, 1, ... in as many threads, each with a connection of its own."""

    def run(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


class Api:
    """Calls as one person. `nobody` calls as none."""

    def __init__(self, uid: str) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {local_tokens.issue(uid=uid)}"} if uid else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        return self.client.generic(method, V1 + path, headers=self.sent(headers), **sent)

    def sent(self, headers: dict[str, str]) -> dict[str, str]:
        return {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self("DELETE", path, **headers)

    def raw(self, method: str, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        return self.client.generic(method, V1 + path, body, content_type, headers=self.sent(headers))


class Server(Api):
    """Calls with an API key; `as_(uid)` for a person."""

    def __init__(self, key: str, **headers: str) -> None:
        super().__init__("")
        self.key, self.headers = key, {"authorization": f"Bearer {key}", **headers}

    @classmethod
    def with_scopes(cls, *scopes: str, **more: Any) -> Server:
        return cls(make_api_key(name="server", scopes=scopes, lasts=timedelta(days=1), actor=TESTER, **more)[1])

    def as_(self, uid: str) -> Server:
        return Server(self.key, vibe_person=f"uid:{uid}")


def who_may(path: str, person: Api) -> Api:
    """Who may call at an address: a server of people themselves and of webhooks, the person of everything else."""
    for begins, scope in (("/users", "people"), ("/webhooks", "read")):
        if path.startswith(begins):
            return Server.with_scopes(scope)
    return person


@pytest.fixture
def server(db: None) -> Callable[..., Server]:
    """A server whose key has these scopes: server("people")."""
    return Server.with_scopes


@pytest.fixture(autouse=True)
def without_limits(settings: Any) -> None:
    """Requests are counted in tests of their own."""
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"


@pytest.fixture
def as_ada(ada: UUID) -> Api:
    return Api("ada")


@pytest.fixture
def as_jonas(jonas: UUID) -> Api:
    return Api("jonas")


@pytest.fixture
def really_ada(committed: None) -> Api:
    """Ada, with real commits, for what happens at once."""
    ensure_person(profile=Profile("ada", "ada@example.com", "Ada Tavares"), actor=TESTER)
    return Api("ada")


@pytest.fixture
def nobody(db: None) -> Api:
    return Api("")


@pytest.fixture
def begun(as_ada: Api) -> Callable[..., str]:
    """A conversation of Ada's: its id."""
    return lambda **given: as_ada.post("/conversations", given).json()["id"]
