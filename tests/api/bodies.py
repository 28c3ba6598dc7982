"""All operations that take a body, where to send one, and the largest body that the schema of each allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.urls import get_resolver

from memories.metadata import LARGEST
from vibe.api.instance import api

ESCAPE = rb"\u732b"


@dataclass(frozen=True)
class Operation:
    """An operation with an address at which nothing is: what is said there is said after the body was read."""

    name: str
    method: str
    path: str
    schema: dict[str, Any] | None


def operations() -> list[Operation]:
    """Of all that change something, and of searching."""
    get_resolver().url_patterns  # noqa: B018  # routers are bound when addresses are made
    described = api.get_openapi_schema()
    schemas, found = described["components"]["schemas"], []
    for path, each in described["paths"].items():
        where = path.removeprefix("/api/v1")
        for name in (
            "conversation_id",
            "external_id",
            "memory_id",
            "message_id",
            "story_id",
            "fact_id",
            "uid",
            "import_id",
            "webhook_id",
        ):
            where = where.replace(f"{{{name}}}", str(uuid4()))
        where = where.replace("{number}", "0")
        for method, operation in each.items():
            if method != "get":
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
                found.append(
                    Operation(operation["operationId"], method.upper(), where, body and resolved(body, schemas))
                )
    return found


def resolved(schema: Any, schemas: dict[str, Any]) -> Any:
    """A schema with what it refers to in its place."""
    if isinstance(schema, list):
        return [resolved(each, schemas) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {name: resolved(each, schemas) for name, each in schema.items()}


ALL = operations()
WITH_BODY = [each for each in ALL if each.schema]
WITHOUT_BODY = [each for each in ALL if not each.schema]


def largest(schema: dict[str, Any]) -> bytes:
    """The longest JSON text of a schema that its server has to take: all lists full, every character an escape."""
    if "anyOf" in schema:
        return max((largest(each) for each in schema["anyOf"]), key=len)
    if "additionalProperties" in schema and "maxProperties" in schema:  # flat metadata
        return b'{\n  "k": "%s"\n}' % (rb"\u0061" * (LARGEST - len('{"k":""}')))
    if schema["type"] == "object":
        members = (b'"%s": %s' % (escaped(name), largest(each)) for name, each in schema["properties"].items())
        return b"{\n  " + b",\n  ".join(members) + b"\n}"
    if schema["type"] == "array":
        return b"[\n    " + b",\n    ".join([largest(schema["items"])] * schema["maxItems"]) + b"\n]"
    if schema["type"] == "string":
        return b'"' + text(schema) + b'"'
    plain = {"integer": b"%d" % schema.get("maximum", 100), "number": b"0.12345678901234567", "boolean": b"false"}
    return {**plain, "null": b"null"}[schema["type"]]


def text(schema: dict[str, Any]) -> bytes:
    if "maxLength" in schema:
        return ESCAPE * schema["maxLength"]
    if "enum" in schema:
        return escaped(max(schema["enum"], key=len))
    return {
        "date": escaped("2026-05-08"),
        "date-time": escaped("2126-05-12T09:30:00.123456789+01:00"),
        "uuid": escaped(f"urn:uuid:{uuid4()}"),
    }[schema["format"]]


def escaped(name: str) -> bytes:
    return b"".join(b"\\u%04x" % ord(each) for each in name)
