"""A session of the OpenAI Agents SDK in a person's memory: what is added comes back as it was, and is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Session, Usage, set_tracing_disabled
from agents.items import TResponseInputItem
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from tests.clients.conftest import Live
from tests.clients.test_examples import blocks, meant, set_in
from tests.processes import PROJECT
from vibe_client import AsyncVibe, Vibe
from vibe_client.fake import FakeVibe
from vibe_client.openai_agents import VibeSession

ITEMS: list[Any] = [
    {"role": "user", "content": "I moved to Lisbon."},
    {"role": "user", "content": [{"type": "input_text", "text": "Look:"}, {"type": "input_image", "image_url": "x"}]},
    {"role": "developer", "content": "Be brief."},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "How is the flat?", "annotations": []}],
    },
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Lisbon"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny " * 2_000},
    {"role": "user", "content": ""},
    {"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
    {"role": "user", "content": [{"type": "input_text", "text": "x", "more": "y" * 5_000}]},
]


class Echo(Model):
    """A model that says how many items it was given."""

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        items = named.get("input", given[1] if len(given) > 1 else [])
        text = ResponseOutputText(type="output_text", text=f"You said {len(items)} things.", annotations=[])
        said = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def play(vibe: AsyncVibe, scene: Callable[[AsyncVibe], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with vibe:
            await scene(vibe)

    asyncio.run(run())


def test_what_is_added_comes_back_as_it_was(live: Live) -> None:
    async def scene(vibe: AsyncVibe) -> None:
        session = VibeSession("chat-1", vibe, companion="nova")
        assert isinstance(session, Session)
        assert await session.get_items() == []
        assert await session.pop_item() is None
        await session.clear_session()
        await session.add_items([])
        await session.add_items(ITEMS[:4])
        await session.add_items(ITEMS[4:])
        assert await session.get_items() == ITEMS
        assert await session.get_items(2) == ITEMS[-2:]
        assert await session.get_items(0) == []
        assert await session.pop_item() == ITEMS[-1]
        assert await session.get_items() == ITEMS[:-1]
        found = (await vibe.search_memories(question="moved to Lisbon", roles=["user"]))["items"]
        assert found[0]["text"] == "I moved to Lisbon."
        assert await VibeSession("chat-2", vibe).get_items() == []
        [conversation] = [each async for each in vibe.list_conversations()]
        assert (conversation["external_id"], conversation["companion"]) == ("chat-1", "nova")
        await vibe.add_memory(conversation["id"], author="Ada", text="Said elsewhere.", role="other")
        assert (await session.get_items(1)) == [{"role": "user", "content": "Said elsewhere."}]
        await session.clear_session()
        assert await session.get_items() == []

    play(AsyncVibe(live.address, live.person()[1]), scene)


def test_a_long_history_is_read_from_its_end() -> None:
    async def scene() -> None:
        session = VibeSession("1", AsyncVibe("https://memory.example", "x", transport=FakeVibe()))
        items: list[TResponseInputItem] = [{"role": "user", "content": str(number)} for number in range(1_001)]
        await session.add_items(items)
        assert await session.get_items(250) == items[-250:]
        assert await session.get_items() == items

    asyncio.run(scene())


def test_an_agent_remembers_what_was_said_before() -> None:
    set_tracing_disabled(True)

    async def scene(vibe: AsyncVibe) -> None:
        agent = Agent("nova", model=Echo())
        first = await Runner.run(agent, "Hello.", session=VibeSession("1", vibe))
        second = await Runner.run(agent, "Again.", session=VibeSession("1", vibe))
        assert [first.final_output, second.final_output] == ["You said 1 things.", "You said 3 things."]

    play(AsyncVibe("https://memory.example", "x", transport=FakeVibe()), scene)


def test_the_example_runs(live: Live) -> None:
    set_tracing_disabled(True)
    [text] = [each for each in blocks(PROJECT / "clients/python/README.md", "python") if "VibeSession" in each]
    uid, _ = live.person()
    names = {**meant(live), "telegram:5512": uid}
    scope: dict[str, Any] = {"AsyncVibe": AsyncVibe, "asyncio": asyncio, "model": Echo()}
    exec(set_in(text, names), scope)  # noqa: S102
    said = Vibe(live.address, names["KEY"], person=f"uid:{uid}").filter_memories()
    assert [each["text"] for each in said] == ["You said 1 things.", "I moved to Lisbon last Friday."]
