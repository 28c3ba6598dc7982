"""HTTP with bounds that hold over a whole answer.

A client's own timeout begins anew with each piece read, so a service that drips a byte a second is never too slow; and
nothing bounds how much it sends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import httpx2

MOST_BYTES = 32 * 1024 * 1024
"""Of one answer: 64 vectors of 512 numbers are about 700 kB."""


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
