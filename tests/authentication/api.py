"""The smallest API that needs signing in."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI

from accounts.authentication.caller import SignedIn, signed_in
from audit.context import AuditContext
from vibe.core.errors import NotFound, VibeError
from vibe.core.http.context import context_of
from vibe.core.http.responses import problem

api = NinjaAPI(auth=signed_in, urls_namespace="tests", docs_url=None, openapi_url=None)


@api.exception_handler(VibeError)
def told(request: HttpRequest, error: VibeError) -> HttpResponse:
    return problem(error, request_id=context_of(request, AuditContext).origin.request_id)


@api.get("/who")
def who(request: HttpRequest) -> dict[str, Any]:
    caller = request.auth
    return {"id": str(caller.user_id), "how": caller.how, "issuer": caller.issuer, "scopes": sorted(caller.scopes)}


@api.post("/who")
def change(request: HttpRequest) -> dict[str, Any]:
    return {}


@api.get("/export", auth=SignedIn("export"))
def export(request: HttpRequest) -> dict[str, Any]:
    return {}


@api.get("/missing")
def missing(request: HttpRequest) -> None:
    raise NotFound()


urlpatterns = [path("api/tests/", api.urls)]
