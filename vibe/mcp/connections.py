"""Connections of the server for agents: those on which no request comes are closed."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10


class Connection(H11Protocol):
    """uvicorn's, with a time limit for the header of each request: by itself it waits for ever for the rest of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        """Begin to wait for the next one."""
        super().on_response_complete()
        self._wait_for_request()

    def _wait_for_request(self) -> None:
        self.loop.call_later(HEAD_SECONDS, self._close_if_still_at, self.cycle)

    def _close_if_still_at(self, request: Any) -> None:
        """Close if the last request is still this one, which is answered, or none."""
        if self.cycle is request and not self.transport.is_closing():
            self.transport.close()
