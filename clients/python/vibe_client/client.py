"""Two clients of the API, `Vibe` and `AsyncVibe`: they sign in, try again, read pages and raise problems as errors."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import copy
from datetime import date
from typing import Any, Self
from uuid import UUID, uuid4

import httpx2

from vibe_client.errors import Problem, Unreachable, problem_of
from vibe_client.operations import AsyncOperations, Operations

Token = str | Callable[[bool], str]
"""An API key or ID token, or a function that returns one; it is given True when the last one had expired."""
AsyncToken = str | Callable[[bool], str | Awaitable[str]]
V1 = "/api/v1"
READS = ("GET", "HEAD")
RETRIED = frozenset({429, 502, 503, 504})
SHORTEST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds


class Result(dict[str, Any]):
    """An answer, with the version that `etag` gives."""

    etag: str | None = None


def etag(thing: Any) -> str | None:
    """Return the version of what the API answered, for `if_match`; None if it has none."""
    return getattr(thing, "etag", None)


def encode(value: Any) -> str:
    """Encode what JSON has no type for. Raises TypeError."""
    if isinstance(value, date | UUID):
        return value.isoformat() if isinstance(value, date) else str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


class _Client:
    """What both clients share: how a request looks, what its answer is, and when it is sent again."""

    def __init__(
        self,
        url: str,
        token: Any,
        *,
        person: str | None = None,
        retries: int = 3,
        timeout: float = 30.0,
        transport: Any = None,
    ) -> None:
        """Talk to the server at `url`, such as https://memory.example.

        `person` is whom an API key acts for, as `uid:` and their UID or `id:` and their id. A request is sent up to
        `retries` times more. `timeout` is in seconds. `transport` is one of httpx2, or a `FakeVibe`.
        """
        if not url.startswith(("https://", "http://")):
            raise ValueError("The address of the server begins with https:// or, on your own machine, http://")
        self._token, self._person, self._retries = token, person, retries
        self._http = self._connect(base_url=url.rstrip("/") + V1, timeout=timeout, transport=transport)

    def _connect(self, **how: Any) -> Any:
        raise NotImplementedError

    def as_person(self, person: str) -> Self:
        """Return a client that acts for this person, over the same connections."""
        other = copy(self)
        other._person = person
        return other

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> httpx2.Request:
        """Return the request, without its token. What may change something is given an Idempotency-Key."""
        headers = {"User-Agent": "vibe-client/0.1"}
        if self._person:
            headers["Vibe-Person"] = self._person
        if method not in READS:
            headers["Idempotency-Key"] = idempotency_key or str(uuid4())
        if if_match:
            headers["If-Match"] = if_match
        content: bytes | None = None
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
            content = body
        elif body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, default=encode).encode()
        elif method not in READS:
            headers["Content-Length"] = "0"
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        request: httpx2.Request = self._http.build_request(
            method, path, params=given or None, headers=headers, content=content
        )
        return request

    def _wait(self, tried: int, problem: Problem | Unreachable, *, renewed: bool) -> float | None:
        """Return the seconds to wait before the request is sent again, or None if it is not."""
        if _expired(problem):
            return None if renewed or not callable(self._token) else 0.0
        if tried >= self._retries:
            return None
        backoff = min(LONGEST_WAIT, SHORTEST_WAIT * 2.0**tried) * random.uniform(0.5, 1)  # noqa: S311
        if isinstance(problem, Unreachable):
            return backoff
        if problem.status not in RETRIED and problem.code != "still-running":
            return None
        asked = problem.retry_after or 0.0
        return max(asked, backoff) if asked <= LONGEST_WAIT else None


def _text(value: Any) -> str:
    """Return a query parameter as the API reads it."""
    if isinstance(value, date | UUID):
        return encode(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _expired(problem: Problem | Unreachable | None) -> bool:
    return isinstance(problem, Problem) and problem.code == "token-expired"


def _answer(response: httpx2.Response) -> Any:
    """Return what an answer holds. Raises Problem."""
    is_json = "json" in response.headers.get("Content-Type", "")
    if response.is_success:
        if not is_json:
            return response.text or None
        found = Result(response.json())
        found.etag = response.headers.get("ETag")
        return found
    try:
        problem = response.json() if is_json else {}
    except ValueError:  # cut off
        problem = {}
    wait = response.headers.get("Retry-After", "")
    raise problem_of(response.status_code, problem, float(wait) if wait.isdigit() else None)


class Vibe(_Client, Operations):
    """The API, one operation a method. Close it, or use it in a `with` block."""

    def _connect(self, **how: Any) -> httpx2.Client:
        return httpx2.Client(**how)

    def call(self, method: str, path: str, **how: Any) -> Any:
        """Send one request and return its answer: what all operations do. Raises VibeError."""
        request, tried = self._request(method, path, **how), 0
        problem: Problem | Unreachable | None = None
        while True:
            renewed = _expired(problem)
            token = self._token(renewed) if callable(self._token) else self._token
            request.headers["Authorization"] = f"Bearer {token}"
            try:
                return _answer(self._http.send(request))
            except httpx2.TransportError as error:
                problem = Unreachable(f"No answer from the server: {type(error).__name__}")
            except Problem as refused:
                problem = refused
            wait = self._wait(tried, problem, renewed=renewed)
            if wait is None:
                raise problem
            time.sleep(wait)
            tried += not _expired(problem)

    def pages(self, method: str, path: str, **how: Any) -> Iterator[Any]:
        """Give the items of all pages. A page is read when its first item is asked for."""
        place = "query" if method in READS else "body"
        while True:
            page = self.call(method, path, **how)
            yield from page["items"]
            if page["next"] is None:
                return
            how[place] = {**_without_start(how.get(place) or {}), "cursor": page["next"]}

    def close(self) -> None:
        """Close its connections, which clients of `as_person` share."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncVibe(_Client, AsyncOperations):
    """The API for asyncio, one operation a method. Close it, or use it in an `async with` block."""

    def _connect(self, **how: Any) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**how)

    async def call(self, method: str, path: str, **how: Any) -> Any:
        """Send one request and return its answer: what all operations do. Raises VibeError."""
        request, tried = self._request(method, path, **how), 0
        problem: Problem | Unreachable | None = None
        while True:
            renewed = _expired(problem)
            token = self._token(renewed) if callable(self._token) else self._token
            request.headers["Authorization"] = f"Bearer {await token if inspect.isawaitable(token) else token}"
            try:
                return _answer(await self._http.send(request))
            except httpx2.TransportError as error:
                problem = Unreachable(f"No answer from the server: {type(error).__name__}")
            except Problem as refused:
                problem = refused
            wait = self._wait(tried, problem, renewed=renewed)
            if wait is None:
                raise problem
            await asyncio.sleep(wait)
            tried += not _expired(problem)

    async def pages(self, method: str, path: str, **how: Any) -> AsyncIterator[Any]:
        """Give the items of all pages. A page is read when its first item is asked for."""
        place = "query" if method in READS else "body"
        while True:
            page = await self.call(method, path, **how)
            for item in page["items"]:
                yield item
            if page["next"] is None:
                return
            how[place] = {**_without_start(how.get(place) or {}), "cursor": page["next"]}

    async def close(self) -> None:
        """Close its connections, which clients of `as_person` share."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _without_start(given: dict[str, Any]) -> dict[str, Any]:
    """Return what goes with a cursor: where the first page began does not."""
    return {name: value for name, value in given.items() if name != "around"}
