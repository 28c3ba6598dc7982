"""Who wants to know how often is sealed and opened, and how often that fails. Counts only: never what, or whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Operation = Literal["seal", "open", "wrap", "unwrap"]
Watcher = Callable[[Operation, int, bool], None]  # what was done, how often, and whether it went well

_watchers: list[Watcher] = []


def add_observer(watcher: Watcher) -> None:
    """Tell it from now on."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def notify(operation: Operation, times: int, *, well: bool = True) -> None:
    """Tell everybody who watches."""
    for watcher in _watchers:
        watcher(operation, times, well)
