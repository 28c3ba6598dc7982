"""Many rows in one statement: what is put in is what lies there, vectors too."""

import numpy as np
import pytest
from django.db import connection
from pgvector import HalfVector

from vibe.core.db.statements import bulk


@pytest.fixture
def table(db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE given (place int, vector halfvec(4), names text[], numbers bigint[])")


def there():
    return bulk.run("SELECT place, vector::text, names, numbers FROM given ORDER BY place", [])


def test_vectors_keep_what_half_precision_holds(table):
    drawn = np.random.default_rng(7).standard_normal((50, 4)).astype(np.float32)
    bulk.insert("given", {"place": ("int4", range(50)), "vector": ("halfvec", [HalfVector(row) for row in drawn])})
    found = [[float(number) for number in text[1:-1].split(",")] for _, text, *_ in there()]
    assert np.array_equal(np.array(found).astype(np.float16), drawn.astype(np.float16))


def test_one_that_is_none_stays_so(table):
    bulk.insert("given", {"place": ("int4", [1, 2]), "vector": ("halfvec", [HalfVector([1.0, 0.5, 0.0, 2.0]), None])})
    bulk.insert("given", {"place": ("int4", [3, 4]), "vector": ("halfvec", [None, None])})
    assert [row[1] for row in there()] == ["[1,0.5,0,2]", None, None, None]


def test_the_type_is_asked_for_once_a_connection(table, monkeypatch):
    asked = []
    fetch = bulk.TypeInfo.fetch
    monkeypatch.setattr(bulk.TypeInfo, "fetch", lambda *given: (asked.append(1), fetch(*given))[1])
    connection.connection.knows_vectors = False
    for place in (1, 2):
        bulk.insert("given", {"place": ("int4", [place]), "vector": ("halfvec", [HalfVector([1.0] * 4)])})
    assert asked == [1]
    connection.connection.knows_vectors = False
    bulk.insert("given", {"place": ("int4", [3]), "vector": ("halfvec", [HalfVector([1.0] * 4)])})
    assert asked == [1, 1], "another connection may lead to another database"


def test_a_vector_of_another_length_is_refused(table):
    from django.db import DataError, transaction

    with pytest.raises(DataError, match="dimensions"), transaction.atomic():
        bulk.insert("given", {"place": ("int4", [1]), "vector": ("halfvec", [HalfVector([1.0] * 3)])})
    assert there() == []


def test_arrays_of_one_and_arrays_as_text(table):
    columns = {"place": ("int4", [1, 2]), "names": ("text[]", ["a,b", '"'])}
    bulk.insert("given", {**columns, "numbers": ("text::bigint[]", ["{1,2}", "{}"])})
    assert there() == [(1, None, ["a,b"], [1, 2]), (2, None, ['"'], [])]
