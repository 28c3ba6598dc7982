"""What ends a fenced build, in words. Messages hold names, numbers and settings, never a word of a conversation.

ProcessorFailed
├── TimedOut       more CPU seconds, or a longer wait, than allowed
├── OutOfMemory    more memory than allowed
├── Crashed        its process ended before it answered
└── Stopped        this process is shutting down
"""

from __future__ import annotations

from stories.processors.errors import ProcessingFailed


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
