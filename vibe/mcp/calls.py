"""One tool call: its caller, one transaction with its audit row, and errors that show no content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final, TypeVar

from django.db import close_old_connections
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from accounts.authentication.caller import Caller
from accounts.authentication.errors import CompanionBound
from audit.services import FAILED, REFUSED, record
from vibe.core.db.errors import DatabaseNotReady, DatabaseUnavailable, PoolerMisconfigured, is_unavailable
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_user
from vibe.core.errors import VibeError

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
THREADS: Final = 8  # each has a connection to the database, and so has each of the others
SIGN_IN_THREADS: Final = 2  # apart, so that strangers do not hold up calls, nor calls what says who is there
pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mcp")
sign_in_pool = ThreadPoolExecutor(SIGN_IN_THREADS, thread_name_prefix="mcp-sign-in")


class ToolFailed(VibeError):
    message = "Something failed on our side, and nothing was changed."
    code = "failed"


Admit = Callable[[Context], Caller]
"""Identifies the caller, in a thread that may query the database. Raises VibeError."""


async def in_thread(work: Callable[[], Result], threads: ThreadPoolExecutor = pool) -> Result:
    """Run work that uses the database in a thread, outside the event loop."""

    def kept_fresh() -> Result:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(threads, kept_fresh)


async def called(
    context: Context,
    admit: Admit,
    tool: str,
    scope: str,
    work: Callable[..., Result],
    *,
    beforehand: Callable[[Caller], Any] | None = None,
    keeps_to_companion: bool = False,
) -> Result:
    """Run the work of a tool for its caller. Raises ToolError, whose text is for the agent.

    `work` receives the caller and the result of `beforehand`, which runs before the transaction begins since it may
    wait for an external service. A caller who is bound to a companion is refused, unless the work keeps to it.
    """
    return await in_thread(
        lambda: done(
            lambda: named(admit(context), context),
            *(tool, scope, work, beforehand),
            keeps_to_companion=keeps_to_companion,
        )
    )


def done(
    admitted: Callable[[], Caller],
    tool: str,
    scope: str,
    work: Callable[..., Result],
    beforehand: Callable[[Caller], Any] | None = None,
    *,
    keeps_to_companion: bool = False,
) -> Result:
    """Do the work and record it in one transaction."""
    caller = None
    try:
        caller = admitted()
        caller.require(scope)
        if caller.companion is not None and not keeps_to_companion:
            raise CompanionBound
        ready = [beforehand(caller)] if beforehand else []
        with as_user(caller.user_id):
            if scope != "read":
                replica.will_change(caller.user_id)
            result = work(caller, *ready)
            note(caller, tool)
    except Exception as problem:
        error = sayable(problem)
        if error is not problem:
            logger.error("The tool %s failed: %s", tool, type(problem).__name__)
        if caller:
            note(caller, tool, outcome=FAILED if error.status >= 500 else REFUSED, reason=error.code)
        raise ToolError(f"{error} ({error.code})") from None
    return result


def sayable(problem: Exception) -> VibeError:
    """Return the error to show. The database's own messages name host and user, so they are hidden."""
    if is_unavailable(problem):
        return DatabaseUnavailable()
    hidden = isinstance(problem, DatabaseNotReady) and not isinstance(problem, PoolerMisconfigured)
    ours = isinstance(problem, VibeError) and not hidden
    return problem if ours else ToolFailed()  # type: ignore[return-value]


def note(caller: Caller, tool: str, **how: Any) -> None:
    """Record one row for a call."""
    record(actor=caller.actor, action=f"mcp:{tool}", subject=caller.user_id, resource="mcp", **how)


def named(caller: Caller, context: Context) -> Caller:
    """Return the caller with the name that the agent gives itself."""
    params = context.request_context.session.client_params
    name = f"{params.client_info.name} {params.client_info.version}" if params else "unnamed"
    agent = "".join(character for character in name[:80] if character.isprintable()).strip()
    return replace(caller, client=" ".join(filter(None, [caller.client, "mcp", agent])))
