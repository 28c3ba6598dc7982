"""What crosses the socket between a process and its fenced children: frames, and the plain values in them.

Values are pickled, and read back by an unpickler that makes nothing but plain values, the dataclasses of
`stories.processors.base` and errors of ours: what a child sends cannot run code in the process that holds the keys.
"""

from __future__ import annotations

import io
import pickle  # nosec B403
import socket
import struct
import sys
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from stories.processors import base
from vibe.core.errors import VibeError

HEADER = struct.Struct("!c?Q")
MOST_BYTES = 256 * 1024 * 1024
"""Of one frame. A child that sends more is treated as one that crashed."""
PLAIN = frozenset(
    {
        *(("datetime", name) for name in ("date", "datetime", "timedelta", "timezone")),
        ("uuid", "UUID"),
        ("zoneinfo", "ZoneInfo"),
    }
)


class Kind(Enum):
    """What a frame holds."""

    READY = b"R"
    """A child waits for its first task."""
    TASK = b"T"
    ANSWER = b"A"
    OWN_ERROR = b"O"
    """A VibeError that the processor raised: class, arguments, attributes."""
    OTHER_ERROR = b"E"
    """Any other exception: the name of its type, and nothing else of it."""
    NO_MEMORY = b"M"
    ENDED = b"X"
    """The child ended; sent by the fork server: what `waitpid` says."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message on the socket. `last`: the child takes no further task."""

    kind: Kind
    body: bytes = field(default=b"", repr=False)
    last: bool = False


def send(to: socket.socket, frame: Frame, flags: int = 0) -> None:
    """Send a frame, whole."""
    data = HEADER.pack(frame.kind.value, frame.last, len(frame.body)) + frame.body
    if flags:
        to.send(data, flags)
    else:
        to.sendall(data)


def receive(source: socket.socket) -> Frame:
    """Return the next frame. Raises EOFError if there is none, or not a whole one."""
    kind, last, length = HEADER.unpack(_exactly(source, HEADER.size))
    if length > MOST_BYTES:
        raise EOFError
    return Frame(Kind(kind), _exactly(source, length), last)


def _exactly(source: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view, at = memoryview(data), 0
    while at < length:
        count = source.recv_into(view[at:])
        if not count:
            raise EOFError
        at += count
    return bytes(data)


def dump(value: object) -> bytes:
    """Return a value as bytes."""
    held = io.BytesIO()
    _Pickler(held, protocol=5).dump(value)
    return held.getvalue()


def load(data: bytes) -> Any:
    """Return the value of bytes. Raises UnpicklingError for anything that is not plain."""
    return _Unpickler(io.BytesIO(data)).load()


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: object) -> Any:
        if isinstance(value, ZoneInfo):  # its own way needs `getattr`, which is not to be had on the other side
            return ZoneInfo, (value.key,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = getattr(sys.modules.get(module), name, None)  # nothing is imported because a child says so
        if isinstance(found, type) and (
            (module, name) in PLAIN or (module == base.__name__ and is_dataclass(found)) or issubclass(found, VibeError)
        ):
            return found
        raise pickle.UnpicklingError("A fenced process sent something else than plain values.")
