"""Admin of conversations and memories: metadata only, never their content."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.admin.grants import acting_staff
from accounts.admin.owned import OwnedAdmin
from accounts.admin.people import UserAdmin
from accounts.people.names import is_uuid
from memories.models import Conversation, Import, Memory
from memories.services.conversations import set_archived
from vibe.core.admin.confirmed_actions import Button, ConfirmedAction, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.links import page_link

UserAdmin.counted.append(Conversation)


def archive(request: HttpRequest, row: Conversation) -> str:
    """Archive a conversation."""
    set_archived(user_id=row.user_id, conversation_id=row.pk, archived=True, actor=acting_staff(request))
    return "Conversation archived."


def unarchive(request: HttpRequest, row: Conversation) -> str:
    """Unarchive a conversation."""
    set_archived(user_id=row.user_id, conversation_id=row.pk, archived=False, actor=acting_staff(request))
    return "Conversation unarchived."


@admin.register(Conversation)
class ConversationAdmin(OwnedAdmin):
    """Conversations by person and time. Title and description stay sealed."""

    search_help_text = "Email, Firebase UID or external id (or how it begins), id of the person or conversation"
    list_display = ("row_id", "person", "external_id", "memory_count", "is_archived", "active_at", "created_at")
    list_filter = ("is_archived",)
    date_hierarchy, happened = "created_at", "active_at"
    fields = (
        *("id", "person", "external_id", "is_archived", "memory_count"),
        *("started_at", "active_at", "revision", "created_at", "updated_at"),
    )
    empty_hint = "Conversations arrive through the API, or with: manage.py import_conversations"
    deeds = (
        ConfirmedAction(
            "archive",
            "Archive conversation",
            "The person finds this conversation among their archived ones. Nothing is removed.",
            *(archive, requires_permission("memories.change_conversation"), lambda _, row: not row.is_archived),
        ),
        ConfirmedAction(
            "unarchive",
            "Unarchive conversation",
            "The person finds this conversation among their active ones again.",
            *(unarchive, requires_permission("memories.change_conversation"), lambda _, row: row.is_archived),
        ),
    )

    def found(self, term: str) -> Q:
        return super().found(term) | named(term)


@admin.register(Memory)
class MemoryAdmin(OwnedAdmin):
    """Memories by conversation, person and message id. The payload stays sealed."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "conversation")
    list_display = ("row_id", "person", "in_conversation", "messages", "role", "occurred_at", "created_at")
    date_hierarchy, happened = "created_at", "occurred_at"
    search_help_text = "Email (or how it begins), Firebase UID, id of person, conversation or memory, or a message id"
    fields = (
        *("id", "person", "in_conversation", "messages", "role", "occurred_at", "expires_at"),
        *("revision", "created_at", "updated_at"),
    )
    empty_hint = "Memories arrive with their conversations."

    def buttons(self, request: HttpRequest, row: Memory) -> list[Button]:
        url = f"{reverse('admin:why_not_found', args=[row.user_id])}?{urlencode({'memory': row.pk})}"
        may = request.user.has_perm("stories.view_story")
        return [*([Button("Why was it not found?", url)] if may else []), *super().buttons(request, row)]

    def found(self, term: str) -> Q:
        if not is_uuid(term):
            return super().found(term) | Q(message_ids__contains=[term])
        return super().found(term) | of_conversation(UUID(term))

    @admin.display(description="Conversation")
    def in_conversation(self, row: Memory) -> SafeString:
        return page_link(Conversation, row.conversation_id)

    @admin.display(description="Message ids")
    def messages(self, row: Memory) -> str:
        return ", ".join(row.message_ids)


@admin.register(Import)
class ImportAdmin(OwnedAdmin):
    """Files that people upload. The file itself stays sealed; problems name lines and fields."""

    list_display = ("row_id", "person", "form", "standing", "progress", "size", "requested_at", "finished_at")
    list_filter = ("state", "form")
    date_hierarchy = "requested_at"
    fields = (
        *("id", "person", "form", "dry_run", "standing", "progress", "size", "counts", "passed_over"),
        *("problems", "problem", "requested_at", "finished_at"),
    )
    empty_hint = "A row appears when a person uploads a file of conversations."

    @label_column(
        "State",
        {"Done": "success", "Failed": "danger", "Uploading": "warning", "Waiting": "warning", "Running": "info"},
    )
    def standing(self, row: Import) -> str:
        return row.get_state_display()


def named(term: str) -> Q:
    """Return a filter for conversations by the name that their app gave them, or how it begins."""
    return Q(external_id=term) | Q(external_id__startswith=term)


def of_conversation(conversation_id: UUID) -> Q:
    """Return a filter for the rows of a conversation and its owner, with whom their index begins."""
    owner = Conversation.objects.filter(pk=conversation_id).values_list("user_id", flat=True).first()
    return Q(user_id=owner, conversation_id=conversation_id) if owner else Q(pk__in=())


def linked(model: Any, ids: list[UUID], *, at_most: int = 20) -> list[SafeString]:
    """Return links to rows by id, at most `at_most`."""
    return [page_link(model, pk) for pk in ids[:at_most]]
