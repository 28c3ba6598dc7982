"""A gazetteer in memory: names of cities, countries, states and regions, from the files in `geonames`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from stories.processors.offline.names.given_names import GIVEN_NAMES
from stories.processors.offline.names.place_words import ORDINARY_NAMES, REGIONS, SHORT_NAMES
from vibe.core.folding import fold

GEONAMES: Final = Path(__file__).with_name("geonames")
LARGE_CITY = 100_000  # inhabitants; known by its bare name
GREAT_CITY = 1_000_000  # inhabitants; known even without a capital
LONGEST_PLACE = 5  # words
CONTINENTS = ("Africa", "Asia", "Europe", "Oceania")


@dataclass(frozen=True, slots=True)
class Place:
    """`size` is in inhabitants for a city (whole thousands), and above every city for what is larger than one."""

    name: str
    size: int
    is_city: bool
    ambiguous: bool


def folded(name: str) -> str:
    """Lower case without accents or full stops, to look up by."""
    return fold(name.replace(".", ""))


def find(key: str) -> Place | None:
    """Return the place whose folded name is `key`. Of a city and something larger it is the larger."""
    if area := areas().get(key):
        return area
    if city := cities().get(key):
        name, _, thousands = city.partition("\t")
        return Place(name, int(thousands) * 1000, True, is_ambiguous(name))
    return None


def is_ambiguous(name: str) -> bool:
    return folded(name) in ORDINARY_NAMES or name.split(maxsplit=1)[0] in GIVEN_NAMES


@lru_cache(maxsize=1)
def cities() -> dict[str, str]:
    """Return the lines of cities.tsv by folded name. `find` parses a line; parsing all of them takes twice the time."""
    return {folded(line.partition("\t")[0]): line for line in lines("cities.tsv")}


@lru_cache(maxsize=1)
def areas() -> dict[str, Place]:
    """Return what is larger than a city, by folded name."""
    states = (line.partition("\t")[2] for line in lines("us_states.tsv"))
    names = {name: name for name in (*lines("countries.txt"), *states, *CONTINENTS, *REGIONS)} | SHORT_NAMES
    return {
        folded(short.removeprefix("the ")): Place(name.removeprefix("the "), 10**10, False, is_ambiguous(short))
        for short, name in names.items()
    }


@lru_cache(maxsize=1)
def state_codes() -> frozenset[str]:
    return frozenset(line.partition("\t")[0] for line in lines("us_states.tsv"))


def lines(file: str) -> list[str]:
    return (GEONAMES / file).read_text(encoding="utf-8").removesuffix("\n").split("\n")
