"""A session of the OpenAI Agents SDK in one person's memory.

    await Runner.run(agent, "Hello", session=VibeSession("chat-1", AsyncVibe(...)))

A session is the conversation of this external id. An item is a memory: what was said is its text, with the item's
role, so that search finds it and stories are built of it; the rest of the item is in the metadata. An item that is no
message is kept whole as JSON, with the role `tool`; so is one whose rest is too long for metadata, with its own role.
"""

from __future__ import annotations

import json
from typing import Any, cast

from agents import SessionABC, TResponseInputItem

from vibe_client import types
from vibe_client.client import AsyncVibe
from vibe_client.errors import NotFound

ROLES: dict[str, types.Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
LONGEST_REST = 3_500  # bytes of an item, its text apart, in the metadata
AT_ONCE = 1_000  # items that one request adds
LAST = 200  # items that one request reads


class VibeSession(SessionABC):
    """The history of one session. `companion` names the companion, and is stored when the conversation is created."""

    def __init__(self, session_id: str, vibe: AsyncVibe, *, companion: str | None = None) -> None:
        self.session_id, self._vibe, self._companion = session_id, vibe, companion

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the items in order; with a limit, the last of them."""
        conversation = await self._conversation()
        if conversation is None or (limit is not None and limit <= 0):
            return []
        if limit is None:
            return [_item(each) async for each in self._vibe.list_memories(conversation, limit=LAST)]
        if limit <= LAST:
            return [_item(each) async for each in self._vibe.list_memories(conversation, last=limit)]
        found: list[TResponseInputItem] = []
        async for each in self._vibe.list_memories(conversation, order="desc", limit=LAST):
            found.append(_item(each))
            if len(found) == limit:
                break
        return found[::-1]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items at the end."""
        if not items:
            return
        given: types.EnsuredConversation = {"companion": self._companion} if self._companion else {}
        conversation = (await self._vibe.ensure_conversation(self.session_id, **given))["id"]
        memories = [_memory(each) for each in items]
        for start in range(0, len(memories), AT_ONCE):
            await self._vibe.add_memories(conversation, memories=memories[start : start + AT_ONCE])

    async def pop_item(self) -> TResponseInputItem | None:
        """Delete the last item and return it; None if there is none."""
        conversation = await self._conversation()
        if conversation is None:
            return None
        async for each in self._vibe.list_memories(conversation, last=1):
            try:
                await self._vibe.delete_memory(each["id"])
            except NotFound:  # somebody else took it
                return await self.pop_item()
            return _item(each)
        return None

    async def clear_session(self) -> None:
        """Delete the conversation with everything in it."""
        if conversation := await self._conversation():
            await self._vibe.delete_conversation(conversation)

    async def _conversation(self) -> str | None:
        async for each in self._vibe.list_conversations(external_id=self.session_id):
            return each["id"]
        return None


def _memory(item: TResponseInputItem) -> types.AddedMemory:
    """Return the memory of an item."""
    rest = cast("dict[str, Any]", json.loads(json.dumps(item)))
    role = ROLES.get(str(rest.get("role")))
    text = _take_text(rest) if role else None
    kept = json.dumps(rest, ensure_ascii=False)
    if role is None or text is None or len(kept.encode()) > LONGEST_REST:
        return {
            "author": role or "tool",
            "role": role or "tool",
            "text": json.dumps(item),
            "metadata": {"agents": "json"},
        }
    return {"author": role, "role": role, "text": text, "metadata": {"agents": "text", "item": kept}}


def _take_text(item: dict[str, Any]) -> str | None:
    """Take the text out of a message, and return it; None if it has none, or several."""
    content = item.get("content")
    if isinstance(content, str):
        item["content"] = ""
        return content
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        return None
    parts = [each for each in content if isinstance(each.get("text"), str)]
    if len(parts) != 1:
        return None
    text = str(parts[0]["text"])
    parts[0]["text"] = ""
    return text


def _item(memory: types.Memory) -> TResponseInputItem:
    """Return the item of a memory. What the app itself said in this conversation is a plain message."""
    kind = memory["metadata"].get("agents")
    if kind == "json":
        return cast("TResponseInputItem", json.loads(memory["text"]))
    if kind != "text":
        role = memory["role"] if memory["role"] in ("user", "assistant", "system") else "user"
        return cast("TResponseInputItem", {"role": role, "content": memory["text"]})
    item = json.loads(str(memory["metadata"]["item"]))
    if isinstance(item["content"], str):
        item["content"] = memory["text"]
    else:
        next(each for each in item["content"] if each.get("text") == "")["text"] = memory["text"]
    return cast("TResponseInputItem", item)
