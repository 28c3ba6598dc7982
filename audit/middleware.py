"""Middleware that records every request to personal data, and responds only after the row has committed.

Every view counts as touching personal data, unless it is marked `@no_personal_data`. The request and its row share one
transaction. For an API operation it begins with the operation: the preflight (vibe.core.http.operations) reads in
transactions of its own, and changes nothing. A response of 400 or more rolls the request back, and is recorded in a
transaction of its own.
A streamed response begins after the commit: code that still reads rows then must enter a scope of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any, TypeVar
from uuid import uuid4

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import Error as DatabaseError
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from audit.actors import Actor, Origin
from audit.client import (
    MAX_USER_AGENT,
    clean_user_agent,
    client_address,
    trusted_header,
    trusted_proxies,
    trusts_sockets,
)
from audit.context import AuditContext
from audit.errors import RowNotEncodable
from audit.services import FAILED, OK, REFUSED, record
from vibe.core.db.errors import DatabaseUnavailable, is_unavailable
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import AuditUnavailable, VibeError
from vibe.core.http.context import context_of, find_context
from vibe.core.http.error_pages import error_page
from vibe.core.http.responses import problem as problem_document
from vibe.core.logs.request_id import request_id

logger = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])
API = "ninja"  # the app name of django-ninja's URLs
SCOPES: dict[str, Callable[[], AbstractContextManager[None]]] = {"admin": as_support}


class RollBack(Exception):
    """A signal to roll back the transaction and return a response."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response


def no_personal_data(view: View) -> View:
    """Mark a view that can neither show nor change personal data."""
    view.no_personal_data = True  # type: ignore[attr-defined]
    return view


class AuditMiddleware:
    """Middleware that runs a view and records it; last in MIDDLEWARE, so that its transaction holds only the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = matched(request)
        if match is None or getattr(match.func, "no_personal_data", False):
            return self.get_response(request)
        context = context_of(request, AuditContext)
        context.entry.action = action_of(request, match)
        if match.app_name == API:  # the API does not authenticate by cookie
            context.actor = Actor.anonymous(context.origin)
        try:
            try:
                return self._within(request, match, context)
            except RollBack as undone:
                with transaction.atomic():
                    record_request(request, context, FAILED if undone.response.status_code >= 500 else REFUSED)
                return undone.response
        except (DatabaseError, RowNotEncodable, VibeError) as problem:
            return failed(request, problem)

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        """Respond to a VibeError or an unavailable database that a view did not handle."""
        if not isinstance(problem, VibeError) and not is_unavailable(problem):
            return None
        return failed(request, problem)

    def _within(self, request: HttpRequest, match: ResolverMatch, context: AuditContext) -> HttpResponseBase:
        with ExitStack() as transaction:
            context.begin = begin = cache(lambda: transaction.enter_context(scope_of(match, context)))
            if match.app_name != API:
                begin()
            response = self.get_response(request)
            if response.status_code >= 400:
                raise RollBack(response)
            begin()
            record_request(request, context, OK, last=True)
        return response


def scope_of(match: ResolverMatch, context: AuditContext) -> AbstractContextManager[None]:
    """Return the scope of the request's transaction. accounts.authentication has already identified API callers."""
    if match.app_name == API and context.person:
        return as_user(context.person)
    scope: Callable[[], AbstractContextManager[None]] = SCOPES.get(match.app_name, transaction.atomic)
    return scope()


def failed(request: HttpRequest, problem: Exception) -> HttpResponse:
    """Log a server error by its code, and return a response."""
    known = public_message(problem)
    if known.status >= 500:
        name = getattr(problem, "code", type(problem).__name__)
        logger.error("Request %s failed: %s", context_of(request, AuditContext).origin.request_id, name)
    return error_response(request, known)


def public_message(problem: Exception) -> VibeError:
    """Return the error to show. The database's own messages name host and user, so they are hidden."""
    if is_unavailable(problem):
        return DatabaseUnavailable()
    ours = isinstance(problem, VibeError) and not isinstance(problem, DatabaseError)
    return problem if ours else AuditUnavailable()  # type: ignore[return-value]


def error_response(request: HttpRequest, problem: VibeError) -> HttpResponse:
    """Return the response for an error."""
    match = request.resolver_match or matched(request)  # it may have failed before Django resolved the URL
    if match and match.app_name == API:
        return problem_document(problem, request_id=context_of(request, AuditContext).origin.request_id)
    return error_page(problem)


def record_request(request: HttpRequest, context: AuditContext, outcome: str, *, last: bool = False) -> None:
    """Record this request."""
    entry = context.entry
    record(
        actor=context.actor or actor_of(request, context.origin),
        action=entry.action,
        subject=entry.subject,
        resource=entry.resource or request.path,
        outcome=entry.outcome or outcome,
        reason=entry.reason,
        details=entry.details,
        last=last,
    )


def actor_of(request: HttpRequest, origin: Origin) -> Actor:
    """Return the signed-in user, or an anonymous client, as actor."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Actor.anonymous(origin)
    return actor_for(user, origin)


def actor_for(user: Any, origin: Origin) -> Actor:
    """Return an account as actor."""
    return Actor.staff(user.pk, origin) if user.is_staff else Actor.person(user.pk, origin)


def origin_of(request: HttpRequest) -> Origin:
    """Return address, user agent and a request id that the server generates."""
    return origin_from(request.META)


def origin_from(meta: Mapping[str, str]) -> Origin:
    """Return the origin from CGI variables (RFC 3875)."""
    return Origin(
        address=client_address(
            peer=meta.get("REMOTE_ADDR", ""),
            forwarded_for=header_is_present(meta.get("HTTP_X_FORWARDED_FOR")),
            forwarded=header_is_present(meta.get("HTTP_FORWARDED")),
            trusted=trusted_proxies(),
            header=trusted_header(),
            trust_socket=trusts_sockets(),
        ),
        user_agent=clean_user_agent(header_bytes(meta.get("HTTP_USER_AGENT", ""))),
        request_id=request_id() or uuid4().hex,
    )


def header_bytes(header: str) -> str | bytes:
    """Return a header's bytes, which WSGI passes as Latin-1; a text that is not Latin-1 stays as it is."""
    try:
        return header[: 4 * MAX_USER_AGENT].encode("latin-1")
    except UnicodeEncodeError:
        return header


def header_is_present(value: str | None) -> list[str]:
    """Return a header's values as a list; WSGI servers already join repeated ones with commas."""
    return [value] if value else []


def matched(request: HttpRequest) -> ResolverMatch | None:
    """Return the match for the requested URL, or None if there is none."""
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def action_of(request: HttpRequest, match: ResolverMatch) -> str:
    """Return a name such as `admin:accounts_user_changelist` or, for a change, `POST admin:...`."""
    name = match.view_name or match.func.__name__
    return name if request.method in ("GET", "HEAD") else f"{request.method} {name}"


@receiver(user_logged_in)
def signed_in(request: HttpRequest | None = None, **_: Any) -> None:
    """Record the action instead of the form's URL."""
    if context := find_context(request, AuditContext):
        context.entry.action = "sign-in"


@receiver(user_logged_out)
def signed_out(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    """Keep the actor, who is no longer signed in when the row is written."""
    if context := find_context(request, AuditContext):
        context.entry.action = "sign-out"
        if user is not None:
            context.actor = actor_for(user, context.origin)


@receiver(user_login_failed)
def sign_in_refused(request: HttpRequest | None = None, **_: Any) -> None:
    """Set the outcome, because a refused sign-in returns the form with status 200."""
    if context := find_context(request, AuditContext):
        context.entry.action, context.entry.outcome = "sign-in", REFUSED
