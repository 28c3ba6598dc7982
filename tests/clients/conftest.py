"""A server of the API that clients of their own talk to over HTTP, and faults between them and it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import override_settings

from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.api.conftest import Server
from tests.cast import TESTER
from tests.databases import empty_the_database

Environ = dict[str, Any]


class Live:
    """The API on a port of its own, each request with a connection of its own to the database."""

    def __init__(self) -> None:
        self.faults: deque[str] = deque()
        self.seen: list[Environ] = []
        self.without: set[str] = set()  # headers that are taken away on the way
        self.application = WSGIHandler()
        self.address = ""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen.append(environ)
        for name in self.without:
            environ.pop(name, None)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "away":
            start_response("503 Service Unavailable", [("Retry-After", "0"), ("Content-Type", "text/html")])
            return [b"<h1>away</h1>"]
        try:
            if fault != "lost":
                return list(self.application(environ, start_response))
            list(self.application(environ, lambda *_: None))
        finally:
            connections.close_all()
        start_response("502 Bad Gateway", [])
        return [b""]

    def person(self, name: str = "Ada Tavares") -> tuple[str, str]:
        """Somebody new: their UID and a token of theirs."""
        uid = f"person-{uuid4()}"
        ensure_person(profile=Profile(uid, name=name), actor=TESTER)
        return uid, local_tokens.issue(uid=uid)

    def key(self, *scopes: str) -> str:
        """An API key."""
        return Server.with_scopes(*scopes).key


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="package")
def running(django_db_setup: None, django_db_blocker: Any) -> Iterator[Live]:
    """One server for all tests of clients, with real commits: emptied at the end, everybody is new."""
    live = Live()
    with (
        django_db_blocker.unblock(),
        override_settings(API_LIMIT_PERSON="off", API_LIMIT_STRANGER="off"),
        make_server("127.0.0.1", 0, live, handler_class=Silent) as server,
    ):
        live.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield live
        finally:
            server.shutdown()
            thread.join()
            empty_the_database()


@pytest.fixture
def live(running: Live, django_db_blocker: Any) -> Iterator[Live]:
    """The server, without a fault."""
    running.faults.clear()
    running.seen.clear()
    running.without.clear()
    with django_db_blocker.unblock():
        yield running
