"""The pages that show one person's content to the member of staff who has a grant for it.

The grant is looked up on every request, as support and by the database's clock, before anything is opened. The
request's row in the audit log names the grant, and the response is sent only after that row has committed. Errors are
reported by type alone: an error page must not contain what was being shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.admin.owned import label_of
from accounts.grants import services as grants
from accounts.models import AccessGrant, User
from vibe.core.admin.base import note_viewed
from vibe.core.admin.links import page_url
from vibe.core.db.errors import DatabaseUnavailable, is_unavailable
from vibe.core.errors import Refused, VibeError
from vibe.core.http.context import RequestContext, context_of
from vibe.core.http.error_pages import error_page
from vibe.staff import content

HIGHEST_PAGE = 10_000
View = Callable[..., HttpResponse]


class NotShown(VibeError):
    message = "The content could not be shown."
    code = "not-shown"


def under_a_grant(part: str, *, methods: Sequence[str] = ("GET",)) -> Callable[[View], View]:
    """Require a grant in force for a view of a person's content, record it, and hide the details of errors."""

    def mark(view: View) -> View:
        @require_http_methods(methods)
        @wraps(view)
        @sensitive_variables()
        def guarded(request: HttpRequest, user_id: UUID, **place: Any) -> HttpResponse:
            note_viewed(request, resource(user_id, part, place), user_id)
            try:
                grant = grants.require_grant(user_id, request.user)  # type: ignore[arg-type]
            except Refused as problem:
                return error_page(problem, page_url(User, user_id))
            remark(request, grant)
            try:
                return unkept(view(request, user_id, grant, **place))
            except (Http404, PermissionDenied, VibeError):
                raise
            except Exception as problem:
                if is_unavailable(problem):
                    raise DatabaseUnavailable from None
                raise NotShown(f"{part.capitalize()} could not be shown: {type(problem).__name__}.") from None

        return guarded

    return mark


@under_a_grant("content")
def overview(request: HttpRequest, user_id: UUID, grant: AccessGrant, *, site: Any) -> HttpResponse:
    """Show the titles of a person's conversations."""
    page = content.conversations(user_id, page_asked_for(request))
    count(request, page.rows)
    return shown(request, "vibe/admin/content.html", site, grant, "Content", page=page)


@under_a_grant("facts")
def facts(request: HttpRequest, user_id: UUID, grant: AccessGrant, *, site: Any) -> HttpResponse:
    """Show what is, and was, true of a person."""
    page = content.facts(user_id, page_asked_for(request))
    count(request, page.rows)
    return shown(request, "vibe/admin/person_facts.html", site, grant, "Facts", page=page)


@under_a_grant("conversation")
def reading(
    request: HttpRequest, user_id: UUID, grant: AccessGrant, *, conversation_id: UUID, site: Any
) -> HttpResponse:
    """Show the memories of one conversation, and its story."""
    found = content.conversation(user_id, conversation_id, page_asked_for(request))
    if found is None:
        raise Http404("There is no such conversation.")
    count(request, found.memories.rows)
    return shown(request, "vibe/admin/reading.html", site, grant, "Conversation", reading=found, page=found.memories)


def shown(
    request: HttpRequest, template: str, site: Any, grant: AccessGrant, title: str, **context: Any
) -> HttpResponse:
    """Render a page at once, so that a template error is caught where content is protected."""
    request.current_app = site.name  # type: ignore[attr-defined]
    person = User.objects.only("email", "firebase_uid").get(pk=grant.user_id)
    whole = {
        **site.each_context(request),
        "title": f"{title} of {label_of(person)}",
        "person": label_of(person),
        "person_url": page_url(User, person.pk),
        "grant": grant,
        "grant_url": page_url(AccessGrant, grant.pk),
        "content_url": reverse("admin:person_content", args=[grant.user_id]),
        **context,
    }
    return render(request, template, whole)


def resource(user_id: UUID, part: str, place: dict[str, Any]) -> str:
    """Return the name of what was viewed, for the audit log."""
    of_conversation = place.get("conversation_id")
    return f"conversations/{of_conversation}/content" if of_conversation else f"users/{user_id}/{part}"


def remark(request: HttpRequest, grant: AccessGrant) -> None:
    """Record the grant, its reason and its ticket in the audit entry."""
    entry = context_of(request, RequestContext).entry
    entry.action, entry.reason = "content.read", grant.reason
    entry.details.update(grant=str(grant.pk), ticket=grant.ticket, **({"sole": True} if grant.sole else {}))


def count(request: HttpRequest, rows: list[Any]) -> None:
    """Record how many rows were shown."""
    context_of(request, RequestContext).entry.details["rows"] = len(rows)


def page_asked_for(request: HttpRequest) -> int:
    """Return the requested page number, from 1 to HIGHEST_PAGE."""
    text = request.GET.get("page", "1")
    return min(max(int(text), 1), HIGHEST_PAGE) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def unkept(response: HttpResponse) -> HttpResponse:
    """Forbid caches and browsers to store a response, and to send its address to other sites.

    To our own it is sent: without it a browser gives a form no origin, and Django refuses it.
    """
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
