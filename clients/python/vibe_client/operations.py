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
        """Return the person who is signed in."""
        return self.call("GET", "/me")

    def erase_me(self, *, idempotency_key: str | None = None) -> types.Erasure:
        """Schedule your erasure: all your data is deleted when the grace period ends. You cannot sign in from now on."""
        return self.call("DELETE", "/me", idempotency_key=idempotency_key)

    def get_preferences(self) -> types.Preferences:
        """Return all preferences."""
        return self.call("GET", "/me/preferences")

    def change_preferences(
        self, given: dict[str, Any], *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Preferences:
        """Change preferences by a JSON Merge Patch (RFC 7396): a null removes a key. All changes are made, or none."""
        return self.call("PATCH", "/me/preferences", idempotency_key=idempotency_key, if_match=if_match, body=given)

    def request_my_export(self, *, idempotency_key: str | None = None) -> types.Export:
        """Start an export of all your data as JSON Lines. If one is under way already, it is returned.

        With a credential of one companion it is of what was said to that companion."""
        return self.call("POST", "/me/export", idempotency_key=idempotency_key)

    def get_my_export(self) -> types.Export:
        """Return the state of the newest export, with its link once it is ready."""
        return self.call("GET", "/me/export")

    def download_my_export(self, *, link: str) -> str:
        """Download the newest export, decrypted. The download is recorded in the audit log."""
        return self.call("GET", "/me/export/file", query={"link": link})

    def list_access(self, *, limit: int | None = None) -> Iterator[types.Access]:
        """List who did what with your data, when and why."""
        return self.pages("GET", "/me/access-log", query={"limit": limit})

    def begin_my_import(self, *, idempotency_key: str | None = None, **given: Unpack[types.NewImport]) -> types.Import:
        """Begin an import of a file. Send its parts next, then start it. A person has one at a time."""
        return self.call("POST", "/me/import", idempotency_key=idempotency_key, body=given)

    def get_my_import(self) -> types.Import:
        """The newest import as it stands."""
        return self.call("GET", "/me/import")

    def get_import(self, import_id: str | UUID) -> types.Import:
        """One import as it stands: its progress, its counts and its problems by line."""
        return self.call("GET", f"/me/import/{_quoted(import_id)}")

    def cancel_import(self, import_id: str | UUID, *, idempotency_key: str | None = None) -> None:
        """Cancel an import that does not run yet, and remove what was uploaded."""
        self.call("DELETE", f"/me/import/{_quoted(import_id)}", idempotency_key=idempotency_key)

    def put_import_part(
        self, import_id: str | UUID, number: int, given: bytes, *, idempotency_key: str | None = None
    ) -> None:
        """Upload a part of the file: 4 MiB of bytes at most. Sent again, it replaces the one of that number."""
        self.call(
            "PUT",
            f"/me/import/{_quoted(import_id)}/parts/{_quoted(number)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    def start_import(
        self, import_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.StartedImport]
    ) -> types.Import:
        """Start the import, once all parts are uploaded. A job does it."""
        return self.call("POST", f"/me/import/{_quoted(import_id)}/start", idempotency_key=idempotency_key, body=given)

    def ensure_user(self, uid: str, **given: Unpack[types.EnsuredPerson]) -> types.Person:
        """Return the person with this UID; create them (201) if there is none."""
        return self.call("PUT", f"/users/{_quoted(uid)}", body=given)

    def get_user(self, uid: str) -> types.Person:
        """Return the person with this UID."""
        return self.call("GET", f"/users/{_quoted(uid)}")

    def deactivate_user(self, uid: str) -> types.Person:
        """Deactivate a person: their next request is refused. Their data stays, and support can undo it."""
        return self.call("POST", f"/users/{_quoted(uid)}/deactivate")

    def create_webhook(self, **given: Unpack[types.NewWebhook]) -> types.WebhookWithSecret:
        """Make a webhook of this API key. Its secret is in the answer, this once."""
        return self.call("POST", "/webhooks", body=given)

    def list_webhooks(self) -> types.Webhooks:
        """Return the webhooks of this API key, ten at most, the oldest first."""
        return self.call("GET", "/webhooks")

    def get_webhook(self, webhook_id: str | UUID) -> types.Webhook:
        """Return a webhook of this API key."""
        return self.call("GET", f"/webhooks/{_quoted(webhook_id)}")

    def change_webhook(self, webhook_id: str | UUID, **given: Unpack[types.ChangedWebhook]) -> types.Webhook:
        """Change the address or the events of a webhook, disable it, or enable it again."""
        return self.call("PATCH", f"/webhooks/{_quoted(webhook_id)}", body=given)

    def delete_webhook(self, webhook_id: str | UUID) -> None:
        """Delete a webhook, its secrets and its deliveries."""
        self.call("DELETE", f"/webhooks/{_quoted(webhook_id)}")

    def rotate_webhook_secret(self, webhook_id: str | UUID) -> types.WebhookWithSecret:
        """Give a webhook a new secret. It is in the answer, this once; for a day the one of before signs too."""
        return self.call("POST", f"/webhooks/{_quoted(webhook_id)}/rotate-secret")

    def create_conversation(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.NewConversation]
    ) -> types.Conversation:
        """Create a conversation."""
        return self.call("POST", "/conversations", idempotency_key=idempotency_key, body=given)

    def list_conversations(
        self,
        *,
        archived: bool | None = None,
        companion: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[types.Conversation]:
        """List conversations, the most recently active first: active, archived, or those of given ids."""
        return self.pages(
            "GET",
            "/conversations",
            query={"archived": archived, "companion": companion, "external_id": external_id, "limit": limit},
        )

    def ensure_conversation(
        self, external_id: str, *, idempotency_key: str | None = None, **given: Unpack[types.EnsuredConversation]
    ) -> types.Conversation:
        """Return the conversation with this external id; create it (201) if there is none."""
        return self.call(
            "PUT", f"/conversations/by-external-id/{_quoted(external_id)}", idempotency_key=idempotency_key, body=given
        )

    def get_conversation(self, conversation_id: str | UUID) -> types.Conversation:
        """Return a conversation."""
        return self.call("GET", f"/conversations/{_quoted(conversation_id)}")

    def change_conversation(
        self,
        conversation_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ConversationTexts],
    ) -> types.Conversation:
        """Change the title or description by a JSON Merge Patch: a null removes it."""
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
        """Delete a conversation with its memories and stories, for good."""
        self.call(
            "DELETE", f"/conversations/{_quoted(conversation_id)}", idempotency_key=idempotency_key, if_match=if_match
        )

    def archive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Archive a conversation: it leaves the active ones, and nothing of it is lost."""
        return self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/archive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def unarchive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Make an archived conversation active again."""
        return self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/unarchive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def add_memory(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemory]
    ) -> types.Memory:
        """Add one message."""
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
        """List the messages of a conversation in order. `last` and `around` exclude `order` and `cursor`."""
        return self.pages(
            "GET",
            f"/conversations/{_quoted(conversation_id)}/memories",
            query={"order": order, "last": last, "around": around, "limit": limit},
        )

    def add_memories(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemories]
    ) -> types.MemoriesAdded:
        """Add up to 1,000 messages: all of them, or none."""
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
        """Replace the message with this message id, such as a regenerated reply; add it (201) if there is none."""
        return self.call(
            "PUT",
            f"/conversations/{_quoted(conversation_id)}/memories/by-message-id/{_quoted(message_id)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    def search_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemorySearch]
    ) -> types.MemoriesFound:
        """Search memories: the messages that bear on a question. What was just added is found."""
        return self.call("POST", "/memories/search", idempotency_key=idempotency_key, body=given)

    def filter_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemoryFilter]
    ) -> Iterator[types.Memory]:
        """List memories by their metadata, the newest first. The filter is in the body, so that no log of URLs holds it."""
        return self.pages("POST", "/memories/filter", idempotency_key=idempotency_key, body=given)

    def remember(self, *, idempotency_key: str | None = None, **given: Unpack[types.RememberedMemory]) -> types.Memory:
        """Add one message to the conversation with an external id, which is created if there is none."""
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
        """Delete the memories of a period for good, the oldest 100 at a time: call again while `more` is true."""
        return self.call(
            "DELETE",
            "/memories",
            query={"since": since, "until": until, "conversation_id": conversation_id, "companion": companion},
            idempotency_key=idempotency_key,
        )

    def get_memory(self, memory_id: str | UUID) -> types.Memory:
        """Return a memory."""
        return self.call("GET", f"/memories/{_quoted(memory_id)}")

    def change_memory(
        self,
        memory_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ChangedMemory],
    ) -> types.Memory:
        """Correct the text, author, time or expiry of a memory. Its story is rebuilt."""
        return self.call(
            "PATCH", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    def delete_memory(
        self, memory_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete a memory for good. Search no longer finds it; its story is rebuilt."""
        self.call("DELETE", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match)

    def read_context(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.WantedContext]
    ) -> types.Context:
        """What is known that bears on a message, ready for a prompt: one call before a companion answers."""
        return self.call("POST", "/context", idempotency_key=idempotency_key, body=given)

    def search_stories(self, *, idempotency_key: str | None = None, **given: Unpack[types.Search]) -> types.Answer:
        """Search stories. The question is in the body, so that no log of URLs holds it."""
        return self.call("POST", "/stories/search", idempotency_key=idempotency_key, body=given)

    def list_stories(self, *, limit: int | None = None) -> Iterator[types.Story]:
        """List stories, the newest first."""
        return self.pages("GET", "/stories", query={"limit": limit})

    def get_story(self, story_id: str | UUID) -> types.Story:
        """Return a story."""
        return self.call("GET", f"/stories/{_quoted(story_id)}")

    def correct_story(
        self,
        story_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.CorrectedStory],
    ) -> types.Story:
        """Correct a story in the person's own words. Corrections survive a rebuild."""
        return self.call(
            "PATCH", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    def delete_story(
        self, story_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete a story. Its messages stay and are found by search; no other story is made of them."""
        self.call("DELETE", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match)

    def rebuild_story(
        self,
        story_id: str | UUID,
        *,
        forget_corrections: bool | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> None:
        """Rebuild a story. Corrections stay, unless the request discards them."""
        self.call(
            "POST",
            f"/stories/{_quoted(story_id)}/rebuild",
            query={"forget_corrections": forget_corrections},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def list_facts(
        self, *, as_of: str | datetime | None = None, history: bool | None = None, attribute: str | None = None
    ) -> types.Facts:
        """What holds now, or held at a moment, or all that ever did; the newest learned first."""
        return self.call("GET", "/facts", query={"as_of": as_of, "history": history, "attribute": attribute})

    def correct_fact(
        self, fact_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.CorrectedFact]
    ) -> types.Fact:
        """Put the person's word in its place, or say when it began or ended. It outranks what was said before."""
        return self.call("PATCH", f"/facts/{_quoted(fact_id)}", idempotency_key=idempotency_key, body=given)

    def forget_fact(
        self, fact_id: str | UUID, *, with_memories: bool | None = None, idempotency_key: str | None = None
    ) -> None:
        """Forget it. It is not learned again from what was said before; on request its memories are deleted too."""
        self.call(
            "DELETE",
            f"/facts/{_quoted(fact_id)}",
            query={"with_memories": with_memories},
            idempotency_key=idempotency_key,
        )

    def list_people(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """List the people in stories, those in the most stories first."""
        return self.pages("GET", "/people", query={"limit": limit})

    def list_places(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """List the places in stories, those in the most stories first."""
        return self.pages("GET", "/places", query={"limit": limit})

    def list_events(self, *, limit: int | None = None) -> Iterator[types.Entity]:
        """List the events in stories, those in the most stories first."""
        return self.pages("GET", "/events", query={"limit": limit})


class AsyncOperations:
    """All operations, for `AsyncVibe`."""

    async def call(self, method: str, path: str, **how: Any) -> Any:
        raise NotImplementedError

    def pages(self, method: str, path: str, **how: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    async def get_me(self) -> types.Me:
        """Return the person who is signed in."""
        return await self.call("GET", "/me")

    async def erase_me(self, *, idempotency_key: str | None = None) -> types.Erasure:
        """Schedule your erasure: all your data is deleted when the grace period ends. You cannot sign in from now on."""
        return await self.call("DELETE", "/me", idempotency_key=idempotency_key)

    async def get_preferences(self) -> types.Preferences:
        """Return all preferences."""
        return await self.call("GET", "/me/preferences")

    async def change_preferences(
        self, given: dict[str, Any], *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Preferences:
        """Change preferences by a JSON Merge Patch (RFC 7396): a null removes a key. All changes are made, or none."""
        return await self.call(
            "PATCH", "/me/preferences", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def request_my_export(self, *, idempotency_key: str | None = None) -> types.Export:
        """Start an export of all your data as JSON Lines. If one is under way already, it is returned.

        With a credential of one companion it is of what was said to that companion."""
        return await self.call("POST", "/me/export", idempotency_key=idempotency_key)

    async def get_my_export(self) -> types.Export:
        """Return the state of the newest export, with its link once it is ready."""
        return await self.call("GET", "/me/export")

    async def download_my_export(self, *, link: str) -> str:
        """Download the newest export, decrypted. The download is recorded in the audit log."""
        return await self.call("GET", "/me/export/file", query={"link": link})

    def list_access(self, *, limit: int | None = None) -> AsyncIterator[types.Access]:
        """List who did what with your data, when and why."""
        return self.pages("GET", "/me/access-log", query={"limit": limit})

    async def begin_my_import(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.NewImport]
    ) -> types.Import:
        """Begin an import of a file. Send its parts next, then start it. A person has one at a time."""
        return await self.call("POST", "/me/import", idempotency_key=idempotency_key, body=given)

    async def get_my_import(self) -> types.Import:
        """The newest import as it stands."""
        return await self.call("GET", "/me/import")

    async def get_import(self, import_id: str | UUID) -> types.Import:
        """One import as it stands: its progress, its counts and its problems by line."""
        return await self.call("GET", f"/me/import/{_quoted(import_id)}")

    async def cancel_import(self, import_id: str | UUID, *, idempotency_key: str | None = None) -> None:
        """Cancel an import that does not run yet, and remove what was uploaded."""
        await self.call("DELETE", f"/me/import/{_quoted(import_id)}", idempotency_key=idempotency_key)

    async def put_import_part(
        self, import_id: str | UUID, number: int, given: bytes, *, idempotency_key: str | None = None
    ) -> None:
        """Upload a part of the file: 4 MiB of bytes at most. Sent again, it replaces the one of that number."""
        await self.call(
            "PUT",
            f"/me/import/{_quoted(import_id)}/parts/{_quoted(number)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    async def start_import(
        self, import_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.StartedImport]
    ) -> types.Import:
        """Start the import, once all parts are uploaded. A job does it."""
        return await self.call(
            "POST", f"/me/import/{_quoted(import_id)}/start", idempotency_key=idempotency_key, body=given
        )

    async def ensure_user(self, uid: str, **given: Unpack[types.EnsuredPerson]) -> types.Person:
        """Return the person with this UID; create them (201) if there is none."""
        return await self.call("PUT", f"/users/{_quoted(uid)}", body=given)

    async def get_user(self, uid: str) -> types.Person:
        """Return the person with this UID."""
        return await self.call("GET", f"/users/{_quoted(uid)}")

    async def deactivate_user(self, uid: str) -> types.Person:
        """Deactivate a person: their next request is refused. Their data stays, and support can undo it."""
        return await self.call("POST", f"/users/{_quoted(uid)}/deactivate")

    async def create_webhook(self, **given: Unpack[types.NewWebhook]) -> types.WebhookWithSecret:
        """Make a webhook of this API key. Its secret is in the answer, this once."""
        return await self.call("POST", "/webhooks", body=given)

    async def list_webhooks(self) -> types.Webhooks:
        """Return the webhooks of this API key, ten at most, the oldest first."""
        return await self.call("GET", "/webhooks")

    async def get_webhook(self, webhook_id: str | UUID) -> types.Webhook:
        """Return a webhook of this API key."""
        return await self.call("GET", f"/webhooks/{_quoted(webhook_id)}")

    async def change_webhook(self, webhook_id: str | UUID, **given: Unpack[types.ChangedWebhook]) -> types.Webhook:
        """Change the address or the events of a webhook, disable it, or enable it again."""
        return await self.call("PATCH", f"/webhooks/{_quoted(webhook_id)}", body=given)

    async def delete_webhook(self, webhook_id: str | UUID) -> None:
        """Delete a webhook, its secrets and its deliveries."""
        await self.call("DELETE", f"/webhooks/{_quoted(webhook_id)}")

    async def rotate_webhook_secret(self, webhook_id: str | UUID) -> types.WebhookWithSecret:
        """Give a webhook a new secret. It is in the answer, this once; for a day the one of before signs too."""
        return await self.call("POST", f"/webhooks/{_quoted(webhook_id)}/rotate-secret")

    async def create_conversation(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.NewConversation]
    ) -> types.Conversation:
        """Create a conversation."""
        return await self.call("POST", "/conversations", idempotency_key=idempotency_key, body=given)

    def list_conversations(
        self,
        *,
        archived: bool | None = None,
        companion: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.Conversation]:
        """List conversations, the most recently active first: active, archived, or those of given ids."""
        return self.pages(
            "GET",
            "/conversations",
            query={"archived": archived, "companion": companion, "external_id": external_id, "limit": limit},
        )

    async def ensure_conversation(
        self, external_id: str, *, idempotency_key: str | None = None, **given: Unpack[types.EnsuredConversation]
    ) -> types.Conversation:
        """Return the conversation with this external id; create it (201) if there is none."""
        return await self.call(
            "PUT", f"/conversations/by-external-id/{_quoted(external_id)}", idempotency_key=idempotency_key, body=given
        )

    async def get_conversation(self, conversation_id: str | UUID) -> types.Conversation:
        """Return a conversation."""
        return await self.call("GET", f"/conversations/{_quoted(conversation_id)}")

    async def change_conversation(
        self,
        conversation_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ConversationTexts],
    ) -> types.Conversation:
        """Change the title or description by a JSON Merge Patch: a null removes it."""
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
        """Delete a conversation with its memories and stories, for good."""
        await self.call(
            "DELETE", f"/conversations/{_quoted(conversation_id)}", idempotency_key=idempotency_key, if_match=if_match
        )

    async def archive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Archive a conversation: it leaves the active ones, and nothing of it is lost."""
        return await self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/archive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def unarchive_conversation(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> types.Conversation:
        """Make an archived conversation active again."""
        return await self.call(
            "POST",
            f"/conversations/{_quoted(conversation_id)}/unarchive",
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def add_memory(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemory]
    ) -> types.Memory:
        """Add one message."""
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
        """List the messages of a conversation in order. `last` and `around` exclude `order` and `cursor`."""
        return self.pages(
            "GET",
            f"/conversations/{_quoted(conversation_id)}/memories",
            query={"order": order, "last": last, "around": around, "limit": limit},
        )

    async def add_memories(
        self, conversation_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.AddedMemories]
    ) -> types.MemoriesAdded:
        """Add up to 1,000 messages: all of them, or none."""
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
        """Replace the message with this message id, such as a regenerated reply; add it (201) if there is none."""
        return await self.call(
            "PUT",
            f"/conversations/{_quoted(conversation_id)}/memories/by-message-id/{_quoted(message_id)}",
            idempotency_key=idempotency_key,
            body=given,
        )

    async def search_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemorySearch]
    ) -> types.MemoriesFound:
        """Search memories: the messages that bear on a question. What was just added is found."""
        return await self.call("POST", "/memories/search", idempotency_key=idempotency_key, body=given)

    def filter_memories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.MemoryFilter]
    ) -> AsyncIterator[types.Memory]:
        """List memories by their metadata, the newest first. The filter is in the body, so that no log of URLs holds it."""
        return self.pages("POST", "/memories/filter", idempotency_key=idempotency_key, body=given)

    async def remember(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.RememberedMemory]
    ) -> types.Memory:
        """Add one message to the conversation with an external id, which is created if there is none."""
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
        """Delete the memories of a period for good, the oldest 100 at a time: call again while `more` is true."""
        return await self.call(
            "DELETE",
            "/memories",
            query={"since": since, "until": until, "conversation_id": conversation_id, "companion": companion},
            idempotency_key=idempotency_key,
        )

    async def get_memory(self, memory_id: str | UUID) -> types.Memory:
        """Return a memory."""
        return await self.call("GET", f"/memories/{_quoted(memory_id)}")

    async def change_memory(
        self,
        memory_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.ChangedMemory],
    ) -> types.Memory:
        """Correct the text, author, time or expiry of a memory. Its story is rebuilt."""
        return await self.call(
            "PATCH", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def delete_memory(
        self, memory_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete a memory for good. Search no longer finds it; its story is rebuilt."""
        await self.call("DELETE", f"/memories/{_quoted(memory_id)}", idempotency_key=idempotency_key, if_match=if_match)

    async def read_context(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.WantedContext]
    ) -> types.Context:
        """What is known that bears on a message, ready for a prompt: one call before a companion answers."""
        return await self.call("POST", "/context", idempotency_key=idempotency_key, body=given)

    async def search_stories(
        self, *, idempotency_key: str | None = None, **given: Unpack[types.Search]
    ) -> types.Answer:
        """Search stories. The question is in the body, so that no log of URLs holds it."""
        return await self.call("POST", "/stories/search", idempotency_key=idempotency_key, body=given)

    def list_stories(self, *, limit: int | None = None) -> AsyncIterator[types.Story]:
        """List stories, the newest first."""
        return self.pages("GET", "/stories", query={"limit": limit})

    async def get_story(self, story_id: str | UUID) -> types.Story:
        """Return a story."""
        return await self.call("GET", f"/stories/{_quoted(story_id)}")

    async def correct_story(
        self,
        story_id: str | UUID,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        **given: Unpack[types.CorrectedStory],
    ) -> types.Story:
        """Correct a story in the person's own words. Corrections survive a rebuild."""
        return await self.call(
            "PATCH", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match, body=given
        )

    async def delete_story(
        self, story_id: str | UUID, *, idempotency_key: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete a story. Its messages stay and are found by search; no other story is made of them."""
        await self.call("DELETE", f"/stories/{_quoted(story_id)}", idempotency_key=idempotency_key, if_match=if_match)

    async def rebuild_story(
        self,
        story_id: str | UUID,
        *,
        forget_corrections: bool | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> None:
        """Rebuild a story. Corrections stay, unless the request discards them."""
        await self.call(
            "POST",
            f"/stories/{_quoted(story_id)}/rebuild",
            query={"forget_corrections": forget_corrections},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def list_facts(
        self, *, as_of: str | datetime | None = None, history: bool | None = None, attribute: str | None = None
    ) -> types.Facts:
        """What holds now, or held at a moment, or all that ever did; the newest learned first."""
        return await self.call("GET", "/facts", query={"as_of": as_of, "history": history, "attribute": attribute})

    async def correct_fact(
        self, fact_id: str | UUID, *, idempotency_key: str | None = None, **given: Unpack[types.CorrectedFact]
    ) -> types.Fact:
        """Put the person's word in its place, or say when it began or ended. It outranks what was said before."""
        return await self.call("PATCH", f"/facts/{_quoted(fact_id)}", idempotency_key=idempotency_key, body=given)

    async def forget_fact(
        self, fact_id: str | UUID, *, with_memories: bool | None = None, idempotency_key: str | None = None
    ) -> None:
        """Forget it. It is not learned again from what was said before; on request its memories are deleted too."""
        await self.call(
            "DELETE",
            f"/facts/{_quoted(fact_id)}",
            query={"with_memories": with_memories},
            idempotency_key=idempotency_key,
        )

    def list_people(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """List the people in stories, those in the most stories first."""
        return self.pages("GET", "/people", query={"limit": limit})

    def list_places(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """List the places in stories, those in the most stories first."""
        return self.pages("GET", "/places", query={"limit": limit})

    def list_events(self, *, limit: int | None = None) -> AsyncIterator[types.Entity]:
        """List the events in stories, those in the most stories first."""
        return self.pages("GET", "/events", query={"limit": limit})
