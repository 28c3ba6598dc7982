"""Progress bars on a terminal, one a step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Self

from tqdm import tqdm


class Bars:
    """Called with a step's name and bytes (0: unknown), returns their counter. Silent without a terminal."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __call__(self, step: str, total: int) -> Any:
        bar = tqdm(total=total or None, desc=step, unit="B", unit_scale=True, disable=None)
        self._open.callback(bar.close)
        return bar.update

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
