"""Make stories/text/stop_words.txt from a clone of Snowball's website, https://github.com/snowballstem/snowball-website.

    python -m scripts.make_stop_words CLONE

The same clone gives the same file, byte by byte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from stories.text.languages import ENGLISH, STEMMERS
from stories.text.words import FILE

LICENCE = """\
# Stop words by Snowball, https://snowballstem.org: a language a line, a tab before its words.
# Copyright (c) 2001, Dr Martin Porter. Copyright (c) 2002, Richard Boulton. All rights reserved.
# Under the 3-clause BSD licence, https://snowballstem.org/license.html, without warranty.
# Changed by us: comments left out. Made by scripts/make_stop_words.py.
"""


def main(clone: Path, file: Path = FILE) -> None:
    """Write the file and print its size."""
    file.write_text(LICENCE + "".join(f"{line}\n" for line in lines(clone)), encoding="utf-8", newline="\n")
    print(f"{file}: {file.stat().st_size:,} bytes")


def lines(clone: Path) -> Iterator[str]:
    """Return a line for each language that we tell, apart from English, whose stop words are our own."""
    for source in sorted(clone.glob("algorithms/*/stop.txt")):
        language = source.parent.name
        if language in STEMMERS.values() and language != ENGLISH:
            listed = source.read_text(encoding="utf-8").splitlines()
            words = sorted({word for line in listed for word in line.partition("|")[0].split()})
            yield f"{language}\t{' '.join(words)}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
