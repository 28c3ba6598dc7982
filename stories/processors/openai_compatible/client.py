"""One question to the service: sent, waited for, asked again where that may help. Nothing of it is logged.

A client's own timeout begins anew with each piece read, so a service that drips a byte a second is never too slow; and
nothing bounds how much it sends. The bounds here hold over a whole answer.
"""

from __future__ import annotations

import logging
import math
import random
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, cast

import httpx2
import openai
from django.utils import timezone

from stories.processors.openai_compatible.envelope import Answer, read_answer
from stories.processors.openai_compatible.errors import (
    AccessRefused,
    BadAnswer,
    ProviderBusy,
    ProviderFailed,
    ProviderRefused,
    ProviderSlow,
    ProviderUnreachable,
)
from stories.processors.openai_compatible.service import Service

MOST_BYTES = 32 * 1024 * 1024
"""Of one answer: 64 vectors of 512 numbers are about 700 kB."""

# At DEBUG they log every request, with bodies in some versions, and OPENAI_LOG lets the environment ask for that.
for talkative in ("openai", "httpx2", "httpcore2"):
    logging.getLogger(talkative).setLevel(logging.WARNING)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LEAST_SECONDS = 0.2
"""With less time left nothing is asked again."""
CONNECT_SECONDS = 10.0
LONGEST_AWAY_SECONDS = 86_400.0
"""The longest wait that a Retry-After is believed to ask for."""
MOST_REFUSAL_BYTES = 20_000
"""Of a refusal that are searched for the names of our fields."""
FIELDS = ("max_completion_tokens", "max_tokens", "response_format", "dimensions", "encoding_format")
"""Of a request, that a service may not know: its refusal is searched for them."""

HINTS = {
    400: "The model may not take OPENAI_ANSWER_FORMAT, OPENAI_SEND_DIMENSIONS or so long a conversation "
    "(OPENAI_CONTEXT_CHARACTERS).",
    401: "Check OPENAI_API_KEY.",
    402: "The account has no credit.",
    403: "Check OPENAI_API_KEY and what it may use.",
    404: "Check OPENAI_BASE_URL, OPENAI_TEXT_MODEL and OPENAI_EMBEDDING_MODEL.",
    413: "Lower OPENAI_CONTEXT_CHARACTERS or OPENAI_BATCH.",
}
COME_BACK = frozenset((408, 409, 425, 429))
NO_ACCESS = frozenset((401, 402, 403, 404))
"""No other request would be taken either, until a setting or the account is changed. So would none after a redirect."""
NO_CREDIT = b"insufficient_quota"
"""In a 429 that no waiting changes."""


class Deadline:
    """So many seconds from now, by a clock that nobody sets."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, never fewer than 0."""
        return max(0.0, self.ends - time.monotonic())


class AnswerTooLong(httpx2.RequestError):
    """The answer is longer than anything that was asked for, or packed, which nobody asked for."""

    def __init__(self) -> None:
        super().__init__("The answer is too long, or packed.")


class BoundedStream(httpx2.SyncByteStream):
    """An answer's body that ends in time, or with an error."""

    def __init__(self, inner: httpx2.SyncByteStream, ends: float) -> None:
        self.inner = inner
        self.ends = ends

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self.inner:
            size += len(piece)
            if size > MOST_BYTES:
                raise AnswerTooLong
            if time.monotonic() > self.ends:
                raise httpx2.ReadTimeout("The answer dripped in for longer than the time given.")
            yield piece

    def close(self) -> None:
        self.inner.close()


class BoundedTransport(httpx2.BaseTransport):
    """Gives each request the time of its read timeout, all in all."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        ends = time.monotonic() + request.extensions["timeout"]["read"]
        answer = self.inner.handle_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            answer.close()
            raise AnswerTooLong  # a few bytes could be made to fill the memory
        body = BoundedStream(cast(httpx2.SyncByteStream, answer.stream), ends)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        self.inner.close()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed attempt: what it is, and whether and when to ask again. It holds nothing of request or answer."""

    error: ProviderFailed
    again: bool
    after: float = 0.0
    """Seconds the service asks us to wait."""


class Client:
    """A service, with at most `concurrency` requests of this process at a time. Safe to share between threads."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.slots = threading.BoundedSemaphore(service.concurrency)
        self.openai = openai.OpenAI(
            base_url=service.base_url,
            api_key=service.api_key or "none",
            max_retries=0,  # ours keep to a deadline
            default_headers={"Accept-Encoding": "identity"},
            http_client=httpx2.Client(
                transport=BoundedTransport(httpx2.HTTPTransport(verify=authorities())),
                follow_redirects=False,  # what people said goes where the settings say, and nowhere else
                trust_env=False,
            ),
        )

    def ask(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Answer:
        """POST, and wait out 429, 5xx and broken connections until the deadline.

        Raises a ProviderAway, ProviderRefused, or BadAnswer for what is no JSON.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            outcome = self.attempt(path, body, deadline)
            if isinstance(outcome, Answer):
                return outcome
            # Half of it by chance, so that those who were refused together do not come back together.
            pause = max(outcome.after, wait * random.uniform(0.5, 1.0))  # noqa: S311  # nosec B311
            if not outcome.again or pause + LEAST_SECONDS >= deadline.left:
                raise outcome.error
            time.sleep(pause)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def attempt(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Answer | Trouble:
        """One request: its answer, or what went wrong. Raises BadAnswer for what is no JSON."""
        with self.slot(deadline) as free:
            seconds = min(self.service.timeout, deadline.left)
            if not free or not seconds:
                return Trouble(ProviderBusy("All OPENAI_CONCURRENCY requests of this process were taken."), again=False)
            limits = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
            try:
                response = self.openai.post(path, cast_to=httpx2.Response, body=body, options={"timeout": limits})
            except Exception as problem:  # whatever it is, it may hold what was sent
                return trouble_of(problem, seconds)
        answer = read_answer(response.content)
        status = answer.error_status
        return answer if status is None else refusal(status, response)

    @contextmanager
    def slot(self, deadline: Deadline) -> Iterator[bool]:
        """One of the requests at a time; whether there was one before the deadline."""
        free = self.slots.acquire(timeout=deadline.left)
        try:
            yield free
        finally:
            if free:
                self.slots.release()


@cache
def authorities() -> ssl.SSLContext:
    """Whom to trust about a server's name: the system's, or SSL_CERT_FILE. Reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


@cache
def client_of(service: Service) -> Client:
    """The one client of a service in this process."""
    return Client(service)


def trouble_of(problem: Exception, seconds: float) -> Trouble:
    """What an error of the package means. Nothing of the error itself is kept: it holds request and answer."""
    if isinstance(problem, openai.APIStatusError):
        return refusal(problem.status_code, problem.response)
    if isinstance(problem, openai.APITimeoutError):
        return Trouble(ProviderSlow(f"The service gave no whole answer within {seconds:.1f} s."), again=True)
    if isinstance(problem.__cause__, AnswerTooLong):
        return Trouble(BadAnswer("The service's answer is too long, or packed."), again=False)
    if isinstance(problem, openai.APIConnectionError):
        return Trouble(ProviderUnreachable(), again=True)
    return Trouble(BadAnswer(f"The service's answer is not in the protocol: {type(problem).__name__}."), again=False)


def refusal(status: int, response: httpx2.Response) -> Trouble:
    """What a status other than success means. Of the body only the names of our own fields are taken."""
    said = response.content[:MOST_REFUSAL_BYTES]
    meant = 402 if status == 429 and NO_CREDIT in said else status
    if meant in COME_BACK or meant >= 500:
        after = seconds_of(response.headers.get("retry-after", ""))
        busy = ProviderBusy(f"The service answers {status}.", again_at=time_after(after))
        return Trouble(busy, again=True, after=after)
    if meant in NO_ACCESS or meant < 400:
        hint = HINTS.get(meant, "Redirects are not followed.")
        return Trouble(AccessRefused(f"The service answers {status}. {hint}"), again=False)
    text = f"The service answers {status}. {HINTS.get(meant, HINTS[400])}"
    named = (name for name in FIELDS if name.encode() in said)
    return Trouble(ProviderRefused(text, fields=named), again=False)


def time_after(seconds: float) -> datetime | None:
    """The time that a service asks us to wait for, a day ahead at most; None where it does not ask."""
    return timezone.now() + timedelta(seconds=min(seconds, LONGEST_AWAY_SECONDS)) if seconds else None


def seconds_of(retry_after: str) -> float:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3), a number or a date; 0 for anything else."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = seconds_until(retry_after)
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
        return (moment - timezone.now()).total_seconds()
    except (TypeError, ValueError, OverflowError):  # no date, or one without a zone
        return 0.0
