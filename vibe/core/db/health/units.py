"""Bytes, seconds and shares as text for people."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))


def size(count: float) -> str:
    """Return bytes as text, such as 1.5 GB. A kilobyte has 1024."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def time(seconds: float) -> str:
    """Return seconds as text, in the two largest units that matter, such as 2 h 5 min."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < MINUTE:
        return f"{seconds:.3g} s"
    rest, parts = int(seconds), []
    for length, unit in STEPS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def share(part: float) -> str:
    """Return a share of 1 as text, such as 99.5 %."""
    return f"{part:.1%}".replace("%", " %")
