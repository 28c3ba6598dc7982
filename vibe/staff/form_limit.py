"""How large a form may be. Whoever fills in the admin's forms types; nobody uploads files there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from vibe.core.http.bodies import BodyTooLarge, MalformedBody
from vibe.core.http.body_limits import BodyLimit
from vibe.core.http.compression import PREFIX

FORM: Final = BodyLimit(1024 * 1024, 1000)


class FormLimit:
    """Outside of everything that reads forms. Django bounds what it holds in memory, but writes files of any length
    to disk, whoever sends them. The API's operations have limits of their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            try:
                FORM.check_length(request)
            except (BodyTooLarge, MalformedBody) as problem:
                return HttpResponse(str(problem), status=problem.status, content_type="text/plain; charset=utf-8")
        return self.get_response(request)
