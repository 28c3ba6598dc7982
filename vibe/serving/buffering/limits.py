"""What a client of the web server may take, of time and of each process."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 10
LINGER_SECONDS: Final = 2
LEAST_SPEED: Final = 4 * 1024  # bytes a second, of bodies and answers
FIRST_SPEED: Final = 4 * LEAST_SPEED  # taken for granted at first: who stalls at once is late after 14 s
TOP_SPEED: Final = 64 * LEAST_SPEED  # counted at most: who was quick and stalls is late after 42 s
SPEED_SECONDS: Final = 10  # over which speed is averaged
SWEEP_SECONDS: Final = 0.5
SWITCH_SECONDS: Final = 0.001  # Python's own 0.005 makes a probe wait for eight busy threads, 40 ms each time

CONNECTIONS: Final = 1000  # of a process
OWN_FILES: Final = 200  # of a process: connections to the database, logs, metrics
BODIES: Final = 64 * 1024 * 1024  # bytes of bodies that a process holds
LARGE: Final = 256 * 1024  # bytes of a body; of those beyond it one is worked on at a time
ANSWERS: Final = 32 * 1024 * 1024  # bytes of answers that a process holds for slow readers
ANSWER: Final = 2 * 1024 * 1024  # bytes of one answer, beyond which its thread waits
AT_ONCE: Final = 256 * 1024  # bytes read at once
