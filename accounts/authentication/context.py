"""What signing in found out about a request."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.authentication.caller import Caller
from audit.context import AuditContext
from vibe.core.errors import VibeError


@dataclass(kw_only=True)
class CallerContext(AuditContext):
    """Who calls the API, or why that is not known; and whether the operation changes something."""

    caller: Caller | VibeError | None = None
    changes: bool = False
    one_time_code_given: bool = False
    """On the form that staff sign in with."""
