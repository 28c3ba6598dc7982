"""The tools, spoken to by the client of the protocol: what they do, for whom, and what the trail has of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from mcp import Client
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp.types import Implementation

from accounts.people.services.account_status import set_active
from memories import reading
from memories.models import Conversation, Memory
from tests.authentication.conftest import trail
from tests.building import build_conversation
from tests.cast import TESTER
from tests.processes import PATIENCE
from vibe.core.db.scopes import as_user
from vibe.mcp import calls, stdio
from vibe.mcp.tools import server

CANARY = "zitronenfalter"
AGENT = Implementation(name="agent\x1b-desk", version="1.2")
pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Connections of the threads that worked are closed."""
    yield
    together = threading.Barrier(calls.THREADS)

    def end() -> None:
        together.wait(PATIENCE)  # or one thread would do it for all
        connections.close_all()

    for thread in [calls.pool.submit(end) for _ in range(calls.THREADS)]:
        thread.result(PATIENCE)


@pytest.fixture
def ada() -> UUID:
    from accounts.people.services.people import Profile, ensure_person

    return ensure_person(profile=Profile("ada", email="ada@example.com", name="Ada Tavares"), actor=TESTER)


@pytest.fixture
def jonas() -> UUID:
    from accounts.people.services.people import Profile, ensure_person

    return ensure_person(profile=Profile("jonas"), actor=TESTER)


def spoken(user_id: UUID, talk: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    """What comes of a conversation in the protocol with the server of one person."""

    async def run() -> Any:
        async with Client(server(stdio.only(user_id)), client_info=AGENT) as client:
            return await talk(client)

    return asyncio.run(run())


def call(user_id: UUID, tool: str, **arguments: Any) -> Any:
    """One call of a tool."""
    return spoken(user_id, lambda client: client.call_tool(tool, arguments))


def text(result: Any) -> str:
    return "".join(part.text for part in result.content)


def test_the_tools_say_what_they_are(ada: UUID) -> None:
    listed = spoken(ada, lambda client: client.list_tools())
    tools = {tool.name: tool for tool in listed.tools}
    reading = {"search_stories", "search_memories", "read_story", "list_people", "list_places", "list_events"}
    reading |= {"recent_memories", "context", "list_facts"}
    changing = {"correct_memory", "forget_memory", "correct_fact", "forget_fact"}
    assert set(tools) == {"remember", *reading, *changing}
    assert {name for name, tool in tools.items() if tool.annotations.read_only_hint} == reading
    assert {name for name, tool in tools.items() if tool.annotations.destructive_hint} == changing
    assert all(tool.description and tool.output_schema for tool in tools.values())


def test_a_fact_is_known_at_once_corrected_and_forgotten(ada: UUID) -> None:
    call(ada, "remember", text="I live in Rome.")
    (rome,) = call(ada, "list_facts", attribute="home").structured_content["items"]
    assert call(ada, "correct_fact", fact_id=rome["id"], value="Porto").structured_content["value"] == "Porto"
    assert [each["value"] for each in call(ada, "list_facts").structured_content["items"]] == ["Porto"]
    assert call(ada, "forget_fact", fact_id=rome["id"]).structured_content == {"fact_id": rome["id"]}
    assert call(ada, "list_facts", history=True).structured_content["items"] == []
    assert call(ada, "forget_fact", fact_id=rome["id"]).is_error


def test_what_is_remembered_is_found_and_read(ada: UUID) -> None:
    said = f"I moved to Lisbon with my {CANARY} last May."
    kept = call(ada, "remember", text=said).structured_content
    again = call(ada, "remember", text="Ines helped me carry the piano.").structured_content
    assert kept["conversation_id"] == again["conversation_id"]
    with as_user(ada):
        assert Conversation.objects.of(ada).values_list("memory_count", flat=True).get() == 2
    build_conversation(ada, UUID(kept["conversation_id"]))
    (found,) = call(ada, "search_stories", question="Where did I move?").structured_content["items"]
    assert CANARY in " ".join(passage["text"] for passage in found["passages"])
    story = call(ada, "read_story", story_id=found["id"]).structured_content
    assert kept["memory_id"] in story["memory_ids"]
    places = call(ada, "list_places").structured_content["items"]
    assert "Lisbon" in [place["name"] for place in places]
    assert call(ada, "list_people").is_error is False
    assert call(ada, "list_events").is_error is False


def test_what_was_said_last_is_read_and_narrowed(ada: UUID) -> None:
    given = [
        {"text": "I moved to Lisbon.", "when": "2026-05-12T09:30:00Z", "metadata": {"mood": "glad"}},
        {"text": "How is Lisbon?", "when": "2026-05-13T09:30:00Z", "author": "Nova", "role": "assistant"},
    ]
    kept = [call(ada, "remember", **each).structured_content for each in given]

    def texts(tool: str, **arguments: Any) -> list[str]:
        return [each["text"] for each in call(ada, tool, **arguments).structured_content["items"]]

    assert texts("recent_memories") == ["How is Lisbon?", "I moved to Lisbon."]
    assert texts("recent_memories", limit=1) == ["How is Lisbon?"]
    for narrowed in (
        {"roles": ["user"]},
        {"metadata": {"mood": "glad"}},
        {"until": "2026-05-12T09:30:00Z"},
        {"conversation_id": kept[0]["conversation_id"]},
        {"authors": ["user"]},
    ):
        assert texts("recent_memories", narrowed=narrowed) == ["I moved to Lisbon."]
        assert texts("search_memories", question="How is Lisbon?", narrowed=narrowed) == ["I moved to Lisbon."]
        [story] = call(ada, "search_stories", question="Lisbon", narrowed=narrowed).structured_content["items"]
        assert [each["text"] for each in story["passages"]] == ["I moved to Lisbon."]
    assert texts("recent_memories", narrowed={"companion": "nova"}) == []
    [first] = call(ada, "recent_memories", narrowed={"roles": ["user"]}).structured_content["items"]
    assert (first["id"], first["metadata"]) == (kept[0]["memory_id"], {"mood": "glad"})
    refused = call(ada, "recent_memories", narrowed={"role": CANARY})
    assert refused.is_error
    assert "narrowed.role" in text(refused) and CANARY not in text(refused)


def test_what_is_corrected_and_forgotten_is_so_for_the_next_search(ada: UUID) -> None:
    said = call(ada, "remember", text=f"I moved to {CANARY}.", metadata={"mood": "glad"}).structured_content
    corrected = call(ada, "correct_memory", memory_id=said["memory_id"], text="I moved to Porto.").structured_content
    assert (corrected["text"], corrected["metadata"]) == ("I moved to Porto.", {"mood": "glad"})
    [found] = call(ada, "search_memories", question=f"Where is {CANARY}?").structured_content["items"]
    assert found["text"] == "I moved to Porto."
    gone = call(ada, "forget_memory", memory_id=said["memory_id"])
    assert gone.structured_content == {"memory_id": said["memory_id"]}
    assert call(ada, "recent_memories").structured_content["items"] == []
    assert "not-found" in text(call(ada, "forget_memory", memory_id=said["memory_id"]))
    changes = [row.action for row in trail(action__in=["memory.change", "memory.delete"])]
    assert len(changes) == 2


def test_nobody_corrects_or_forgets_what_is_somebody_elses(ada: UUID, jonas: UUID) -> None:
    said = call(ada, "remember", text="I moved to Lisbon.").structured_content["memory_id"]
    assert "not-found" in text(call(jonas, "correct_memory", memory_id=said, text="No."))
    assert "not-found" in text(call(jonas, "forget_memory", memory_id=said))
    assert call(jonas, "recent_memories").structured_content["items"] == []
    assert [each["text"] for each in call(ada, "recent_memories").structured_content["items"]] == ["I moved to Lisbon."]


def test_a_context_is_one_text_within_its_budget(ada: UUID) -> None:
    kept = call(ada, "remember", text=f"My {CANARY} sleeps in Lisbon.").structured_content
    where = {"conversation_id": kept["conversation_id"]}
    found = call(ada, "context", message="Where does it sleep?", tokens=200, **where).structured_content
    assert CANARY in found["text"]
    assert found["tokens"] <= 200
    assert [(each["part"], each["id"]) for each in found["pieces"]] == [("turns", kept["memory_id"])]
    assert call(ada, "context").structured_content["text"] == ""
    assert call(ada, "context", tokens=0).is_error
    [row] = trail(action="mcp:context")[:1]
    assert CANARY not in str(row.details)


def test_a_moment_and_a_conversation_can_be_named(ada: UUID) -> None:
    first = call(ada, "remember", text="Hello.", when="2026-05-12T09:30:00+02:00").structured_content
    assert first["occurred_at"] == "2026-05-12T07:30:00Z"
    second = call(ada, "remember", text="Again.", conversation_id=first["conversation_id"]).structured_content
    assert second["conversation_id"] == first["conversation_id"]
    with as_user(ada):
        assert Memory.objects.of(ada).count() == 2


def test_what_is_remembered_has_a_role_notes_an_offset_and_an_expiry(ada: UUID) -> None:
    given = {"author": "Nova", "role": "assistant", "metadata": {"mood": "glad"}, "when": "2026-05-12T09:30:00+02:00"}
    kept = [
        call(ada, "remember", text="Hello.").structured_content,
        call(ada, "remember", text="Hello.", **given, expires_at="2100-01-01T00:00:00Z").structured_content,
    ]
    with as_user(ada):
        found = [reading.memory(ada, UUID(each["memory_id"])) for each in kept]
    assert [each.row.role for each in found] == ["user", "assistant"]
    assert [each.payload.metadata for each in found] == [{}, {"mood": "glad"}]
    assert [each.payload.utc_offset for each in found] == [None, 120]
    assert [each.row.expires_at and each.row.expires_at.year for each in found] == [None, 2100]
    refused = call(ada, "remember", text="Hello.", metadata={CANARY: [CANARY]})
    assert refused.is_error
    assert CANARY not in text(refused)


def test_each_call_is_in_the_trail_with_the_agent_beside_its_person(ada: UUID) -> None:
    call(ada, "list_people")
    call(ada, "search_stories", question=f"Where is my {CANARY}?")
    rows = trail(action__startswith="mcp:")
    assert [(row.action, row.outcome) for row in rows] == [("mcp:list_people", "ok"), ("mcp:search_stories", "ok")]
    assert {(row.actor_kind, row.actor, row.subject) for row in rows} == {("person", str(ada), ada)}
    assert {row.details["client"] for row in rows} == {"mcp agent-desk 1.2"}
    (searched,) = trail(action="stories.search")
    assert searched.details["client"] == "mcp agent-desk 1.2"
    assert CANARY not in str([vars(row) for row in trail()])


def test_nothing_is_shown_whose_row_cannot_be_written(ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    from vibe.core.errors import AuditUnavailable

    def fail(*_: Any, **__: Any) -> None:
        raise AuditUnavailable()

    call(ada, "remember", text=CANARY)
    monkeypatch.setattr(calls, "note", fail)
    for tool, arguments in (("list_people", {}), ("search_stories", {"question": CANARY})):
        result = call(ada, tool, **arguments)
        assert result.is_error
        assert CANARY not in text(result)
    assert call(ada, "remember", text="lost").is_error
    with as_user(ada):
        assert Memory.objects.of(ada).count() == 1


def test_anothers_story_is_as_one_that_is_not_there(ada: UUID, jonas: UUID) -> None:
    kept = call(ada, "remember", text="I moved to Lisbon.").structured_content
    build_conversation(ada, UUID(kept["conversation_id"]))
    (story,) = call(ada, "search_stories", question="Lisbon").structured_content["items"]
    theirs, nobodys = (call(jonas, "read_story", story_id=each) for each in (story["id"], str(UUID(int=7))))
    assert (theirs.is_error, text(theirs)) == (nobodys.is_error, text(nobodys)) == (True, text(nobodys))
    assert "not-found" in text(theirs)
    into = call(jonas, "remember", text="Hello.", conversation_id=kept["conversation_id"])
    assert "not-found" in text(into)
    assert call(jonas, "search_stories", question="Lisbon").structured_content["items"] == []
    assert [row.outcome for row in trail(action="mcp:read_story")] == ["refused", "refused"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("remember", {}),
        ("remember", {"text": ""}),
        ("remember", {"text": "x" * 100_001}),
        ("remember", {"text": "a", "when": "yesterday"}),
        ("remember", {"text": "a", "conversation_id": "none"}),
        ("search_stories", {"question": ""}),
        ("search_stories", {"question": "   "}),
        ("search_stories", {"question": "a", "limit": 0}),
        ("search_stories", {"question": "a", "limit": 101}),
        ("read_story", {"story_id": "5"}),
        ("list_people", {"limit": "many"}),
        ("remember", {"text": "a\x00b"}),
        ("nothing", {}),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_kept(ada: UUID, tool: str, arguments: dict[str, Any]) -> None:
    from mcp import MCPError

    try:
        assert call(ada, tool, **arguments).is_error
    except MCPError:
        assert tool == "nothing"
    with as_user(ada):
        assert not Memory.objects.of(ada).exists()


def test_what_fails_inside_says_nothing_of_it(
    ada: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from vibe.mcp import tools

    def fail(**_: Any) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(tools, "list_entities", fail)
    result = call(ada, "list_people")
    assert result.is_error
    assert CANARY not in text(result) + caplog.text
    assert [(row.outcome, row.reason) for row in trail(action="mcp:list_people")] == [("failed", "failed")]


def test_an_argument_at_fault_is_not_said_back(ada: UUID) -> None:
    result = call(ada, "search_stories", question={CANARY: 1}, limit=CANARY)
    assert result.is_error
    assert "question" in text(result)
    assert CANARY not in text(result)


def test_an_unknown_argument_is_refused_by_name_and_nothing_is_kept(ada: UUID) -> None:
    result = call(ada, "remember", text="I moved to Lisbon.", wen=CANARY)
    assert result.is_error
    assert "wen" in text(result) and CANARY not in text(result)
    with as_user(ada):
        assert not Memory.objects.of(ada).exists()
    [described] = [each for each in spoken(ada, lambda client: client.list_tools()).tools if each.name == "remember"]
    assert described.input_schema["additionalProperties"] is False


@pytest.mark.parametrize("level", ["as set", "INFO"])
def test_the_name_of_an_unknown_tool_is_not_logged(ada: UUID, caplog: pytest.LogCaptureFixture, level: str) -> None:
    logger = logging.getLogger("mcp")
    before = logger.level
    assert before == logging.WARNING
    caplog.set_level(logging.INFO)
    if level != "as set":  # the control
        logger.setLevel(level)
    try:
        assert call(ada, f"{CANARY}_tool").is_error
    finally:
        logger.setLevel(before)
    assert (CANARY in caplog.text) is (level != "as set")


def test_control_as_pydantic_has_it_it_is(ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArgModelBase, "model_rebuild", classmethod(lambda _, **__: None))
    assert CANARY in text(call(ada, "search_stories", question={CANARY: 1}))


def test_who_is_deactivated_is_out_with_the_next_call(ada: UUID) -> None:
    async def talk(client: Client) -> list[bool]:
        before = await client.call_tool("list_people", {})
        await asyncio.to_thread(shut_out)
        after = await client.call_tool("list_people", {})
        assert "deactivated" in text(after)
        return [before.is_error, after.is_error]

    def shut_out() -> None:
        set_active(user_id=ada, active=False, actor=TESTER)
        connections.close_all()

    assert spoken(ada, talk) == [False, True]


def test_calls_count_against_the_persons_allowance(ada: UUID, settings: Any) -> None:
    settings.API_LIMIT_PERSON = "1/2"
    results = [call(ada, "list_people") for _ in range(3)]
    assert [result.is_error for result in results] == [False, False, True]
    assert "too-many-requests" in text(results[2])
