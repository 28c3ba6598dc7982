"""The error of any processor or embedder: whether to try again, when, and why, in words that staff may read."""

from __future__ import annotations

from datetime import datetime

from vibe.core.errors import VibeError


class ProcessingFailed(VibeError):
    """No story or no vectors. Its message holds numbers and names of settings, never a word of what people said.

    It can be pickled, as processors run in processes of their own.
    """

    message = "The processor or the embedder failed."
    code = "processing-failed"
    status = 503
    away = False
    """Whether the cause lies outside the input: put the work off, and count no try. Otherwise the input is at fault."""

    def __init__(self, message: str | None = None, *, again_at: datetime | None = None) -> None:
        super().__init__(message)
        self.again_at = again_at
        """The earliest time at which trying again can help, aware; None where nobody knows."""
