"""A LangGraph store in one person's memory: what a graph keeps is sealed, isolated and searched like what is said.

    graph = builder.compile(store=VibeStore(vibe.as_person("uid:telegram:5512")))

An item is a memory by the author `langgraph` with the role `tool`: its text is the value as JSON, its key and namespace
are in the metadata. A namespace is a conversation. Their ids, stored in clear, are hashes, by which whoever knows a
name can recognise it. Items are kept apart from the app's own conversations by a companion of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import operator
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from vibe_client import types
from vibe_client.client import Vibe
from vibe_client.errors import NotFound

Namespace = tuple[str, ...]
Kind = TypeVar("Kind", Item, SearchItem)
LONGEST_VALUE = 16_000  # characters as JSON: what the server indexes as it is put, so that it is found at once
LONGEST_NAME = 1_000  # characters of namespace and key
DEEPEST = 10  # labels of a prefix by which the server narrows; what is below is narrowed here
MOST_FOUND = 100
AT_ONCE = 16  # items that one request asks for
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": lambda one, other: float(one) > float(other),
    "$gte": lambda one, other: float(one) >= float(other),
    "$lt": lambda one, other: float(one) < float(other),
    "$lte": lambda one, other: float(one) <= float(other),
}


class VibeStore(BaseStore):
    """A store for one person, or with `person` for many: it is given a namespace and returns whose that is.

    `companion` keeps the items of one store apart from those of another. A filter is applied here, so a search with one
    and without a query reads the items under its prefix until enough fit; with a query, the best 100. A query searches
    whole values, whatever fields `index` names; with `index=False` it passes over the item. There is no TTL.
    """

    supports_ttl = False

    def __init__(
        self, vibe: Vibe, *, companion: str = "langgraph", person: Callable[[Namespace], str] | None = None
    ) -> None:
        self._vibe, self._companion, self._person = vibe, companion, person
        self._conversations: dict[str, str] = {}

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do several things: first everything that reads, then everything that writes, of one item the last."""
        ops = list(ops)
        results = [self._read(op) for op in ops]
        last = {_item_id(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        for op in last.values():
            self._put(op)
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do several things, in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            [*found] = self._items(self._of(op.namespace), [_item_id(op.namespace, op.key)])
            return _shown(Item, found[0]) if found else None
        if isinstance(op, SearchOp):
            return list(self._search(op))
        return self._list_namespaces(op) if isinstance(op, ListNamespacesOp) else None

    def _of(self, namespace: Namespace) -> Vibe:
        return self._vibe.as_person(self._person(namespace)) if self._person else self._vibe

    def _items(self, vibe: Vibe, ids: list[str]) -> Iterator[types.Memory]:
        """Give the items of these ids that are there, in this order."""
        for start in range(0, len(ids), AT_ONCE):
            choices: list[dict[str, Any]] = [{"item": id} for id in ids[start : start + AT_ONCE]]
            pages = vibe.filter_memories(companion=self._companion, metadata_any=choices)
            found = {each["message_ids"][0]: each for each in pages}
            yield from (found[id] for id in ids[start : start + AT_ONCE] if id in found)

    def _put(self, op: PutOp) -> None:
        vibe, id = self._of(op.namespace), _item_id(op.namespace, op.key)
        if op.value is None:
            for memory in self._items(vibe, [id]):
                vibe.delete_memory(memory["id"])
            return
        text, names = _json(op.value), {"namespace": _json(op.namespace), "key": op.key}
        if len(text) > LONGEST_VALUE or len("".join(names.values())) > LONGEST_NAME:
            raise ValueError(
                f"A value has {LONGEST_VALUE:,} characters at most as JSON, namespace and key {LONGEST_NAME:,}. "
                "Split the value, or shorten the names."
            )
        depths = range(1, min(len(op.namespace), DEEPEST) + 1)
        within = {f"in{depth}": _digest(op.namespace[:depth]) for depth in depths}
        metadata: dict[str, Any] = {"item": id, "index": op.index is not False, **within, **names}
        external_id = f"langgraph:{_digest((self._companion, *op.namespace))}"
        try:
            conversation = self._conversation(vibe, external_id, names["namespace"])
            vibe.put_memory(conversation, id, author="langgraph", role="tool", text=text, metadata=metadata)
        except NotFound:  # the conversation was deleted meanwhile
            del self._conversations[external_id]
            conversation = self._conversation(vibe, external_id, names["namespace"])
            vibe.put_memory(conversation, id, author="langgraph", role="tool", text=text, metadata=metadata)

    def _conversation(self, vibe: Vibe, external_id: str, title: str) -> str:
        if external_id not in self._conversations:
            made = vibe.ensure_conversation(external_id, companion=self._companion, title=title)
            self._conversations[external_id] = made["id"]
        return self._conversations[external_id]

    def _search(self, op: SearchOp) -> Iterator[SearchItem]:
        vibe, depth, end = self._of(op.namespace_prefix), min(len(op.namespace_prefix), DEEPEST), op.offset + op.limit
        within: dict[str, Any] = {f"in{depth}": _digest(op.namespace_prefix[:depth])} if depth else {}
        scores: dict[str, float | None] = {}
        memories: Iterator[types.Memory]
        if op.query:
            hits = vibe.search_memories(
                question=op.query, limit=MOST_FOUND, companion=self._companion, metadata={"index": True, **within}
            )
            for hit in hits["items"]:
                same = [vibe.get_memory(copy["id"])["message_ids"][0] for copy in hit["copies"]]
                scores |= dict.fromkeys([hit["message_ids"][0], *same], hit["score"])
            memories = self._items(vibe, list(scores))
        else:
            memories = vibe.filter_memories(companion=self._companion, metadata=within, limit=max(1, min(end, 200)))
        items = (_shown(SearchItem, each, score=scores.get(each["message_ids"][0])) for each in memories)
        under = (each for each in items if each.namespace[: len(op.namespace_prefix)] == tuple(op.namespace_prefix))
        return islice((each for each in under if _fits(each.value, op.filter)), op.offset, end)

    def _list_namespaces(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefix = next((tuple(each.path) for each in conditions if each.match_type == "prefix"), ())
        filled = (
            each
            for each in self._of(prefix).list_conversations(companion=self._companion, limit=200)
            if each["memory_count"]
        )
        named = (tuple(json.loads(each["title"] or "[]")) for each in filled)
        found = {each[: op.max_depth] for each in named if all(_matches(condition, each) for condition in conditions)}
        return sorted(found)[op.offset : op.offset + op.limit]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _digest(names: Namespace) -> str:
    return hashlib.sha256(_json(names).encode()).hexdigest()[:32]


def _item_id(namespace: Namespace, key: str) -> str:
    return _digest((*namespace, "", key))


def _shown(kind: type[Kind], memory: types.Memory, **more: Any) -> Kind:
    return kind(
        value=json.loads(memory["text"]),
        key=str(memory["metadata"]["key"]),
        namespace=tuple(json.loads(str(memory["metadata"]["namespace"]))),
        created_at=datetime.fromisoformat(memory["created_at"]),
        updated_at=datetime.fromisoformat(memory["updated_at"]),
        **more,
    )


def _matches(condition: MatchCondition, namespace: Namespace) -> bool:
    """Whether a namespace begins or ends as a condition has it, where `*` is any label."""
    path = tuple(condition.path)
    if len(path) > len(namespace):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(label in ("*", own) for label, own in zip(path, part, strict=True))


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value has all that a filter wants of it: equal members, or those that `$gt` and so on compare."""
    if wanted is None:
        return True
    if isinstance(wanted, dict):
        if any(name.startswith("$") for name in wanted):
            return all(_compared(value, name, other) for name, other in wanted.items())
        return isinstance(value, dict) and all(_equal(value.get(name), each) for name, each in wanted.items())
    return bool(value == wanted)


def _equal(value: Any, wanted: Any) -> bool:
    return _fits(value, wanted) if isinstance(wanted, dict) else bool(value == wanted)


def _compared(value: Any, name: str, other: Any) -> bool:
    if name not in COMPARED:
        raise ValueError(f"A filter has no operator of this name. Use one of {', '.join(COMPARED)}.")
    return value is not None and COMPARED[name](value, other)
