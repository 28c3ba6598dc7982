"""Make stories/processors/offline/names/given_names.txt from a copy of Faker, https://github.com/joke2k/faker.

    python -m scripts.make_given_names FOLDER

FOLDER holds the package's `providers`. The same version gives the same file, byte by byte.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from stories.processors.offline.names.candidates import is_common
from stories.processors.offline.names.gazetteer import LARGE_CITY, find, folded
from stories.processors.offline.names.given_names import AMBIGUOUS_NAMES, FILE, GIVEN_NAMES
from stories.processors.offline.names.lexicon import NOT_PEOPLE
from stories.processors.offline.words import listed

LICENCE = """\
# Given names of many languages in Latin letters, from Faker, https://github.com/joke2k/faker.
# Changed by us: names that are larger cities or ordinary words left out. Made by scripts/make_given_names.py.
# Copyright (c) 2012 Daniele Faraglia
#
# Permission is hereby granted, free of charge, to any person obtaining a copy
# of this software and associated documentation files (the "Software"), to deal
# in the Software without restriction, including without limitation the rights
# to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
# copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in
# all copies or substantial portions of the Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
# IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
# FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
# AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
# LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
# OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
# THE SOFTWARE.
"""
ORDINARY = listed(
    """add ade almond alpha among angel ants arch art author autumn baker bale banks beat bell bent bird birdie bishop
    blessing bliss blossom boss brain branch brown bud bunk burns buster cadence canal candy canyon cap captain
    carry case cash chance charity cherish cherry chin chip cinnamon clay cliff comfort con conn constant coral
    council del destiny dev doc doctor doll dom dot dove dusty early echo edit emerald emit emory era eres essence
    exa fairy fancy fares fate fed fleur floor flora forest forum foster friend fuller gauge gay gene general geo
    golden grant gray green greet grit gun hall ham handy hardy harm harmony harsh haven heli hence hill hung hunt
    icy ide indi ine ines ion ize jet job joke journey judge junior justice katana kick king kitty lady lavender
    lawyer leafy lean leaner lemon lies lind line link loan lone loyal lue mad major manning marine martial mat math
    media mentor mercy meta mile miner minor mist nail neo nil noble north nova ove owe page park patience peace
    peer pepper per pier pink pleasant porter precious press price prince purity rand reason red rice rich ridge
    river rock rocky roll rush rut sage santa serenity server shade silver sim sincere sing sister skip sky sole son
    spring stone stonewall storm summer sunny sys tab tea til tiny tone toy trace treasure tutu unique unknown urban
    valid valves veer vega velvet ver victory von ward wash west windy wing winter wood worth yoga young"""
)
"""English words that are given names too."""
NAME = re.compile(r"[A-ZÀ-ÞĀ-Ž][a-zß-ÿā-žǎ-ǿə]{2,14}")


def main(folder: Path, file: Path = FILE) -> None:
    """Write the file and print its size."""
    names = sorted(set(kept(folder)))
    file.write_text(LICENCE + "".join(f"{name}\n" for name in names), encoding="utf-8", newline="\n")
    print(f"{file}: {len(names):,} names, {file.stat().st_size:,} bytes")


def kept(folder: Path) -> Iterator[str]:
    """Return the names that are hardly anything else, and are not on the list that we have."""
    for name in all_names(folder):
        place = find(folded(name))
        word = name.lower() in ORDINARY | NOT_PEOPLE or is_common(name)
        other = word or name in AMBIGUOUS_NAMES | GIVEN_NAMES
        if NAME.fullmatch(name) and not other and not (place and place.size >= LARGE_CITY):
            yield name


def all_names(folder: Path) -> Iterator[str]:
    """Return the strings of every list of given names, whatever the locale."""
    for source in sorted(folder.glob("providers/person/*/__init__.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(each, ast.Name) and each.id.startswith("first_name") for each in targets):
                    values = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
                    yield from (value for value in values if isinstance(value, str))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
