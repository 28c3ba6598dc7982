"""The errors of any processor or embedder: whether to try again, when, and why, in words that staff may read.

ProcessingFailed
└── ProcessorFailed   of one that works in a child process
    ├── TimedOut      more CPU seconds, or a longer wait, than allowed
    ├── OutOfMemory   more memory than allowed
    ├── Crashed       its process ended before it answered
    └── Stopped       this process is shutting down
"""

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


class ProcessorFailed(ProcessingFailed):
    message = "The processor failed. Check STORY_PROCESSOR."
    code = "processor-failed"


class TimedOut(ProcessorFailed):
    message = "The processor took too long. See PROCESSOR_CPU_SECONDS and PROCESSOR_WALL_SECONDS."
    code = "processor-timed-out"


class OutOfMemory(ProcessorFailed):
    message = "The processor took too much memory. See PROCESSOR_MEMORY_MB."
    code = "processor-out-of-memory"


class Crashed(ProcessorFailed):
    message = "The process of the processor ended before it answered."
    code = "processor-crashed"


class Stopped(ProcessorFailed):
    message = "The build was ended because this process is shutting down. It is made by the next one."
    code = "processor-stopped"
    away = True
