"""What a page may load and run: CONTENT_SECURITY_POLICY in vibe.settings, and one thing more for the admin."""

from __future__ import annotations

from csp.constants import UNSAFE_EVAL
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponseBase


class ContentPolicy(CSPMiddleware):  # type: ignore[misc]  # from a package without types
    """The policy of every page. Unfold's scripts evaluate expressions from attributes, so under /admin/ that is let."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        match = request.resolver_match
        if match and "admin" in match.app_names:
            response._csp_update = {"script-src": [UNSAFE_EVAL]}  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer
