"""Identification and rate limiting of API callers, before the request's transaction begins.

First sign-ins and request counts are committed here, whatever the outcome of the request. A response of 400 or more
rolls back everything inside.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts.authentication import rate_limit_store
from accounts.authentication.caller import Caller, CallerContext
from accounts.authentication.errors import PersonNotNamed, SignInUnavailable, TooManyRequests
from accounts.authentication.rate_limit_store import rates
from accounts.authentication.sign_in import authenticate
from audit.actors import Actor, Origin
from audit.services import REFUSED, record
from vibe.core.errors import AuditUnavailable, VibeError
from vibe.core.http.context import context_of
from vibe.core.http.rate_limits import Rate, RateLimitResult, cost_of_body
from vibe.core.http.responses import add_security_headers, problem

logger = logging.getLogger(__name__)
PREFIX = "/api/"


class AuthenticationMiddleware:
    """Middleware that identifies and limits callers, directly before that of the audit log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        context, said = context_of(request, CallerContext), request.headers
        origin = context.origin
        cost = cost_of_body(request.META.get("CONTENT_LENGTH") or "0")
        caller, verdict = identify(said.get("Authorization", ""), said.get("Vibe-Person", ""), origin, cost)
        context.caller, context.person = caller, caller.user_id if isinstance(caller, Caller) else None
        if verdict and not verdict.allowed:
            response: HttpResponseBase = too_many_requests(request.path, caller, verdict, origin)
        else:
            response = self.get_response(request)
        for name, value in (verdict.headers if verdict else {}).items():
            response.headers[name] = value
        add_security_headers(response)
        return response


def identify(
    authorization: str, person: str, origin: Origin, cost: int = 1
) -> tuple[Caller | VibeError, RateLimitResult | None]:
    """Return the caller named by the two headers, or the error, and the result of the rate limit."""
    try:
        caller = find_caller(authorization, person, origin)
        return caller, take_from_allowance(caller, origin, cost)
    except DatabaseError as problem:
        logger.error("Request %s: nobody can sign in: %s", origin.request_id, type(problem).__name__)
        return SignInUnavailable(), None


def find_caller(authorization: str, person: str, origin: Origin) -> Caller | VibeError:
    """Return the caller, or the error that refuses them. Raise database errors: their messages name host and user, and
    must not reach the caller."""
    try:
        return authenticate(authorization=authorization, person=person, origin=origin)
    except DatabaseError:
        raise
    except VibeError as refusal:
        return refusal


def take_from_allowance(caller: Caller | VibeError, origin: Origin, cost: int = 1) -> RateLimitResult | None:
    """Count the request against the caller's rate limit, or against that of the address if there is no caller."""
    name, rate = allowance(caller, origin)
    return rate_limit_store.take(name, rate, cost) if rate else None


def allowance(caller: Caller | VibeError, origin: Origin) -> tuple[str, Rate | None]:
    """Return the name and the rate of the bucket."""
    if isinstance(caller, Caller):
        return caller.limited_as, rates()["API_LIMIT_KEY" if caller.api_key else "API_LIMIT_PERSON"]
    if isinstance(caller, PersonNotNamed):
        return f"key:{caller.key}", rates()["API_LIMIT_KEY"]
    return f"address:{network_of(origin)}", rates()["API_LIMIT_STRANGER"]


def network_of(origin: Origin) -> str:
    """Return the address, or the /64 network of an IPv6 address, since one customer usually has all of it."""
    ip = origin.address.ip if origin.address else None
    if ip and ":" in ip:
        return str(ipaddress.ip_network(f"{ip}/64", strict=False))
    return ip or "unknown"


def too_many_requests(path: str, caller: Caller | VibeError, verdict: RateLimitResult, origin: Origin) -> HttpResponse:
    """Return a 429 response. Record only the first of consecutive refusals, so that they cannot flood the audit log."""
    error = TooManyRequests(retry_after=verdict.retry_after)
    if verdict.refused > 1:
        return problem(error, request_id=origin.request_id)
    known = caller if isinstance(caller, Caller) else None
    actor, subject = (known.actor, known.user_id) if known else (Actor.anonymous(origin), None)
    return record_refusal(error, actor=actor, action="limit", resource=path, subject=subject)


def record_refusal(
    error: VibeError, *, actor: Actor, action: str, resource: str, subject: UUID | None = None
) -> HttpResponse:
    """Record a refusal and return its response, or 503 if the audit log cannot be written."""
    try:
        record(actor=actor, action=action, subject=subject, resource=resource, outcome=REFUSED, reason=error.code)
    except AuditUnavailable as unavailable:
        logger.error("Request %s failed: %s", actor.origin.request_id, unavailable.code)
        error = unavailable
    return problem(error, request_id=actor.origin.request_id)
