"""What django-axes asks us: which address a sign-in came from, under which name it counts, what the locked out see."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from audit.context import AuditContext
from vibe.core.http.context import find_context
from vibe.core.normal_forms import normalized


def client_ip(request: HttpRequest) -> str | None:
    """The one address that can be believed, as the trail has it: not what the client's own headers claim."""
    context = find_context(request, AuditContext)
    address = context and context.origin.address
    return address.ip if address else None


def counted_name(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """The name as sign-in reads it, so that another spelling of one account is not another account to guess at."""
    name = (credentials or {}).get("username") or (request.POST.get("username", "") if request else "")
    return normalized("NFKC", str(name)).strip().lower()[:255]


def locked_out(_request: HttpRequest, _response: Any = None, _credentials: Any = None) -> HttpResponse:
    """Too many failures. The same for an account that is there and for one that is not."""
    context = {"message": "Too many failed sign-ins. Try again in a quarter of an hour.", "back": "/"}
    answer = HttpResponse(render_to_string("vibe/admin/refused.html", context), status=429)
    answer.headers["Retry-After"] = "900"
    return answer
