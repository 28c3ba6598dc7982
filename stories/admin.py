"""Stories, passages, entities and search sets: what was built from what, when and how. Never a word of them."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.grants import acting_staff
from accounts.admin.owned import OwnedAdmin
from accounts.admin.people import UserAdmin
from accounts.people.names import is_uuid
from memories.admin import linked, of_conversation
from memories.models import Conversation, Memory
from stories.models import Entity, Fact, NextVector, Passage, PendingMemory, SearchSet, Story, TokenUse
from stories.rebuilding.services import rebuild_story
from vibe.core.admin.confirmed_actions import ConfirmedAction, requires_permission
from vibe.core.admin.links import page_link

UserAdmin.counted.append(Story)


def rebuild(request: HttpRequest, row: Story) -> str:
    """Have a story built again."""
    rebuild_story(user_id=row.user_id, story_id=row.pk, actor=acting_staff(request))
    return "The story will be rebuilt within seconds."


class CorrectedFilter(admin.SimpleListFilter):
    """Stories that their person corrected, or did not."""

    title = "corrected"
    parameter_name = "corrected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = {"yes": Q(corrected_at__isnull=False), "no": Q(corrected_at=None)}
        return queryset.filter(chosen.get(self.value() or "", Q()))


class FailedFilter(admin.SimpleListFilter):
    """Stories whose last build failed, or did not."""

    title = "last build"
    parameter_name = "build"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("fine", "Did not fail")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = {"failed": ~Q(failure=""), "fine": Q(failure="")}
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(Story)
class StoryAdmin(OwnedAdmin):
    """Stories by person, conversation and time."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "conversation")
    list_display = (
        "row_id",
        "person",
        "of_conversation",
        "memories",
        "occurred_from",
        "occurred_to",
        "is_open",
        "is_corrected",
        "built_at",
        "failure",
    )
    list_filter = ("is_open", FailedFilter, "in_graph", CorrectedFilter)
    date_hierarchy, happened = "created_at", "occurred_from"
    search_help_text = "Email (or how it begins), Firebase UID, id of person, conversation or story"
    fields = (
        *("id", "person", "of_conversation", "occurred_from", "occurred_to", "is_open", "memory_count"),
        *("from_memories", "processor", "embedder", "built_at", "due_at", "tries", "failure"),
        *("corrected_fields", "corrected_at", "in_graph", "revision", "created_at"),
    )
    empty_hint = "A story appears with the first message of its episode, and is built soon after."
    deeds = (
        ConfirmedAction(
            "rebuild",
            "Rebuild story",
            "This story is built again, even if its episode has not changed. What the person corrected stays.",
            *(rebuild, requires_permission("stories.change_story"), lambda _request, _row: True),
        ),
    )

    def found(self, term: str) -> Q:
        return super().found(term) | of_conversation(UUID(term)) if is_uuid(term) else super().found(term)

    @admin.display(description="Conversation")
    def of_conversation(self, row: Story) -> SafeString:
        return page_link(Conversation, row.conversation_id)

    @admin.display(description="Memories")
    def memories(self, row: Story) -> int:
        return row.memory_count

    @admin.display(description="Corrected", boolean=True)
    def is_corrected(self, row: Story) -> bool:
        return bool(row.corrected)

    @admin.display(description="Corrected by the person")
    def corrected_fields(self, row: Story) -> str:
        return ", ".join(row.corrected) or "-"

    @admin.display(description="From memories")
    def from_memories(self, row: Story) -> SafeString:
        shown = linked(Memory, row.memory_ids)
        links, more = format_html_join(", ", "{}", ((link,) for link in shown)), len(row.memory_ids) - len(shown)
        return format_html("{} and {} more", links, more) if more else links


@admin.register(Passage)
class PassageAdmin(OwnedAdmin):
    """What search runs on, by story."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "story", "memory")
    list_display = ("row_id", "person", "of_story", "of_memory", "part", "role", "length", "in_graph", "occurred_at")
    list_filter = ("in_graph", "role")
    fields = ("id", "person", "of_story", "of_memory", "part", "role", "length", "in_graph", "occurred_at")
    empty_hint = "Passages are written together with their memory."

    @admin.display(description="Story")
    def of_story(self, row: Passage) -> SafeString | str:
        return page_link(Story, row.story_id) if row.story_id else "deleted by the person"

    @admin.display(description="Memory")
    def of_memory(self, row: Passage) -> SafeString | str:
        return page_link(Memory, row.memory_id) if row.memory_id else "the person's correction"


@admin.register(PendingMemory)
class PendingMemoryAdmin(OwnedAdmin):
    """Memories that a job is to index, or to embed again."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "memory")
    list_display = ("row_id", "person", "of_memory", "bulk", "created_at")
    list_filter = ("bulk",)
    fields = ("id", "person", "of_memory", "bulk", "created_at")
    empty_hint = "Every memory is found by search."

    @admin.display(description="Memory")
    def of_memory(self, row: PendingMemory) -> SafeString:
        return page_link(Memory, row.memory_id)


@admin.register(Entity)
class EntityAdmin(OwnedAdmin):
    """How many speakers, people, places and events each person's stories have. Names and tokens are not shown."""

    list_display = ("row_id", "person", "kind")
    list_filter = ("kind",)
    fields = ("id", "person", "kind")
    empty_hint = "Entities are found while stories are built."


@admin.register(Fact)
class FactAdmin(OwnedAdmin):
    """How many statements of facts each memory has. What they say is opened under a grant alone."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "memory")
    list_display = ("row_id", "person", "of_memory", "created_at")
    fields = ("id", "person", "of_memory", "created_at")
    empty_hint = "Facts are read in what a person says of themselves, when it is added."

    @admin.display(description="Memory")
    def of_memory(self, row: Fact) -> SafeString | str:
        return page_link(Memory, row.memory_id) if row.memory_id else "the person's own word"


@admin.register(SearchSet)
class SearchSetAdmin(OwnedAdmin):
    """How much each person has to search, and how it is searched."""

    list_display = ("row_id", "person", "passages", "words", "strategy", "embedder")
    list_filter = ("in_graph",)
    fields = ("id", "person", "passages", "words", "strategy", "embedder")
    empty_hint = "A search set appears with a person's first memory."

    @admin.display(description="Search")
    def strategy(self, row: Any) -> str:
        return "HNSW" if row.in_graph else "exact"


@admin.register(NextVector)
class NextVectorAdmin(OwnedAdmin):
    """Vectors of another model, until a person's are exchanged: how far `reembed_stories` has come."""

    narrowed_by: ClassVar[tuple[str, ...]] = ("user", "story", "memory")
    list_display = ("row_id", "person", "of", "part", "revision", "embedder")
    fields = ("id", "person", "of", "part", "revision", "embedder")
    empty_hint = "No vectors are being recomputed."

    @admin.display(description="Of")
    def of(self, row: NextVector) -> SafeString:
        return page_link(Memory, row.memory_id) if row.memory_id else page_link(Story, row.story_id)


@admin.register(TokenUse)
class TokenUseAdmin(OwnedAdmin):
    """Tokens that a model service used, by person and day."""

    list_display = ("row_id", "person", "day", "tokens")
    fields = ("id", "person", "day", "tokens")
    empty_hint = "No tokens were used: stories are built offline, or no model service was called yet."
