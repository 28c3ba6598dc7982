"""All operations of the API.

Made by scripts/make_clients.py from the description of the API: `make clients` makes it anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, Literal, Unpack
from urllib.parse import quote
from uuid import UUID

from vibe_client import types


def _quoted(part: object) -> str:
    return quote(str(part), safe="")


class Operations:
    """All operations, for `Vibe`."""

    def call(self, method: str, path: str, **how: Any) -> Any:
        raise NotImplementedError

    def pages(self, method: str, path: str, **how: Any) -> Iterator[Any]:
        raise NotImplementedError

    def get_me(self) -> types.Me:
        """Who calls."""
        return self.call("GET", "/me")

    def erase_me(self, *, idempotency_key: str | None = None) -> types.Erasure:
        """Be erased once the grace period is over. From now on nobody comes in as this person."""
        return self.call("DELETE", "/me", idempotency_key=idempotency_key)

    def get_preferences(self) -> types.Preferences:
        """What is set."""
        return self.call("GET", "/me/preferences")

    def change_preferences(
        self, given: dict[str, Any], *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Preferences:
        """Set some of it, and take away what is null (a JSON Merge Patch, RFC 7396). All of it holds, or none."""
        return self.call("PATCH", "/me/preferences", idempotency_key=idempotency_key, if_match=if_match, body=given)

    def request_my_export(self, *, idempotency_key: str | None = None) -> types.Export:
        """Ask for everything, as JSON Lines. A job writes it; the one under way is given where there is one."""
        return self.call("POST", "/me/export", idempotency_key=idempotency_key)

    def get_my_export(self) -> types.Export:
        """The newest export as it stands, with its link once it is ready."""
        return self.call("GET", "/me/export")

    def download_my_export(self, *, link: str) -> str:
        """The archive, opened. It is streamed after its row in the trail has been written."""
        return self.call("GET", "/me/export/file", query={"link": link})

    def list_access(self, *, limit: int | None = None) -> Iterator[types.Access]:
        """Who did what with your data, when and why."""
        return self.pages("GET", "/me/access-log", query={"limit": limit})

    def ensure_user(self, uid: str, **given: Unpack[types.EnsuredPerson]) -> types.Person:
        """The person of this UID: made with what is given (201), or as they are there already (200)."""
        return self.call("PUT", f"/users/{_quoted(uid)}", body=given)

    def get_user(self, uid: str) -> types.Person:
        """The person of this UID."""
        return self.call("GET", f"/users/{_quoted(uid)}")

    def deactivate_user(self, uid: str) -> types.Person:
        """Let nobody in as this person any more, from the next request on. Their data stays; support can undo it."""
        return self.call("POST", f"/users/{_quoted(uid)}/deactivate")

    def create_conversation(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.NewConversation]
    ) -> types.Conversation:
        """Begin a conversation."""
        return self.call("POST", "/conversations", idempotency_key=idempotency_key, body=given)

    def list_conversations(
        self,
        *,
        archived: bool | None = None,
        companion: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[types.Conversation]:
        """Conversations, those of the last activity first: the active ones, the archived ones, or those one asks for."""
        return self.pages(
            "GET",
            "/conversations",
            query={"archived": archived, "companion": companion, "external_id": external_id, "limit": limit},
        )

    def ensure_conversation(
        self, external_id: str, *, idempotency_key: str | None = None, **given: Unpack[types.EnsuredConversation]
    ) -> types.Conversation:
        """The conversation of this external id: begun with what is given (201), or as it is there already (200)."""
        return self.call(
            "PUT", f"/conversations/by-external-id/{_quoted(external_id)}", idempotency_key=idempotency_key, body=given
        )

    def get_conversation(self, conversation_id: str | UUID) -> types.Conversation:
        """One conversation."""
        return self.call("GET", f"/conversations/{_quoted(conversation_id)}")

    def change_conversation(
        self,
        conversation_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ConversationTexts],
    ) -> types.Conversation:
        """Give it another title or description (a JSON Merge Patch: null takes one away)."""
        return self.call(
            "PATCH",
            f"/conversations/{_quoted(conversation_id)}",
            idempotency_key=idempotency_key,
            if_match=if_match,
            body=given,
        )

    def delete_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it with its memories and its story, for good."""
        self.call(
            "DELETE", f"/conversations/{_quoted(conversation_id)}", idempotency_key=idempotency_key, if_match=if_match
        )

    def archive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Put it away: it leaves the active ones, and nothing of it is lost."""
        return self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/archive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def unarchive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Take it out again."""
        return self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/unarchive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def add_memory(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemory]
    ) -> types.Memory:
        """Remember one message."""
        return self.call(
            "POST", f"/conversations/{_quoted(conversation_id)}/memories", idempotency_key=idempotency_key, body=given
        )

    def list_memories(
        self,
        conversation_id: str | UUID,
        *,
        order: Literal["asc", "desc"] | None = None,
        last: int | None = None,
        around: str | UUID | None = None,
        limit: int | None = None,
    ) -> Iterator[types.Memory]:
        """What was said in a conversation, in order. Beside `last` or `around` neither `order` nor `cursor` is given."""
        return self.pages(
            "GET",
            f"/conversations/{_quoted(conversation_id)}/memories",
            query={"order": order, "last": last, "around": around, "limit": limit},
        )

    def add_memories(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemories]
    ) -> types.MemoriesAdded:
        """Remember up to 1,000 messages: all of them, or none."""
        return self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/memories/batch",
            idempotency_key=idempotency_key,
            body=given,
        )

    def put_memory(
        self,
        conversation_id: str | UUID,
        message_id: str,
        *,
        idempotency_key: str | None = None,
        **given: Unpack[types.PutMemory],
    ) -> types.Memory:
        """Put a message in place of that of this message id, such as a reply that was generated anew; or add it (201)."""
        return self.call(
            "PUT",
            f"/conversations/{_quoted(conversation_id)}/memories/by-message-id/{_quoted(message_id)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    def search_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemorySearch]
    ) -> types.MemoriesFound:
        """Ask for memories: the very messages that answer. What was added just now is found."""
        return self.call("POST", "/memories/search", idempotency_key=idempotency_key, body=given)

    def filter_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemoryFilter]
    ) -> Iterator[types.Memory]:
        """List memories by what is noted of them, the newest first. It travels in the body, as questions do."""
        return self.pages("POST", "/memories/filter", idempotency_key=idempotency_key, body=given)

    def remember(self, *, idempotency_key: str | None = None, **given: Unpack[types.RememberedMemory]) -> types.Memory:
        """Remember one message in the conversation of an external id, which is begun if it is not there."""
        return self.call("POST", "/memories", idempotency_key=idempotency_key, body=given)

    def forget_memories(
        self,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        conversation_id: str | UUID | None = None,
        companion: str | None = None,
        idempotency_key: str | None = None,
    ) -> types.ForgottenMemories:
        """Delete what was said in a time for good, the oldest 100 of it first: ask again while there is `more`."""
        return self.call(
            "DELETE",
            "/memories",
            query={"since": since, "until": until, "conversation_id": conversation_id, "companion": companion},
            idempotency_key=idempotency_key,
        )

    def get_memory(self, memory_id: str | UUID) -> types.Memory:
        """One memory."""
        return self.call("GET", f"/memories/{_quoted(memory_id)}")

    def change_memory(
        self,
        memory_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ChangedMemory],
    ) -> types.Memory:
        """Correct what it says, who said it, or when; or when it is to be forgotten. Its story is rebuilt."""
        return self.call(
            "PATCH", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    def delete_memory(
        self, memory_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it for good. Search no longer finds it; its story is rebuilt."""
        self.call("DELETE", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match)

    def search_stories(self, *, idempotency_key: str | None = None, **given: Unpack[types.Search]) -> types.Answer:
        """Ask for stories. The question travels in the body, so that it stands in no log of addresses."""
        return self.call("POST", "/stories/search", idempotency_key=idempotency_key, body=given)

    def list_stories(self, *, limit: int | None = None) -> Iterator[types.Story]:
        """The stories, the newest first."""
        return self.pages("GET", "/stories", query={"limit": limit})

    def get_story(self, story_id: str | UUID) -> types.Story:
        """One story."""
        return self.call("GET", f"/stories/{_quoted(story_id)}")

    def correct_story(
        self,
        story_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.CorrectedStory],
    ) -> types.Story:
        """Put the person's own words in it. They stay when it is told anew."""
        return self.call(
            "PATCH", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    def delete_story(
        self, story_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it. Its conversation stays, and is told again once something is added to it."""
        self.call("DELETE", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match)

    def rebuild_story(
        self,
        story_id: str | UUID,
        *,
        forget_corrections: bool | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> None:
        """Have it told anew. What was corrected stays, unless it is to be forgotten."""
        self.call(
            "POST",
            f"/stories/{_quoted(story_id)}/rebuild",
            query={"forget_corrections": forget_corrections},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def list_people(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """The people that stories tell of, those of the most stories first."""
        return self.pages("GET", "/people", query={"limit": limit})

    def list_places(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """The places, those of the most stories first."""
        return self.pages("GET", "/places", query={"limit": limit})

    def list_events(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """The events, those of the most stories first."""
        return self.pages("GET", "/events", query={"limit": limit})


class AsyncOperations:
    """All operations, for `AsyncVibe`."""

    async def call(self, method: str, path: str, **how: Any) -> Any:
        raise NotImplementedError

    def pages(self, method: str, path: str, **how: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    async def get_me(self) -> types.Me:
        """Who calls."""
        return await self.call("GET", "/me")

    async def erase_me(self, *, idempotency_key: str | None = None) -> types.Erasure:
        """Be erased once the grace period is over. From now on nobody comes in as this person."""
        return await self.call("DELETE", "/me", idempotency_key=idempotency_key)

    async def get_preferences(self) -> types.Preferences:
        """What is set."""
        return await self.call("GET", "/me/preferences")

    async def change_preferences(
        self, given: dict[str, Any], *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Preferences:
        """Set some of it, and take away what is null (a JSON Merge Patch, RFC 7396). All of it holds, or none."""
        return await self.call(
            "PATCH", "/me/preferences", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def request_my_export(self, *, idempotency_key: str | None = None) -> types.Export:
        """Ask for everything, as JSON Lines. A job writes it; the one under way is given where there is one."""
        return await self.call("POST", "/me/export", idempotency_key=idempotency_key)

    async def get_my_export(self) -> types.Export:
        """The newest export as it stands, with its link once it is ready."""
        return await self.call("GET", "/me/export")

    async def download_my_export(self, *, link: str) -> str:
        """The archive, opened. It is streamed after its row in the trail has been written."""
        return await self.call("GET", "/me/export/file", query={"link": link})

    def list_access(self, *, limit: int | None = None) -> AsyncIterator[types.Access]:
        """Who did what with your data, when and why."""
        return self.pages("GET", "/me/access-log", query={"limit": limit})

    async def ensure_user(self, uid: str, **given: Unpack[types.EnsuredPerson]) -> types.Person:
        """The person of this UID: made with what is given (201), or as they are there already (200)."""
        return await self.call("PUT", f"/users/{_quoted(uid)}", body=given)

    async def get_user(self, uid: str) -> types.Person:
        """The person of this UID."""
        return await self.call("GET", f"/users/{_quoted(uid)}")

    async def deactivate_user(self, uid: str) -> types.Person:
        """Let nobody in as this person any more, from the next request on. Their data stays; support can undo it."""
        return await self.call("POST", f"/users/{_quoted(uid)}/deactivate")

    async def create_conversation(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.NewConversation]
    ) -> types.Conversation:
        """Begin a conversation."""
        return await self.call("POST", "/conversations", idempotency_key=idempotency_key, body=given)

    def list_conversations(
        self,
        *,
        archived: bool | None = None,
        companion: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.Conversation]:
        """Conversations, those of the last activity first: the active ones, the archived ones, or those one asks for."""
        return self.pages(
            "GET",
            "/conversations",
            query={"archived": archived, "companion": companion, "external_id": external_id, "limit": limit},
        )

    async def ensure_conversation(
        self, external_id: str, *, idempotency_key: str | None = None, **given: Unpack[types.EnsuredConversation]
    ) -> types.Conversation:
        """The conversation of this external id: begun with what is given (201), or as it is there already (200)."""
        return await self.call(
            "PUT", f"/conversations/by-external-id/{_quoted(external_id)}", idempotency_key=idempotency_key, body=given
        )

    async def get_conversation(self, conversation_id: str | UUID) -> types.Conversation:
        """One conversation."""
        return await self.call("GET", f"/conversations/{_quoted(conversation_id)}")

    async def change_conversation(
        self,
        conversation_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ConversationTexts],
    ) -> types.Conversation:
        """Give it another title or description (a JSON Merge Patch: null takes one away)."""
        return await self.call(
            "PATCH",
            f"/conversations/{_quoted(conversation_id)}",
            idempotency_key=idempotency_key,
            if_match=if_match,
            body=given,
        )

    async def delete_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it with its memories and its story, for good."""
        await self.call(
            "DELETE", f"/conversations/{_quoted(conversation_id)}", idempotency_key=idempotency_key, if_match=if_match
        )

    async def archive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Put it away: it leaves the active ones, and nothing of it is lost."""
        return await self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/archive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def unarchive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Take it out again."""
        return await self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/unarchive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def add_memory(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemory]
    ) -> types.Memory:
        """Remember one message."""
        return await self.call(
            "POST", f"/conversations/{_quoted(conversation_id)}/memories", idempotency_key=idempotency_key, body=given
        )

    def list_memories(
        self,
        conversation_id: str | UUID,
        *,
        order: Literal["asc", "desc"] | None = None,
        last: int | None = None,
        around: str | UUID | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.Memory]:
        """What was said in a conversation, in order. Beside `last` or `around` neither `order` nor `cursor` is given."""
        return self.pages(
            "GET",
            f"/conversations/{_quoted(conversation_id)}/memories",
            query={"order": order, "last": last, "around": around, "limit": limit},
        )

    async def add_memories(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemories]
    ) -> types.MemoriesAdded:
        """Remember up to 1,000 messages: all of them, or none."""
        return await self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/memories/batch",
            idempotency_key=idempotency_key,
            body=given,
        )

    async def put_memory(
        self,
        conversation_id: str | UUID,
        message_id: str,
        *,
        idempotency_key: str | None = None,
        **given: Unpack[types.PutMemory],
    ) -> types.Memory:
        """Put a message in place of that of this message id, such as a reply that was generated anew; or add it (201)."""
        return await self.call(
            "PUT",
            f"/conversations/{_quoted(conversation_id)}/memories/by-message-id/{_quoted(message_id)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    async def search_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemorySearch]
    ) -> types.MemoriesFound:
        """Ask for memories: the very messages that answer. What was added just now is found."""
        return await self.call("POST", "/memories/search", idempotency_key=idempotency_key, body=given)

    def filter_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemoryFilter]
    ) -> AsyncIterator[types.Memory]:
        """List memories by what is noted of them, the newest first. It travels in the body, as questions do."""
        return self.pages("POST", "/memories/filter", idempotency_key=idempotency_key, body=given)

    async def remember(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.RememberedMemory]
    ) -> types.Memory:
        """Remember one message in the conversation of an external id, which is begun if it is not there."""
        return await self.call("POST", "/memories", idempotency_key=idempotency_key, body=given)

    async def forget_memories(
        self,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        conversation_id: str | UUID | None = None,
        companion: str | None = None,
        idempotency_key: str | None = None,
    ) -> types.ForgottenMemories:
        """Delete what was said in a time for good, the oldest 100 of it first: ask again while there is `more`."""
        return await self.call(
            "DELETE",
            "/memories",
            query={"since": since, "until": until, "conversation_id": conversation_id, "companion": companion},
            idempotency_key=idempotency_key,
        )

    async def get_memory(self, memory_id: str | UUID) -> types.Memory:
        """One memory."""
        return await self.call("GET", f"/memories/{_quoted(memory_id)}")

    async def change_memory(
        self,
        memory_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ChangedMemory],
    ) -> types.Memory:
        """Correct what it says, who said it, or when; or when it is to be forgotten. Its story is rebuilt."""
        return await self.call(
            "PATCH", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def delete_memory(
        self, memory_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it for good. Search no longer finds it; its story is rebuilt."""
        await self.call("DELETE", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match)

    async def search_stories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.Search]
    ) -> types.Answer:
        """Ask for stories. The question travels in the body, so that it stands in no log of addresses."""
        return await self.call("POST", "/stories/search", idempotency_key=idempotency_key, body=given)

    def list_stories(self, *, limit: int | None = None) -> AsyncIterator[types.Story]:
        """The stories, the newest first."""
        return self.pages("GET", "/stories", query={"limit": limit})

    async def get_story(self, story_id: str | UUID) -> types.Story:
        """One story."""
        return await self.call("GET", f"/stories/{_quoted(story_id)}")

    async def correct_story(
        self,
        story_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.CorrectedStory],
    ) -> types.Story:
        """Put the person's own words in it. They stay when it is told anew."""
        return await self.call(
            "PATCH", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def delete_story(
        self, story_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete it. Its conversation stays, and is told again once something is added to it."""
        await self.call("DELETE", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match)

    async def rebuild_story(
        self,
        story_id: str | UUID,
        *,
        forget_corrections: bool | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> None:
        """Have it told anew. What was corrected stays, unless it is to be forgotten."""
        await self.call(
            "POST",
            f"/stories/{_quoted(story_id)}/rebuild",
            query={"forget_corrections": forget_corrections},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def list_people(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """The people that stories tell of, those of the most stories first."""
        return self.pages("GET", "/people", query={"limit": limit})

    def list_places(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """The places, those of the most stories first."""
        return self.pages("GET", "/places", query={"limit": limit})

    def list_events(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """The events, those of the most stories first."""
        return self.pages("GET", "/events", query={"limit": limit})
