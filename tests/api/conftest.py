"""A person's own client of the API: get, post, patch and delete under /api/v1, JSON in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

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
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        return self.client.generic(method, V1 + path, headers={**self.headers, **given}, **sent)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self("DELETE", path, **headers)

    def raw(self, method: str, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, V1 + path, body, content_type, headers={**self.headers, **given})


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
