"""Hooks for django-axes: the address of a sign-in, the name it counts under, and the response to a lockout."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from audit.context import AuditContext
from vibe.core.errors import Refused
from vibe.core.folding import normalized
from vibe.core.http.context import find_context
from vibe.core.http.error_pages import error_page


class TooManyFailures(Refused):
    message = "Too many failed sign-ins. Try again in a quarter of an hour."
    code = "too-many-failures"
    status = 429

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "900"}


def client_ip(request: HttpRequest) -> str | None:
    """Return the trusted client address, as the audit log has it: not one that the client's headers claim."""
    context = find_context(request, AuditContext)
    address = context and context.origin.address
    return address.ip if address else None


def counted_name(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """Return the normalized name, so that other spellings of an account share its count of failures."""
    given = credentials or {}
    name = given.get("username") or given.get("email")  # django-axes calls it as the model does
    return counted_as(str(name or (request.POST.get("username", "") if request else "")))


def counted_as(name: str) -> str:
    """Return the one spelling of a name that its failures are counted under."""
    return normalized("NFKC", name).strip().lower()[:255]


def locked_out(_request: HttpRequest, _response: Any = None, _credentials: Any = None) -> HttpResponse:
    """Return the 429 response after too many failures, the same whether or not the account exists."""
    return error_page(TooManyFailures())
