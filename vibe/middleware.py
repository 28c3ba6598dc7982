"""Middleware around every request of any app, in the order of MIDDLEWARE."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Final

from csp.constants import UNSAFE_EVAL
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponsePermanentRedirect
from django.middleware import common
from django.middleware.gzip import GZipMiddleware
from django.middleware.security import SecurityMiddleware

from accounts.authentication.caller import CallerContext
from audit.middleware import origin_of
from vibe.core.errors import Refused, VibeError
from vibe.core.http.bodies import BodyLimit, BodyTooLarge, MalformedBody
from vibe.core.http.context import set_context
from vibe.core.http.error_pages import error_page
from vibe.core.http.responses import MEDIA_TYPE, problem
from vibe.core.logs.request_id import new_request_id, request_id
from vibe.metrics.attaching import REQUESTS_RUNNING, attach, note_request

GetResponse = Callable[[HttpRequest], HttpResponseBase]
API: Final = "/api/"
SHORTEST: Final = 1_000  # bytes of a response to compress: one that fits into one packet gains nothing
BY_ADDRESS: Final = frozenset({"/livez", "/readyz", "/metrics"})  # requested by an address, from inside
FORM: Final = BodyLimit(1024 * 1024, 1000)
DETAILS: Final = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method. The header Allow names those it knows.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed on our side, and nothing was changed.",
}


class Observed:
    """Gives every request an id, a context, metrics and a log line. It comes first, so that none is left out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        attach()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        start = perf_counter()
        with new_request_id() as made, REQUESTS_RUNNING.track_inprogress():
            set_context(request, CallerContext(origin=origin_of(request)))
            response = self.get_response(request)
            response.headers["X-Request-ID"] = made
            note_request(request, response.status_code, perf_counter() - start)
        return response


class RequireTls(SecurityMiddleware):
    """Django's security middleware, which redirects only pages that are read.

    A redirect would have the caller of the API, or of a form, send what went in clear once more, and go on so.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        redirect: HttpResponse | None = super().process_request(request)
        if redirect is None or (request.method in ("GET", "HEAD") and not request.path_info.startswith(API)):
            return redirect
        return problem(NotEncrypted(), request_id=request_id())


class NotEncrypted(Refused):
    message = (
        "Send this over HTTPS; what was sent in clear may have been read. If TLS ends at a proxy, have it send "
        "X-Forwarded-Proto and set BEHIND_TLS_PROXY=on."
    )
    code = "not-encrypted"


class ContentPolicy(CSPMiddleware):  # type: ignore[misc]  # from a package without types
    """Sets what a page may load and run: CONTENT_SECURITY_POLICY in vibe.settings.

    Unfold's scripts evaluate expressions from attributes, so under /admin/ that is allowed.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        match = request.resolver_match
        if match and "admin" in match.app_names:
            response._csp_update = {"script-src": [UNSAFE_EVAL]}  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which refuses hosts that are not in ALLOWED_HOSTS; not where no answer depends on the host."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info in BY_ADDRESS:
            return None
        return super().process_request(request)


class CompressApi(GZipMiddleware):
    """Compresses responses of the API, and nothing else.

    BREACH extracts a secret from a compressed page by making a victim's browser request it, with their cookies, many
    times. The API takes no cookies, so only the holder of the token can send a request. Pages that use cookies, those
    of the admin, are never compressed. Django's middleware also adds random bytes to the header.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        short = isinstance(response, HttpResponse) and len(response.content) < SHORTEST
        if not request.path_info.startswith(API) or short:
            return response
        tag = response.headers.get("ETag")
        answer = super().process_response(request, response)
        if tag:  # of a row's version, which compression does not change: see vibe.core.http.responses
            answer.headers["ETag"] = tag
        return answer


class ProblemsOnly:
    """Turns every refusal under /api/ into a problem document, also those of Django and of inner middleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(API) or response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        told = problem(Other(response.status_code), request_id=request_id())
        for name, value in response.items():
            if name not in ("Content-Type", "Content-Length"):
                told.headers[name] = value
        return told


class Other(VibeError):
    message = "Something that Django or a middleware refused."

    def __init__(self, status: int) -> None:
        super().__init__(DETAILS.get(HTTPStatus(status), f"{HTTPStatus(status).phrase}."))
        self.status = status
        self.code = HTTPStatus(status).phrase.lower().replace(" ", "-")


class FormLimit:
    """Refuses a form that is too large before anything reads it. The API's operations have limits of their own.

    The admin's forms take typed text and no file uploads. Django bounds what it holds in memory, but writes uploaded
    files of any length to disk, for any client.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API):
            try:
                FORM.check_length(request)
            except (BodyTooLarge, MalformedBody) as refusal:
                return error_page(refusal)
        return self.get_response(request)
