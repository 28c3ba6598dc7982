"""MCP over standard input and output, for one person, run by a user who may read the database anyway."""

from __future__ import annotations

from uuid import UUID

from mcp.server.mcpserver import Context

from accounts.authentication.caller import Caller
from accounts.authentication.errors import Deactivated, PersonUnknown, TooManyRequests
from accounts.authentication.middleware import take_from_allowance
from accounts.authentication.sign_in import account_of
from audit.actors import Origin
from vibe.mcp.calls import Admit


def only(user_id: UUID) -> Admit:
    """Return an Admit for one person. It raises Deactivated or PersonUnknown when they may not sign in."""

    def admit(_: Context) -> Caller:
        account = account_of(str(user_id))
        if account is None:
            raise PersonUnknown()
        if not account["is_active"]:
            raise Deactivated()
        caller = Caller(user_id, "command", origin=Origin())
        verdict = take_from_allowance(caller, caller.origin)
        if verdict and not verdict.allowed:
            raise TooManyRequests(retry_after=verdict.retry_after)
        return caller

    return admit
