"""The fake that an app tests against answers as the server does: each scene is played to both, and compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.conftest import Live
from vibe_client import AsyncVibe, NotFound, Problem, Vibe, etag
from vibe_client import client as module
from vibe_client.fake import FakeVibe

Scene = Callable[[Vibe], list[Any]]
IDS = ("id", "conversation_id", "story_id")
SCORES = ("score", "why", "pending")
TIMES = ("created_at", "updated_at", "active_at", "started_at", "occurred_at")
DAY = "2026-05-12"  # times of this day were given, the others are the machine's
AT = "2026-05-12T09:30:00+02:00"


def comparable(thing: Any, name: str = "") -> Any:
    """What has to be the same: everything but ids, times of the machine, scores and sentences."""
    if isinstance(thing, Problem):
        return thing.status, thing.code, sorted(each["field"] for each in thing.errors)
    if isinstance(thing, dict) and name != "why":
        return {key: comparable(value, key) for key, value in thing.items()}
    if isinstance(thing, list):
        return [comparable(each, name) for each in thing]
    if name in IDS or name in SCORES or (name in TIMES and not str(thing).startswith(DAY)):
        return type(thing) if name in ("id", "conversation_id", *TIMES) else name
    if name == "message_ids" and len(thing) == len(str(uuid4())):
        return "made for it"
    return thing


def tried(call: Callable[[], Any]) -> Any:
    """What a call answers, or how it is refused."""
    try:
        return call()
    except Problem as problem:
        return problem


def conversations(vibe: Vibe) -> list[Any]:
    first = vibe.create_conversation(title="Lisbon", companion="nova", started_at=AT)
    second = vibe.ensure_conversation("a/b", description="x")
    return [
        first,
        second,
        vibe.ensure_conversation("a/b", title="is not taken"),
        tried(lambda: vibe.ensure_conversation("a/b", companion="other")),
        tried(lambda: vibe.create_conversation(external_id="a/b")),
        vibe.change_conversation(first["id"], title=None, description="The flat."),
        tried(lambda: vibe.change_conversation(first["id"], title="x", if_match=etag(first))),
        vibe.archive_conversation(first["id"]),
        list(vibe.list_conversations()),
        list(vibe.list_conversations(archived=True)),
        list(vibe.list_conversations(external_id="a/b")),
        list(vibe.list_conversations(companion="nova", archived=True)),
        vibe.unarchive_conversation(first["id"]),
        vibe.delete_conversation(first["id"]),
        tried(lambda: vibe.get_conversation(first["id"])),
        tried(lambda: vibe.call("POST", "/conversations", body={"name": "x"})),
    ]


def memories(vibe: Vibe) -> list[Any]:
    talk = vibe.create_conversation()["id"]
    first = vibe.add_memory(talk, author="user", text="I moved to Lisbon.", occurred_at=AT, message_id="m1")
    batch = [
        {"author": "Ada", "text": "Ines carried the piano.", "metadata": {"mood": "glad"}},
        {"author": "GRANDMA", "metadata": {"kind": "picture", "public": True}},
        {"author": "Nova", "role": "assistant", "text": "How is the flat?"},
    ]
    added = vibe.add_memories(talk, memories=batch)["items"]  # type: ignore[arg-type]
    remembered = vibe.remember(author="Ada", text="The cat is well.", conversation={"external_id": "1"})
    return [
        first,
        added,
        remembered,
        vibe.get_conversation(talk),
        tried(lambda: vibe.add_memory(talk, author="user", text="again", message_id="m1")),
        tried(lambda: vibe.call("POST", f"/conversations/{talk}/memories", body={"text": "x", "who": "y"})),
        tried(lambda: vibe.add_memory(talk, author="user")),
        vibe.put_memory(talk, "m1", author="user", text="I moved to Porto."),
        vibe.put_memory(talk, "m2", author="user", text="New."),
        list(vibe.list_memories(talk, limit=2)),
        list(vibe.list_memories(talk, order="desc", limit=2)),
        list(vibe.list_memories(talk, last=2)),
        list(vibe.list_memories(talk, around=added[1]["id"], limit=3)),
        list(vibe.filter_memories(metadata={"mood": "glad"})),
        list(vibe.filter_memories(metadata={"public": 1})),
        list(vibe.filter_memories(metadata_any=[{"mood": "glad"}, {"kind": "picture"}], limit=1)),
        list(vibe.filter_memories(roles=["assistant"], conversation_id=talk)),
        list(vibe.filter_memories(authors=["Ada"], since="2026-05-12T07:30:01Z")),
        list(vibe.filter_memories(until="2026-05-12T07:30:00Z")),
        vibe.search_memories(question="Where is the piano?", limit=1),
        vibe.search_memories(question="piano", roles=["system"])["items"],
        vibe.change_memory(first["id"], text="I moved to Faro.", metadata={"a": 1}),
        vibe.get_memory(first["id"]),
        tried(lambda: vibe.change_memory(first["id"], text="", metadata=None)),
        vibe.delete_memory(added[0]["id"]),
        added[0]["id"] in [each["id"] for each in vibe.search_memories(question="piano")["items"]],
        tried(lambda: vibe.get_memory(added[0]["id"])),
        vibe.get_conversation(talk)["memory_count"],
        tried(vibe.forget_memories),
        vibe.forget_memories(until="2026-05-12T07:30:00Z"),
        tried(lambda: vibe.get_memory(first["id"])),
    ]


def persons(vibe: Vibe) -> list[Any]:
    me = vibe.get_me()
    return [
        me["name"],
        vibe.change_preferences({"theme": "dark", "a": {"b": 1, "c": 2}}),
        vibe.change_preferences({"theme": None, "a": {"b": None}}),
        vibe.get_preferences(),
        [list(each()) for each in (vibe.list_stories, vibe.list_people, vibe.list_places, vibe.list_events)],
        vibe.search_stories(question="Anything?"),
    ]


def knowledge(vibe: Vibe) -> list[Any]:
    talk = vibe.create_conversation(companion="nova")["id"]
    vibe.remember(author="Ada", text="Ines carried the piano.", conversation={"external_id": "other"})
    vibe.add_memory(talk, author="Nova", role="assistant", text="How is the flat?")
    nowhere = str(uuid4())

    def context(**given: Any) -> Any:
        built = vibe.read_context(**given)
        shown = [(each["label"], each["part"], each["author"], each["text"]) for each in built["pieces"]]
        return sorted(built), shown, built["text"] is None, built["messages"] is None

    return [
        vibe.list_facts(),
        tried(lambda: vibe.correct_fact(nowhere, value="Porto")),
        tried(lambda: vibe.forget_fact(nowhere)),
        context(message="Where is the piano?", conversation_id=talk),
        context(message="Where is the piano?", conversation_id=talk, format="text"),
        context(conversation_id=talk, parts=["turns"]),
        context(message="Ines carried the piano.", parts=["passages"], companion="juno"),
        tried(lambda: vibe.read_context(conversation_id=nowhere)),
        tried(lambda: vibe.read_context(conversation_id=talk, companion="juno")),
        tried(lambda: vibe.call("POST", "/context", body={"question": "x"})),
    ]


@pytest.mark.parametrize("scene", [conversations, memories, persons, knowledge], ids=lambda each: each.__name__)
def test_the_fake_answers_as_the_server_does(live: Live, scene: Scene) -> None:
    fake = FakeVibe()
    fake.people["ada"].name = "Ada Tavares"
    there = comparable(scene(Vibe(live.address, live.person()[1])))
    here = comparable(scene(Vibe("https://memory.example", "x", person="uid:ada", transport=fake)))
    for number, (real, faked) in enumerate(zip(there, here, strict=True)):
        assert faked == real, f"answer {number} of {scene.__name__}"


def test_control_an_answer_that_differs_is_seen() -> None:
    fake = FakeVibe()
    vibe = Vibe("https://memory.example", "x", transport=fake)
    real = comparable(conversations(vibe))
    fake.people.clear()
    assert comparable(conversations(vibe)) == real
    fake.people.clear()
    vibe.create_conversation(title="one more")
    assert comparable(conversations(vibe)) != real


def test_people_of_a_server(live: Live) -> None:
    def scene(bot: Vibe) -> list[Any]:
        return [
            bot.ensure_user("telegram:1", name="Ada"),
            bot.ensure_user("telegram:1", name="Other"),
            bot.as_person("uid:telegram:1").get_me()["name"],
            tried(lambda: bot.get_user("nobody")),
            bot.deactivate_user("telegram:1"),
            tried(bot.as_person("uid:telegram:1").get_me),
        ]

    there = comparable(scene(Vibe(live.address, live.key("people", "read", "write"))))
    assert comparable(scene(Vibe("https://memory.example", "key", transport=FakeVibe()))) == there


def test_an_app_can_try_what_it_does_when_the_server_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_WAIT", 0.001)
    fake = FakeVibe()
    vibe = Vibe("https://memory.example", "ada", transport=fake)
    fake.fail(503, "busy", times=2)
    vibe.create_conversation()
    assert [each.method for each in fake.requests] == ["POST"] * 3
    fake.fail(403, "deactivated")
    with pytest.raises(Problem, match="deactivated"):
        vibe.get_me()
    with pytest.raises(Problem, match="does not know GET /me/access-log"):
        list(vibe.list_access())


def test_everybody_sees_their_own_and_asyncio_too() -> None:
    fake = FakeVibe()
    memory = Vibe("https://memory.example", "ada", transport=fake).remember(
        author="Ada", text="Hello.", conversation={"external_id": "1"}
    )
    with pytest.raises(NotFound):
        Vibe("https://memory.example", "jonas", transport=fake).get_memory(memory["id"])

    async def read() -> Any:
        async with AsyncVibe("https://memory.example", "ada", transport=fake) as vibe:
            return await vibe.get_memory(memory["id"])

    assert asyncio.run(read()) == memory
