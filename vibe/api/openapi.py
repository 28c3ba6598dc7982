"""Completes the OpenAPI description with the headers and problems that all operations share."""

from __future__ import annotations

from typing import Any, Final

from ninja.openapi.schema import OpenAPISchema
from ninja.schema import NinjaGenerateJsonSchema

from vibe.core.http.responses import MEDIA_TYPE
from vibe.core.http.schemas import Problem

Json = dict[str, Any]
CHANGES: Final = frozenset({"post", "patch", "put", "delete"})
TAGS: Final = {
    "Me": "The person who calls, what they have set, and all of their data.",
    "Users": "People that a server makes, for which it needs an API key and no person.",
    "Webhooks": "Where an API key has events sent to, for which it needs no person.",
    "Conversations": "Conversations with a companion.",
    "Memories": "What was said in conversations, one message each.",
    "Stories": "Episodes of conversations: what happened in them.",
    "People, places, events": "Whom and what stories tell of.",
    "Facts": "What is true of the person, or was.",
    "Context": "What a companion is to know before it answers.",
}
ALWAYS: Final = {
    "400": "A cursor, an entity tag or the body cannot be read.",
    "401": "Nobody is signed in.",
    "403": "Whoever is signed in may not do this.",
    "404": "There is no such thing, or it is somebody else's: the answer is the same.",
    "422": "Fields are not as they should be; `errors` names them.",
    "429": "Too many requests; Retry-After says when to come again.",
    "500": "Something failed on our side. Nothing was changed.",
    "503": "The database, the trail or sign-in cannot be reached. Nothing was changed.",
}
OF_CHANGES: Final = {
    "409": "It cannot be beside what is there, or the first request with this Idempotency-Key still runs.",
    "410": "The first request with this Idempotency-Key was done, and what it made is gone. It is not done again.",
    "412": "It was changed since you read it.",
}
OF_BODIES: Final = {
    "411": "The body came without its length.",
    "413": "The body is larger than what is taken.",
    "415": "The body is not of the type that is taken.",
}
REQUEST_ID: Final[Json] = {
    "X-Request-ID": {"description": "the trail has it too", "required": True, "schema": {"type": "string"}}
}
LIMITS: Final[Json] = {
    "RateLimit": {
        "description": "how many requests are allowed now (`r`), and in how many seconds all are again (`t`)",
        "schema": {"type": "string", "examples": ['"requests";r=187;t=2']},
    },
    "RateLimit-Policy": {
        "description": "how many requests are allowed at once (`q`), and in how many seconds as many again (`w`)",
        "schema": {"type": "string", "examples": ['"requests";q=200;w=20']},
    },
}
RETRY_AFTER: Final[Json] = {
    "description": "how many seconds to wait before the request is sent again",
    "schema": {"type": "integer", "minimum": 1, "examples": [2]},
}
OF_STATUS: Final[Json] = {
    "401": {
        "WWW-Authenticate": {
            "description": "Bearer, and what was wrong with the credential (RFC 6750)",
            "required": True,
            "schema": {"type": "string", "examples": ['Bearer realm="vibe"']},
        }
    },
    "429": {"Retry-After": {**RETRY_AFTER, "required": True}},
    "503": {"Retry-After": RETRY_AFTER},
}
CODES: Final = (
    "api-key-invalid",
    "audit-unavailable",
    "bad-request",
    "body-too-large",
    "busy",
    "companion-bound",
    "credentials-missing",
    "cursor-invalid",
    "deactivated",
    "email-unverified",
    "ends-before-it-begins",
    "etag-malformed",
    "expiry-past",
    "export-under-way",
    "external-id-taken",
    "failed",
    "files-unavailable",
    "gone",
    "idempotency-key-malformed",
    "idempotency-key-used",
    "import-under-way",
    "input",
    "internal-server-error",
    "invalid",
    "key-service-away",
    "key-service-refuses",
    "length-required",
    "malformed-body",
    "message-id-taken",
    "method-not-allowed",
    "no-such-attribute",
    "not-encrypted",
    "not-found",
    "nothing-said",
    "number-too-large",
    "other-companion",
    "outdated",
    "person-ambiguous",
    "person-unknown",
    "processing-restricted",
    "pooler-misconfigured",
    "preferences-too-large",
    "range-missing",
    "refused",
    "scope-missing",
    "service-unavailable",
    "sign-in-unavailable",
    "still-changing",
    "still-running",
    "storage-day-full",
    "storage-full",
    "token-expired",
    "token-invalid",
    "token-revoked",
    "too-many-requests",
    "unsupported-media-type",
    "vectors-changing",
    "webhook-address-refused",
    "webhook-host-unknown",
    "webhook-there",
)
"""What `code` of a problem may be: docs/api.md says of each what to do."""
ETAG: Final[Json] = {"ETag": {"description": "the version of what is shown", "schema": {"type": "string"}}}
LOCATION: Final[Json] = {"Location": {"description": "where it is now", "schema": {"type": "string"}}}
ONCE: Final[Json] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Any text of yours, such as a UUID. For 24 hours the same request with it is done once, and its "
    "retries are answered with what is there now.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
PERSON: Final[Json] = {
    "in": "header",
    "name": "Vibe-Person",
    "required": False,
    "description": "With an API key, the person it acts for: `uid:` and the UID by which they signed in or were made, "
    "or `id:` and their id. A key that was made for one person need not name them. With an ID token it has no effect.",
    "schema": {"type": "string", "maxLength": 140, "pattern": "^(uid|id):.+$"},
    "examples": {
        "uid": {"summary": "by UID", "value": "uid:telegram:5512"},
        "id": {"summary": "by id", "value": "id:0198c7a2-6b1e-7c3d-9f00-5a1b2c3d4e5f"},
    },
}
IF_MATCH: Final[Json] = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag of what you have read: if it was changed since, nothing is done (412).",
    "schema": {"type": "string", "maxLength": 2000},
}
IF_NONE_MATCH: Final[Json] = {**IF_MATCH, "name": "If-None-Match", "description": "An ETag: 304 if it still holds."}


def finish(schema: OpenAPISchema) -> OpenAPISchema:
    """Add headers and problems to every operation."""
    schema["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    schema["servers"] = [{"url": "/", "description": "The server that this description comes from."}]
    schema["components"]["schemas"]["Problem"] = reusable(schema)
    schema["components"]["parameters"] = {"VibePerson": PERSON}
    for operations in schema["paths"].values():
        for method, operation in operations.items():
            complete(operation, method)
    return schema


def reusable(schema: OpenAPISchema) -> Json:
    """Return the schema of problems, and add the definitions that it refers to."""
    shape = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}", schema_generator=NinjaGenerateJsonSchema, mode="serialization"
    )
    schema["components"]["schemas"].update(shape.pop("$defs"))
    shape["properties"]["code"]["enum"] = CODES
    return shape


def complete(operation: Json, method: str) -> None:
    """Add the parameters and responses that the function of an operation does not declare."""
    responses, bodied = operation["responses"], "requestBody" in operation
    versioned, of_person = operation.pop("x-versioned", False), not operation.pop("x-without-person", False)
    says = {
        **ALWAYS,
        **(OF_CHANGES if method in CHANGES else {}),
        **(OF_BODIES if bodied else {}),
    }
    for parameter in operation["parameters"]:
        if examples := parameter.pop("examples", None):  # a list, which is of schemas: of parameters they have names
            parameter["schema"]["examples"] = examples
    for status, response in responses.items():
        response["headers"] = {
            **REQUEST_ID,
            **LIMITS,
            **(ETAG if versioned else {}),
            **(LOCATION if status == 201 else {}),
        }
    responses.update({status: told(text, status) for status, text in says.items() if int(status) not in responses})
    if of_person:
        operation["parameters"] += [
            {"$ref": "#/components/parameters/VibePerson"},
            *([ONCE] if method in CHANGES else []),
        ]
    if versioned:
        operation["parameters"].append(IF_MATCH if method in CHANGES else IF_NONE_MATCH)
        if method == "get":
            responses["304"] = {
                "description": "You have this version already.",
                "headers": {**REQUEST_ID, **LIMITS, **ETAG},
            }


def told(description: str, status: str) -> Json:
    """Return the OpenAPI response of a problem."""
    shape, headers = {"$ref": "#/components/schemas/Problem"}, {**REQUEST_ID, **LIMITS, **OF_STATUS.get(status, {})}
    return {"description": description, "headers": headers, "content": {MEDIA_TYPE: {"schema": shape}}}
