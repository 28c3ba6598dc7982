"""A person's stories as resources: listed page by page, and read one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, Resource

from accounts.authentication.caller import Caller
from stories.building.sources import no_such_story
from stories.reading.services import OpenedStory, list_stories, open_story
from stories.results import Story
from stories.search.filters import Filters
from vibe.core.http.cursors import Listing
from vibe.mcp.calls import Admit, called

URI: Final = "vibe://stories/{story_id}"
TYPE: Final = "application/json"
PAGE: Final = 50
LIST: Final = "resources/list"


def add_stories(server: MCPServer, admit: Admit) -> None:
    """Let a server list and read the stories of whoever `admit` says is calling."""

    async def run(context: Context, what: str, work: Callable[[Caller], Any]) -> Any:
        try:
            return await called(context, admit, what, "read", work, keeps_to_companion=True)
        except ToolError as refusal:
            raise MCPError(code=INVALID_PARAMS, message=str(refusal)) from None

    @server.resource(URI, name="story", description="One story whole.", mime_type=TYPE)
    async def read_story(story_id: str, context: Context) -> str:
        found: str = await run(context, "resources/read", lambda caller: _story(caller, story_id))
        return found

    async def list_pages(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Fill in the list, which the protocol's own handler has for all callers alike, and on one page."""
        answer = await call_next(ctx)
        if ctx.method != LIST or not isinstance(answer, dict):
            return answer
        cursor = (ctx.params or {}).get("cursor")
        context = Context(request_context=ctx, mcp_server=server)
        return {**answer, **await run(context, LIST, lambda caller: _page(caller, cursor))}

    server.middleware.append(list_pages)


def _story(caller: Caller, story_id: str) -> str:
    """Return a story as JSON. Raises NotFound."""
    try:
        wanted = UUID(story_id)
    except ValueError:
        raise no_such_story() from None
    found = open_story(user_id=caller.user_id, story_id=wanted, actor=caller.actor, companion=caller.companion)
    return Story.of(found).model_dump_json()


def _page(caller: Caller, cursor: str | None) -> dict[str, Any]:
    """Return a page of the list, the newest first, as the protocol has it. Raises CursorInvalid."""
    listing = Listing(caller.user_id, LIST, caller.companion or "")
    found = list_stories(
        user_id=caller.user_id,
        actor=caller.actor,
        limit=PAGE,
        after=listing.position(cursor),
        filters=Filters(companion=caller.companion),
    )
    more = listing.cursor(found[-1].position) if len(found) == PAGE else None
    listed = [_listed(each).model_dump(mode="json", by_alias=True, exclude_none=True) for each in found]
    return {"resources": listed, **({"nextCursor": more} if more else {})}


def _listed(story: OpenedStory) -> Resource:
    """Return a story as it stands in the list: named by when it was until it is built."""
    name = story.title or f"{story.occurred_from:%Y-%m-%d %H:%M} UTC"
    return Resource(uri=URI.format(story_id=story.id), name=name, mime_type=TYPE)
