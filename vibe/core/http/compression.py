"""gzip, for the API alone.

BREACH reads a secret out of a compressed page by having a victim's browser ask for it, with their cookies, many times
over. The API takes no cookies: nobody but who holds the token can have it asked. Pages that know people by cookies, the
admin's, are never compressed. Django's middleware adds random bytes to the header all the same.
"""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

PREFIX: Final = "/api/"
SHORTEST: Final = 1_000  # bytes: what fits into one packet gains nothing


class CompressApi(GZipMiddleware):
    """Outside of everything that writes answers."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        short = isinstance(response, HttpResponse) and len(response.content) < SHORTEST
        if not request.path_info.startswith(PREFIX) or short:
            return response
        tag = response.headers.get("ETag")
        answer = super().process_response(request, response)
        if tag:  # of a version of a row, which compressing leaves as it is: see vibe.core.http.etags
            answer.headers["ETag"] = tag
        return answer
