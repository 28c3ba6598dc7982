"""gunicorn's log as part of ours: same stream, same form, same care. It keeps no log of requests; we do."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Hands everything to the root logger."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        """Nothing: its line would hold the path and the query."""
