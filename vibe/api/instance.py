"""The API instance: its authentication, parser, error handlers and routers."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Swagger
from ninja.openapi.schema import OpenAPISchema

from accounts.api import export_and_erasure
from accounts.api.users import router as users
from accounts.api.webhooks import router as webhooks
from accounts.authentication.caller import signed_in
from audit.api import router as access_log
from audit.middleware import no_personal_data
from memories.api.conversations import router as conversations
from memories.api.imports import router as imports
from memories.api.memories import of_conversation
from memories.api.memories import router as memories
from stories.api.context import router as context
from stories.api.entities import router as entities
from stories.api.facts import router as facts
from stories.api.search import of_memories as memory_search
from stories.api.search import router as search
from stories.api.stories import router as stories
from vibe.api.decorators import StrictParser, check_query, named_and_once, with_limits
from vibe.api.error_handlers import handle_all
from vibe.api.openapi import finish
from vibe.core.http.context import RequestContext, context_of

ABOUT: Final = """What an app or an agent talks to, for one person at a time.

Send `Authorization: Bearer` with an ID token of that person, or with an API key and the header `Vibe-Person`.
Every answer of 400 or more is a problem document (RFC 9457) with a `code` that stays what it is.
"""


class Api(NinjaAPI):
    """One version of the API."""

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        """Check query and length of the body. Ninja calls this after authentication and before it reads the body."""
        check_query(request)
        context_of(request, RequestContext).body_limit.check_length(request)
        return super().create_temporal_response(request)

    def get_openapi_schema(self, *, path_prefix: str | None = None, **_: Any) -> OpenAPISchema:
        """Return the description, made once a process: it takes 55 ms, and anybody may ask for it."""
        return self._describe(path_prefix)

    @cache  # noqa: B019  there is one API
    def _describe(self, path_prefix: str | None) -> OpenAPISchema:
        return finish(super().get_openapi_schema(path_prefix=path_prefix))

    def get_openapi_operation_id(self, operation: Any) -> str:
        name: str = operation.view_func.__name__
        return name


api = Api(
    title="Vibe",
    version="1",
    description=ABOUT,
    urls_namespace="api",
    auth=signed_in,
    parser=StrictParser(),
    docs=Swagger({"syntaxHighlight": {"activated": False}}),  # its colours cannot be read on either ground
    docs_decorator=no_personal_data,
)
api.add_decorator(named_and_once)
api.add_decorator(with_limits, mode="view")
handle_all(api)
api.add_router("/me", export_and_erasure.router)
api.add_router("/me", access_log)
api.add_router("/me/import", imports)
api.add_router("/users", users)
api.add_router("/webhooks", webhooks)
api.add_router("/conversations", conversations)
api.add_router("/conversations", of_conversation)
api.add_router("/memories", memory_search)
api.add_router("/memories", memories)
api.add_router("/context", context)
api.add_router("/stories", search)
api.add_router("/stories", stories)
api.add_router("/facts", facts)
api.add_router("", entities)
