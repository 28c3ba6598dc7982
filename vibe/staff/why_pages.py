"""Why was it not found? Without a grant, what metadata tells; under one, the person's question asked as they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin.grants import acting_staff
from accounts.admin.owned import label_of
from accounts.grants import services as grants
from accounts.models import AccessGrant, User
from memories.models import Memory
from stories.models import Story
from stories.search.answers import FoundMemory
from stories.search.services import MOST_STORIES, search_memories
from vibe.core.admin.base import note_viewed
from vibe.core.admin.links import page_url
from vibe.core.admin.sudo_mode import asks_for_no_password
from vibe.staff.content_pages import count, shown, under_a_grant
from vibe.staff.findability import Fact, Findable, facts_of_person, find, unindexed

SHOWN: Final = 20
NEEDED: Final = ("memories.view_memory", "stories.view_story")
PARTS: Final = {
    "words": "words of the question",
    "neighbours": "words of the messages beside it",
    "vector": "meaning",
    "other_language": "meaning, in another language",
    "substance": "length",
    "dated": "names a time",
    "asking": "is a question itself",
    "conversation": "its conversation",
    "speaker": "said by whom the question is about",
    "time": "said at the time asked about",
    "assistant": "said by an assistant",
    "newest": "new",
}


@dataclass(frozen=True, slots=True)
class Result:
    """A memory that came: its place, and what made up its score."""

    place: int
    found: FoundMemory = field(repr=False)
    parts: str
    is_sought: bool


class LookForm(forms.Form):
    """Which memory should have been found."""

    memory = forms.CharField(
        label="Memory",
        max_length=200,
        strip=True,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The id of the memory that should have been found, or its message id.",
    )


class QuestionForm(LookForm):
    """The person's question, as they asked it."""

    question = forms.CharField(
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="As the person asked it. It is stored nowhere; that you asked is recorded.",
    )
    asked_at = forms.SplitDateTimeField(
        label="Asked at (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text='"Last week" is reckoned from then. Left out: from now.',
    )
    field_order = ("question", "asked_at", "memory")


@require_GET
def why_not_found(request: HttpRequest, user_id: UUID, *, site: Any) -> HttpResponse:
    """Show what metadata tells of a person's index, and of one memory."""
    note_viewed(request, f"users/{user_id}/index", user_id)
    if not all(map(request.user.has_perm, NEEDED)):
        raise PermissionDenied
    person = User.objects.only("email", "firebase_uid").filter(pk=user_id, is_staff=False).first()
    if person is None:
        raise Http404("There is no such person.")
    form = LookForm(request.GET if "memory" in request.GET else None)
    term = form.cleaned_data["memory"] if form.is_bound and form.is_valid() else ""
    staff: Any = request.user
    granted = grants.grant_in_force(user_id, staff)
    request.current_app = site.name  # type: ignore[attr-defined]
    context = {
        **site.each_context(request),
        "title": f"Why was it not found? {label_of(person)}",
        "person": label_of(person),
        "person_url": page_url(User, user_id),
        "look": form,
        "facts": facts_of_person(user_id),
        **_sought(request, user_id, term),
        "ask_url": reverse("admin:why_asked", args=[user_id]) if granted else "",
        "access_url": reverse("admin:accounts_accessgrant_ask", args=[user_id]) if grants.may_ask(staff) else "",
    }
    return TemplateResponse(request, "vibe/admin/why.html", context)


@asks_for_no_password
@under_a_grant("question", methods=("GET", "POST"))
def why_asked(request: HttpRequest, user_id: UUID, grant: AccessGrant, *, site: Any) -> HttpResponse:
    """Ask the person's question, sent in the body so that no log of addresses has it, and show what came and why."""
    form = QuestionForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "why_url": reverse("admin:why_not_found", args=[user_id])}
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        answer = search_memories(
            user_id=user_id,
            question=given["question"],
            actor=acting_staff(request),
            limit=MOST_STORIES,
            asked_at=given["asked_at"] or timezone.now(),
        )
        sought = _sought(request, user_id, given["memory"])
        wanted = {each.memory.pk for each in sought["sought"]}
        results = [_result(place, found, wanted) for place, found in enumerate(answer.memories, start=1)]
        shown_ones = [each for each in results if each.place <= SHOWN or each.is_sought]
        count(request, shown_ones)
        context |= {
            **sought,
            "answer": answer,
            "pending": unindexed(answer.pending) if answer.pending else "",
            "results": shown_ones,
            "verdict": _verdict(results, sought["sought"]),
        }
    return shown(request, "vibe/admin/why_asked.html", site, grant, "A question", **context)


def _sought(request: HttpRequest, user_id: UUID, term: str) -> dict[str, Any]:
    """Return what is known of the memory that should have been found."""
    found: list[Findable] | Fact = []
    if term:
        found = find(user_id, term, with_audit_log=request.user.has_perm("audit.view_auditlog"))
    links = {} if isinstance(found, Fact) else {each.memory.pk: page_url(Memory, each.memory.pk) for each in found}
    return {
        "term": term,
        "missing": found if isinstance(found, Fact) else None,
        "sought": [] if isinstance(found, Fact) else found,
        "rows": []
        if isinstance(found, Fact)
        else [(each, links[each.memory.pk], page_url(Story, each.story_id) if each.story_id else "") for each in found],
    }


def _result(place: int, found: FoundMemory, wanted: set[UUID]) -> Result:
    best_first = sorted(found.why.items(), key=lambda part: -part[1])
    parts = ", ".join(f"{PARTS.get(name, name)} {value:+.2f}" for name, value in best_first)
    same = {found.id, *(copy.id for copy in found.copies)}
    return Result(place, found, parts, not wanted.isdisjoint(same))


def _verdict(results: list[Result], sought: list[Findable]) -> str:
    """Return where what was sought came, in words; nothing without."""
    if not sought:
        return ""
    if place := next((each.place for each in results if each.is_sought), None):
        return f"It came at place {place} of {len(results)}."
    if any(fact.stops for each in sought for fact in each.facts):
        return "It did not come. What is marked below is why."
    return f"It is in the index and did not come among the first {len(results)}: others fit the question better."
