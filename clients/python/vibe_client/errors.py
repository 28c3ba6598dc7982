"""What may be raised: one class for each status that the API answers with, and one for no answer."""

from __future__ import annotations

from typing import Any


class VibeError(Exception):
    """The base of all that the client raises."""


class Unreachable(VibeError):
    """There was no answer. Whether the request was done is not known; sent again with its key, it is done once."""


class Problem(VibeError):
    """The API refused or failed. Go by `code`, which stays (docs/api.md lists them); `detail` is for people."""

    def __init__(self, status: int, problem: dict[str, Any], *, retry_after: float | None = None) -> None:
        self.status, self.problem, self.retry_after = status, problem, retry_after
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
        self.request_id: str | None = problem.get("request_id")
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        self.existing_id: str | None = problem.get("existing_id")
        super().__init__(f"{self.detail} ({status} {self.code}, request {self.request_id})")


class BadRequest(Problem):
    """400: a cursor, an entity tag or the body cannot be read."""


class Unauthorized(Problem):
    """401: nobody is signed in."""


class Forbidden(Problem):
    """403: whoever is signed in may not do this."""


class NotFound(Problem):
    """404: there is no such thing, or it is somebody else's."""


class Conflict(Problem):
    """409: it cannot be beside what is there; `existing_id` is the id of that."""


class Gone(Problem):
    """410: it was done already, and what it made is gone."""


class Outdated(Problem):
    """412: it was changed since you read it."""


class TooLarge(Problem):
    """413: it is larger than what is taken, or than what may be stored."""


class Invalid(Problem):
    """422: fields are not as they should be; `errors` names them."""


class TooManyRequests(Problem):
    """429: wait `retry_after` seconds."""


class ServerFailed(Problem):
    """500 and more: nothing was changed."""


OF_STATUS: dict[int, type[Problem]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Outdated,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
}


def problem_of(status: int, problem: dict[str, Any], retry_after: float | None) -> Problem:
    """Return the error of a status."""
    kind = OF_STATUS.get(status, ServerFailed if status >= 500 else Problem)
    return kind(status, problem, retry_after=retry_after)
