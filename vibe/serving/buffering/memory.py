"""Memory that a large request took, given back to the system."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Final

from django.db import connections

M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
APART: Final = 256 * 1024  # bytes


def keep_large_apart() -> None:
    """Have glibc map whatever is large by itself, and unmap it when it is freed; elsewhere do nothing.

    By itself glibc raises that bound to what was freed last, up to 32 MB, and keeps the rest in each thread's arena.
    What was imported is left out of later collections.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, APART)
    gc.freeze()


def give_back() -> None:
    """Free what only circles hold, such as a request whose error refers to it, and what libpq's buffers grew to.

    They never shrink, so the thread's connections are closed; the next statement opens one.
    """
    connections.close_all()
    gc.collect()
