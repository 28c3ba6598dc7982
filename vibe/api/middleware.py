"""Under /api/ whatever is refused is told as a problem document, also by those who know nothing of the API."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from audit.middleware import no_personal_data
from vibe.core.errors import NotFound, VibeError
from vibe.core.http.compression import PREFIX
from vibe.core.http.responses import MEDIA_TYPE, problem
from vibe.core.logs.request_id import request_id

SAYS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method. The header Allow names those it knows.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed on our side, and nothing was changed.",
}


class Other(VibeError):
    message = "Something that Django or a middleware refused."

    def __init__(self, status: int) -> None:
        super().__init__(SAYS.get(HTTPStatus(status), f"{HTTPStatus(status).phrase}."))
        self.status = status
        self.code = HTTPStatus(status).phrase.lower().replace(" ", "-")


class ProblemsOnly:
    """Outside of everything that may refuse a request to the API."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(PREFIX) or response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        told = problem(Other(response.status_code), request_id=request_id())
        for name, value in response.items():
            if name not in ("Content-Type", "Content-Length"):
                told.headers[name] = value
        return told


@csrf_exempt  # nothing is done here, and a 403 would say that something is
@no_personal_data
def nowhere(_request: HttpRequest, **_: str) -> HttpResponseBase:
    """An address under /api/ that leads nowhere."""
    error = NotFound("There is no such address. /api/v1/docs lists those there are.")
    return problem(error, request_id=request_id())
