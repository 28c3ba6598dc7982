"""gunicorn's log as part of ours: same stream, same format, same scrubbing. Requests are logged by us, not by it."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """A logger that passes everything on to the root logger."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        """Log nothing: the line would hold the path and the query."""
