"""LangGraph's store in a person's memory, as LangGraph's own tests have it; those run too where they are at hand."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from tests.clients.conftest import Live
from tests.clients.test_examples import blocks, meant, set_in
from tests.processes import PROJECT
from vibe_client import Vibe
from vibe_client.fake import FakeVibe
from vibe_client.langgraph import LONGEST_VALUE, VibeStore

THEIRS = "libs/checkpoint-postgres/tests/test_store.py"
OF_THEIRS = ("langgraph.store.postgres", "langgraph.store.postgres.base", "tests.conftest")
OF_POSTGRES = ("postgres", "ttl", "expired", "escape", "pattern", "migrations")


@pytest.fixture
def real_store(live: Live) -> VibeStore:
    return VibeStore(Vibe(live.address, live.person()[1]))


@pytest.fixture
def store() -> VibeStore:
    """On the fake, which is compared with the server."""
    return VibeStore(Vibe("https://memory.example", "x", transport=FakeVibe()))


def keys(found: Any) -> set[str]:
    return {item.key for item in found}


def test_an_item_is_put_changed_read_and_deleted(real_store: VibeStore) -> None:
    store = real_store
    value = {"title": "Küche", "nested": {"list": [1, 2.5, None, True]}, "text": "🐈"}
    store.put(("ada", "documents"), "doc1", value)
    first = store.get(("ada", "documents"), "doc1")
    assert isinstance(first, Item)
    assert (first.namespace, first.key, first.value) == (("ada", "documents"), "doc1", value)
    store.put(("ada", "documents"), "doc1", {"title": "New"})
    second = store.get(("ada", "documents"), "doc1")
    assert second
    assert second.value == {"title": "New"}
    assert (second.created_at, second.updated_at > first.updated_at) == (first.created_at, True)
    assert store.get(("ada", "other"), "doc1") is store.get(("ada", "documents"), "doc2") is None
    store.delete(("ada", "documents"), "doc1")
    store.delete(("ada", "documents"), "doc1")
    assert store.get(("ada", "documents"), "doc1") is None
    assert store.list_namespaces() == []


def test_a_batch_answers_in_order_and_puts_the_last(store: VibeStore) -> None:
    store.put(("test", "foo"), "key1", {"data": "value1"})
    got, put, twice, found, names, missing = store.batch(
        [
            GetOp(("test", "foo"), "key1"),
            PutOp(("test", "bar"), "key2", {"data": "first"}),
            PutOp(("test", "bar"), "key2", {"data": "last"}),
            SearchOp(("test",), filter={"data": "value1"}),
            ListNamespacesOp(),
            GetOp(("test",), "key3"),
        ]
    )
    assert isinstance(got, Item)
    assert got.value == {"data": "value1"}
    assert put is twice is missing is None
    assert keys(found) == {"key1"}
    assert names == [("test", "foo")]
    assert store.get(("test", "bar"), "key2").value == {"data": "last"}  # type: ignore[union-attr]


def test_namespaces_are_listed_by_their_labels(store: VibeStore) -> None:
    every = [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "c", "f"), ("b", "a", "f"), ("ab",)]
    store.batch([PutOp(namespace, "x", {"v": 1}) for namespace in every])
    assert store.list_namespaces() == sorted(every)
    assert store.list_namespaces(prefix=("a", "b")) == [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i")]
    assert store.list_namespaces(prefix=("a",), suffix=("f",)) == [("a", "c", "f")]
    assert store.list_namespaces(prefix=("a", "*", "f")) == [("a", "c", "f")]
    assert store.list_namespaces(suffix=("*", "f")) == [("a", "c", "f"), ("b", "a", "f")]
    assert store.list_namespaces(prefix=("a", "b"), max_depth=3) == [("a", "b", "c"), ("a", "b", "d")]
    assert store.list_namespaces(limit=2, offset=1) == [("a", "b", "d", "e"), ("a", "b", "d", "i")]
    assert store.list_namespaces(prefix=("nobody",)) == []
    assert store.batch([ListNamespacesOp((MatchCondition("suffix", ("e",)),))]) == [[("a", "b", "d", "e")]]
    found = {item.namespace for item in store.search(("a",), limit=100)}
    assert found == {each for each in every if each[0] == "a"}
    assert {item.namespace for item in store.search((), limit=100)} == set(every)


def test_a_search_filters_compares_and_pages(store: VibeStore) -> None:
    values = [{"tag": "a", "n": number, "in": {"deep": number % 2}} for number in range(5)]
    store.batch([PutOp(("test", str(each["n"])), f"k{each['n']}", each) for each in values])
    assert keys(store.search(("test",), filter={"tag": "a", "n": 3})) == {"k3"}
    assert keys(store.search(("test",), filter={"in": {"deep": 1}})) == {"k1", "k3"}
    assert keys(store.search(("test",), filter={"n": {"$gte": 1, "$lt": 4, "$ne": 2}})) == {"k1", "k3"}
    assert keys(store.search(("test",), filter={"n": {"$gt": 3}})) == {"k4"}
    assert keys(store.search(("test",), filter={"absent": {"$lte": 3}})) == set()
    assert [item.key for item in store.search(("test",), limit=2, offset=1)] == ["k3", "k2"]
    assert store.search(("test", "1"))[0].score is None
    with pytest.raises(ValueError, match=r"\$eq"):
        store.search(("test",), filter={"n": {"$like": 1}})


def test_a_query_finds_by_meaning_within_its_prefix(real_store: VibeStore) -> None:
    store = real_store
    store.put(("ada", "food"), "pizza", {"text": "She loves pizza with olives."})
    store.put(("ada", "food"), "secret", {"text": "She also loves pizza with pineapple."}, index=False)
    store.put(("ada", "work"), "job", {"text": "She works as a carpenter."})
    store.put(("ada", "work"), "copy", {"text": "She works as a carpenter."})
    store.put(("jonas", "food"), "pizza", {"text": "He hates pizza."})
    found = store.search(("ada",), query="What pizza does she like?")
    assert (found[0].key, found[0].score is not None) == ("pizza", True)
    assert {item.namespace[0] for item in found} == {"ada"}
    assert keys(found) == {"pizza", "job", "copy"}
    assert keys(store.search(("ada",), query="pizza", filter={"text": "She works as a carpenter."})) == {"job", "copy"}
    assert len(store.search(("ada",), query="pizza", limit=1, offset=1)) == 1


def test_all_of_it_without_blocking(store: VibeStore) -> None:
    async def talk() -> None:
        await store.aput(("a",), "k", {"v": 1})
        assert (await store.aget(("a",), "k")).value == {"v": 1}  # type: ignore[union-attr]
        assert keys(await store.asearch(("a",))) == {"k"}
        await store.adelete(("a",), "k")
        assert await store.alist_namespaces() == []

    asyncio.run(talk())


def test_what_cannot_be_put_is_refused_and_what_is_long_is_found_at_once(real_store: VibeStore) -> None:
    store = real_store
    for wrong in ((), ("a.b",), ("",), ("langgraph",)):
        with pytest.raises(InvalidNamespaceError):
            store.put(wrong, "k", {"v": 1})
    with pytest.raises(ValueError, match="Split the value"):
        store.put(("a",), "k", {"v": "x" * LONGEST_VALUE})
    with pytest.raises(ValueError, match="shorten the names"):
        store.put(("a",), "k" * 1001, {"v": 1})
    with pytest.raises(NotImplementedError):
        store.put(("a",), "k", {"v": 1}, ttl=1)
    long = {"v": "A word. " * 1_990}
    deep = tuple(f"label-{number}" for number in range(20))
    store.put(deep, "k" * 500, long)
    assert store.get(deep, "k" * 500).value == long  # type: ignore[union-attr]
    assert [each.value for each in store.search(deep[:15])] == [long]
    assert store.search((*deep[:14], "other")) == []


def test_a_conversation_that_was_deleted_meanwhile_is_begun_again() -> None:
    vibe = Vibe("https://memory.example", "x", transport=FakeVibe())
    store = VibeStore(vibe)
    store.put(("a",), "k", {"v": 1})
    for each in vibe.list_conversations():
        vibe.delete_conversation(each["id"])
    store.put(("a",), "k", {"v": 2})
    assert store.get(("a",), "k").value == {"v": 2}  # type: ignore[union-attr]


def test_stores_and_people_are_apart() -> None:
    bot = Vibe("https://memory.example", "x", transport=FakeVibe())
    store = VibeStore(bot, person=lambda namespace: f"uid:{namespace[0]}")
    other = VibeStore(bot, companion="other", person=lambda namespace: f"uid:{namespace[0]}")
    store.put(("ada", "food"), "k", {"v": 1})
    assert keys(store.search(("ada",))) == {"k"}
    assert [each["companion"] for each in bot.as_person("uid:ada").list_conversations()] == ["langgraph"]
    assert other.search(("ada",)) == store.search(("jonas",)) == []
    assert store.list_namespaces(prefix=("ada",)) == [("ada", "food")]


def test_the_example_runs(live: Live) -> None:
    [text] = [each for each in blocks(PROJECT / "clients/python/README.md", "python") if "VibeStore" in each]
    ada = Vibe(live.address, live.person()[1])
    exec(set_in(text, meant(live)), {"ada": ada})  # noqa: S102
    assert [each["companion"] for each in ada.list_conversations()] == ["langgraph"]


def their_tests() -> dict[str, Callable[[VibeStore], None]]:
    """LangGraph's own tests of its store on PostgreSQL, without those of what is PostgreSQL's or that wait."""
    checkout = os.environ.get("VIBE_LANGGRAPH", "")
    if not checkout:
        return {}
    members = (
        "PostgresStore",
        "_escape_like_literal",
        "_namespace_match_pattern",
        "DEFAULT_URI",
        "CharacterEmbeddings",
    )
    stubs = {name: ModuleType(name) for name in OF_THEIRS}
    for stub in stubs.values():
        vars(stub).update(dict.fromkeys(members), VECTOR_TYPES=["vector"])
    scope: dict[str, Any] = {"__name__": "theirs"}
    with mock.patch.dict(sys.modules, stubs):
        exec(compile((Path(checkout) / THEIRS).read_text(), THEIRS, "exec"), scope)  # noqa: S102
    return {
        name: each
        for name, each in scope.items()
        if name.startswith("test_")
        and list(inspect.signature(each).parameters) == ["store"]
        and not any(word in name for word in OF_POSTGRES)
    }


THEIR_TESTS = their_tests()


@pytest.mark.skipif(not THEIR_TESTS, reason="LangGraph's own tests: set VIBE_LANGGRAPH to a checkout of LangGraph")
@pytest.mark.parametrize("name", THEIR_TESTS or ["none"])
def test_langgraphs_own(real_store: VibeStore, name: str) -> None:
    THEIR_TESTS[name](real_store)
