"""MCP over streamable HTTP, with the tokens, API keys and rate limits of the API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.cors import CORSMiddleware

from accounts.authentication.caller import Caller
from accounts.authentication.errors import CredentialsMissing, TooManyRequests
from accounts.authentication.middleware import identify, record_refusal, too_many_requests
from accounts.middleware import refuse_request
from audit.actors import Actor
from audit.middleware import origin_from
from vibe.core.errors import InputError, VibeError
from vibe.core.http.rate_limits import cost_of_body
from vibe.core.http.responses import add_security_headers
from vibe.mcp import body
from vibe.mcp.calls import in_thread, sign_in_pool
from vibe.mcp.protected_resource import protected_resource
from vibe.mcp.tools import server
from vibe.mcp.turns import Turns

PATH = "/mcp"
FROM_PAGES = ["authorization", "content-type", "vibe-person", "mcp-protocol-version", "mcp-method", "mcp-name"]


class NoStreams(VibeError):
    message = "Send messages by POST. Nothing is kept between requests, so there is no stream to open and none to end."
    code = "method-not-allowed"
    status = 405

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": "POST"}


def app() -> Any:
    """Return the ASGI application. It is stateless: each request signs in for itself."""
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS]
    security = TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{name}:*" for name in names)], allowed_origins=settings.CORS_ALLOWED_ORIGINS
    )
    inner = server(caller_of).streamable_http_app(
        streamable_http_path=PATH, json_response=True, stateless_http=True, transport_security=security
    )
    return CORSMiddleware(
        Gate(inner),
        allow_origins=settings.CORS_ALLOWED_ORIGINS,
        allow_methods=["GET", "POST"],
        allow_headers=FROM_PAGES,
        expose_headers=["retry-after", "www-authenticate"],
        max_age=settings.CORS_PREFLIGHT_MAX_AGE,
    )


def caller_of(context: Context) -> Caller:
    """Return the caller whom the gate admitted with this request. Raises CredentialsMissing without one."""
    caller = getattr(getattr(context.request_context.request, "state", None), "caller", None)
    if not isinstance(caller, Caller):
        raise CredentialsMissing()
    return caller


class Gate:
    """ASGI middleware that authenticates every request before the protocol sees it."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.turns = inner, Turns()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        if protected_resource().serves(scope["path"]) and scope["method"] in ("GET", "HEAD"):
            await answer(JsonResponse(protected_resource().metadata), send)
            return
        found = await in_thread(lambda: admitted(scope), sign_in_pool)
        if isinstance(found, HttpResponse):
            await answer(with_metadata_url(found), send)
            return
        try:
            async with self.turns.of(found.user_id):
                if message := await body.read(receive):
                    state = {**scope.get("state", {}), "caller": found}
                    await self.inner({**scope, "state": state}, message, send)
        except (InputError, TooManyRequests) as problem:
            error = problem
            await answer(await in_thread(lambda: refused(found, error), sign_in_pool), send)


def admitted(scope: Any) -> Caller | HttpResponse:
    """Return the caller, or the response that refuses them."""
    if not_ours := refuse_request():
        return not_ours
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    origin = origin_from(variables(scope, headers))
    cost = cost_of_body(headers.get("content-length", "0"))
    found, verdict = identify(headers.get("authorization", ""), headers.get("vibe-person", ""), origin, cost)
    if verdict and not verdict.allowed:
        return too_many_requests(PATH, found, verdict, origin)
    if isinstance(found, VibeError):
        return record_refusal(found, actor=Actor.anonymous(origin), action="mcp", resource=PATH)
    return found if scope["method"] == "POST" else refused(found, NoStreams())


def with_metadata_url(response: HttpResponse) -> HttpResponse:
    """Say in a 401 where it is written how to get a token (RFC 9728, section 5.1)."""
    if response.status_code == 401 and (url := protected_resource().metadata_url):
        response.headers["WWW-Authenticate"] += f', resource_metadata="{url}"'
    return response


def refused(caller: Caller, error: VibeError) -> HttpResponse:
    """Record a refusal, and return the response that the API would give."""
    return record_refusal(error, actor=caller.actor, action="mcp", resource=PATH, subject=caller.user_id)


def variables(scope: Any, headers: dict[str, str]) -> dict[str, str]:
    """Return the CGI variables that the audit log needs of a request."""
    wanted = ("x-forwarded-for", "forwarded", "user-agent")
    known = {f"HTTP_{name.upper().replace('-', '_')}": headers[name] for name in wanted if name in headers}
    return {"REMOTE_ADDR": scope["client"][0] if scope.get("client") else "", **known}


async def answer(response: HttpResponse, send: Any) -> None:
    """Send a Django response over ASGI."""
    add_security_headers(response)
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
