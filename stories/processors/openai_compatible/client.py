"""One question to the service: sent, waited for, asked again where that may help. Nothing of it is logged."""

from __future__ import annotations

import json
import logging
import math
import random
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, NoReturn

import httpx2
import openai
from django.utils import timezone

from stories.processors.openai_compatible.deadline import Deadline
from stories.processors.openai_compatible.errors import (
    BadAnswer,
    ProviderBusy,
    ProviderFailed,
    ProviderRefused,
    ProviderSlow,
    ProviderUnreachable,
)
from stories.processors.openai_compatible.service import Service
from stories.processors.openai_compatible.transport import AnswerTooLong, BoundedTransport

# At DEBUG they log every request, with bodies in some versions, and OPENAI_LOG lets the environment ask for that.
for talkative in ("openai", "httpx2", "httpcore2"):
    logging.getLogger(talkative).setLevel(logging.WARNING)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LEAST_SECONDS = 0.2
"""With less time left nothing is asked again."""
CONNECT_SECONDS = 10.0
MOST_TOKENS = 10_000_000
"""Of one answer that are believed."""

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


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object from the service, and the tokens it says it took; None where it does not say."""

    body: Mapping[str, Any] = field(repr=False)
    tokens: int | None


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

        Raises ProviderUnreachable, ProviderSlow, ProviderBusy or ProviderRefused, and BadAnswer for what is no JSON.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            outcome = self.attempt(path, body, deadline)
            if isinstance(outcome, bytes):
                return read_answer(outcome)
            # Half of it by chance, so that those who were refused together do not come back together.
            pause = max(outcome.after, wait * random.uniform(0.5, 1.0))  # noqa: S311  # nosec B311
            if not outcome.again or pause + LEAST_SECONDS >= deadline.left:
                raise outcome.error
            time.sleep(pause)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def attempt(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> bytes | Trouble:
        """One request: the bytes of its answer, or what went wrong."""
        with self.slot(deadline) as free:
            seconds = min(self.service.timeout, deadline.left)
            if not free or not seconds:
                return Trouble(ProviderBusy("All OPENAI_CONCURRENCY requests of this process were taken."), again=False)
            limits = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
            try:
                answer = self.openai.post(path, cast_to=httpx2.Response, body=body, options={"timeout": limits})
            except Exception as problem:  # whatever it is, it may hold what was sent
                return trouble_of(problem, seconds)
            return answer.content

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
        return refusal(problem.status_code, problem.response.headers.get("retry-after", ""))
    if isinstance(problem, openai.APITimeoutError):
        return Trouble(ProviderSlow(f"The service gave no whole answer within {seconds:.1f} s."), again=True)
    if isinstance(problem.__cause__, AnswerTooLong):
        return Trouble(BadAnswer("The service's answer is too long, or packed."), again=False)
    if isinstance(problem, openai.APIConnectionError):
        return Trouble(ProviderUnreachable(), again=True)
    return Trouble(BadAnswer(f"The service's answer is not in the protocol: {type(problem).__name__}."), again=False)


def refusal(status: int, retry_after: str) -> Trouble:
    """What a status other than success means."""
    if status in COME_BACK or status >= 500:
        return Trouble(ProviderBusy(f"The service answers {status}."), again=True, after=seconds_of(retry_after))
    hint = HINTS.get(status, "Redirects are not followed." if status < 400 else HINTS[400])
    return Trouble(ProviderRefused(f"The service answers {status}. {hint}"), again=False)


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


def read_answer(content: bytes) -> Answer:
    """The protocol's envelope: a JSON object. Unknown fields in it are let be."""
    body = read_json(content)
    if not isinstance(body, dict):
        raise BadAnswer("The service's answer is not a JSON object.")
    usage = body.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return Answer(body, tokens if type(tokens) is int and 0 <= tokens <= MOST_TOKENS else None)


def read_json(text: bytes | str) -> object:
    """Strict JSON: neither cut short, nor with NaN. Raises BadAnswer, which holds nothing of it."""
    try:
        return json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError):
        pass
    raise BadAnswer("The service's answer is not whole, valid JSON.")


def no_number(_: str) -> NoReturn:
    raise ValueError
