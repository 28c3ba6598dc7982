"""One request to a receiver: to an address that was checked, within a time limit for all of it, without redirects.

It is the standard library's client on a connection of ours. An HTTP library would look the host up itself, and its time
limits begin anew with each piece, so that a receiver that drips its answer would keep a slot for days.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Final

from accounts.webhooks.addresses import Ip, Target
from vibe.core.errors import VibeError

SECONDS: Final = 10.0  # for looking up, connecting, sending and the head of the answer together
MOST_ADDRESSES: Final = 3  # of a host, that are tried
AGENT: Final = "Vibe-Webhooks/1"
GONE: Final = 410
LONGEST_WAIT: Final = 86_400  # seconds that a Retry-After is believed to ask for


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. `failure` is in words of ours, empty when it was taken; `wait` is in seconds."""

    failure: str = ""
    gone: bool = False
    wait: int = 0


def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float = SECONDS) -> Outcome:
    """Send a webhook. Never raises for what a receiver does. Of the answer only the head is read."""
    ends = time.monotonic() + seconds
    try:
        target = Target.of(url)
        connected = connect(target, target.addresses(seconds), ends)
        with connected, limited(connected, ends):
            outcome = exchange(target, connected, headers, body)
        if time.monotonic() >= ends:  # it was cut off, and what came before may look like all of it
            raise TimeoutError
        return outcome
    except VibeError as refusal:
        return Outcome(str(refusal))
    except ssl.SSLCertVerificationError:
        return Outcome("The certificate of the receiver was not accepted.")
    except (OSError, HTTPException, ValueError) as problem:
        if time.monotonic() >= ends or isinstance(problem, TimeoutError):
            return Outcome(f"The receiver gave no answer within {seconds:g} s.")
        return Outcome(f"The receiver gave no answer: {type(problem).__name__}.")


def connect(target: Target, addresses: list[Ip], ends: float) -> socket.socket:
    """Connect to the first of some checked addresses that takes it. Raises OSError."""
    problem = OSError()
    for address in addresses[:MOST_ADDRESSES]:
        try:
            left = max(0.1, ends - time.monotonic())
            connected = socket.create_connection((str(address), target.port), timeout=left)
        except OSError as refused:
            problem = refused
            continue
        if not target.secure:
            return connected
        return trusted().wrap_socket(connected, server_hostname=target.host, do_handshake_on_connect=False)
    raise problem


def exchange(target: Target, connected: socket.socket, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Send a request over a connection, and read the head of the answer. Raises OSError and HTTPException."""
    if isinstance(connected, ssl.SSLSocket):
        connected.do_handshake()
    kind = HTTPSConnection if target.secure else HTTPConnection
    client = kind(target.host, target.port)
    client.sock = connected
    client.request("POST", target.path, body, {**headers, "User-Agent": AGENT, "Connection": "close"})
    response = client.getresponse()
    return outcome_of(response.status, response.headers.get("Retry-After", ""))


@contextmanager
def limited(connected: socket.socket, ends: float) -> Iterator[None]:
    """End a connection at a time: whatever waits for it then ends with an error."""
    limit = Timer(max(0.0, ends - time.monotonic()), shut_down, [connected])
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


def shut_down(connection: socket.socket) -> None:
    """End a connection that another thread waits for, if it is there. Past TLS, which would wait for the thread."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def outcome_of(status: int, retry_after: str) -> Outcome:
    """Return what a status means. A number of seconds in Retry-After is heeded."""
    if 200 <= status < 300:
        return Outcome()
    wait = int(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 9 else 0
    redirected = " Redirects are not followed: change the address." if 300 <= status < 400 else ""
    return Outcome(f"The receiver answered {status}.{redirected}", status == GONE, min(wait, LONGEST_WAIT))


@cache
def trusted() -> ssl.SSLContext:
    """Return whom to trust about a host's name: the system's authorities, or SSL_CERT_FILE."""
    return ssl.create_default_context()
