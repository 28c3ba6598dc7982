"""Make the types and operations of both clients from the description of the API.

`make clients` runs it. A client's own code, which signs in, tries again and reads pages, is written by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import django

Json = dict[str, Any]
CLIENTS: Final = Path(__file__).resolve().parent.parent / "clients"
PYTHON, TYPESCRIPT = CLIENTS / "python" / "vibe_client", CLIENTS / "typescript" / "src"
PREFIX: Final = "/api/v1"
NAMES: Final = {
    "search": "search_stories",
    "search_for_memories": "search_memories",
    "add_memories_at_once": "add_memories",
}
MADE: Final = "Made by scripts/make_clients.py from the description of the API: `make clients` makes it anew."
PYTHON_TYPES: Final = f'''"""What goes to the API and comes from it.

{MADE}
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID
'''
PYTHON_OPERATIONS: Final = f'''"""All operations of the API.

{MADE}
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import Any, Literal, Unpack
from urllib.parse import quote
from uuid import UUID

from vibe_client import types


def _quoted(part: object) -> str:
    return quote(str(part), safe="")
'''
PYTHON_CLASS: Final = '''
class {kind}:
    """All operations, for `{client}`."""

    {define} call(self, method: str, path: str, **how: Any) -> Any:
        raise NotImplementedError

    def pages(self, method: str, path: str, **how: Any) -> {iterator}[Any]:
        raise NotImplementedError
'''
BLOCKING: Final = {"kind": "Operations", "client": "Vibe", "define": "def", "iterator": "Iterator"}
WAITING: Final = {
    "kind": "AsyncOperations",
    "client": "AsyncVibe",
    "define": "async def",
    "iterator": "AsyncIterator",
}
TYPESCRIPT_OPERATIONS: Final = f"""// All operations of the API. {MADE}
import type * as types from "./types.js";

export interface Options {{
  /** Made for you, if left out. */
  idempotencyKey?: string;
  /** `etag(thing)`: nothing is done if it was changed since. */
  ifMatch?: string;
  signal?: AbortSignal;
}}

export interface How extends Options {{
  query?: object;
  body?: object;
}}

const quoted = encodeURIComponent;

export abstract class Operations {{
  abstract call<T>(method: string, path: string, how?: How): Promise<T>;
  abstract pages<T>(method: string, path: string, how?: How): AsyncGenerator<T>;
"""
PLAIN: Final = {
    "string": ("str", "string"),
    "integer": ("int", "number"),
    "number": ("float", "number"),
    "boolean": ("bool", "boolean"),
    "null": ("None", "null"),
}
TAKEN: Final = {"date-time": "str | datetime", "date": "str | date", "uuid": "str | UUID"}


def main() -> None:
    """Write the files of both clients."""
    for file, text in made(description()).items():
        file.write_text(text, encoding="utf-8")


def description() -> Json:
    """Return the description as the API serves it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
    django.setup()
    from vibe.api.instance import api  # noqa: PLC0415

    return dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))


def made(api: Json) -> dict[Path, str]:
    """Return what each file holds."""
    schemas, operations = api["components"]["schemas"], list(operations_of(api))
    asked = reachable([each["requestBody"] for each in operations if "requestBody" in each], schemas)
    return {
        PYTHON / "types.py": formatted(python_types(schemas, asked)),
        PYTHON / "operations.py": formatted(python_operations(operations, schemas)),
        TYPESCRIPT / "types.ts": typescript_types(schemas),
        TYPESCRIPT / "operations.ts": typescript_operations(operations, schemas),
    }


def operations_of(api: Json) -> Iterator[Json]:
    """Give each operation with its method, path and name."""
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            name = NAMES.get(operation["operationId"], operation["operationId"])
            yield {**operation, "method": method.upper(), "path": path.removeprefix(PREFIX), "name": name}


def reachable(of: Any, schemas: Json, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of the schemas that something refers to."""
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(of)):
        if name not in found:
            found |= reachable(schemas[name], schemas, found | {name})
    return found


def named(schema: Json) -> str | None:
    """Return the name of the schema that is referred to, if one is."""
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def type_of(schema: Json, language: int, *, prefix: str = "", given: bool = False) -> str:
    """Return the type of a schema, in Python (0) or TypeScript (1). What is given to Python may be a date or UUID."""
    kind, several = schema.get("type"), schema.get("anyOf")
    if isinstance(kind, list):
        several = [{**schema, "type": each} for each in kind]
    if several:
        return " | ".join(dict.fromkeys(type_of(each, language, prefix=prefix, given=given) for each in several))
    unknown = ("Any", "unknown")[language]
    if name := named(schema):
        text = prefix + name
    elif "enum" in schema:
        values = [json.dumps(each) for each in schema["enum"]]
        text = " | ".join(values) if language else f"Literal[{', '.join(values)}]"
    elif kind == "array":
        item = type_of(schema["items"], language, prefix=prefix, given=given)
        text = f"Array<{item}>" if language else f"list[{item}]"
    elif kind == "object":
        more = schema.get("additionalProperties")
        value = type_of(more, language, prefix=prefix, given=given) if isinstance(more, dict) and more else unknown
        text = f"Record<string, {value}>" if language else f"dict[str, {value}]"
    elif schema.get("format") == "binary":
        text = ("bytes", "Blob")[language]
    elif given and not language and schema.get("format") in TAKEN:
        text = TAKEN[schema["format"]]
    else:
        text = PLAIN[kind][language] if kind in PLAIN else unknown
    return text


def shape(operation: Json, schemas: Json) -> Json:
    """Return what both languages say of an operation: its parameters, body, answer, and items if it gives pages."""
    parameters = [each for each in operation["parameters"] if "name" in each]
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    body = operation.get("requestBody")
    success = next(each for status, each in operation["responses"].items() if status < "300")
    answer = next(iter(success.get("content", {}).values()), {"schema": {"type": "null"}})["schema"]
    page = schemas.get(named(answer) or "", {}).get("properties", {})
    item = page["items"]["items"] if {"items", "next"} <= page.keys() else None
    return {
        "path": [each for each in parameters if each["in"] == "path"],
        "query": [each for each in parameters if each["in"] == "query" and not (item and each["name"] == "cursor")],
        "options": [each for each in ("Idempotency-Key", "If-Match") if each in headers],
        "body": next(iter(body["content"].values()))["schema"] if body else None,
        "answer": answer,
        "item": item,
        "text": operation.get("description") or operation["summary"],
        "deprecated": operation.get("deprecated", False),
    }


def python_types(schemas: Json, asked: frozenset[str]) -> str:
    """Return a TypedDict for each schema that is an object. Those that go to the API take dates and UUIDs too."""
    lines = [PYTHON_TYPES]
    for name, schema in schemas.items():
        if "properties" not in schema:
            lines.append(f"{name} = {type_of(schema, 0)}")
            continue
        lines += [f"class {name}(TypedDict):", f'    """{schema["description"]}"""', ""]
        for member, of in schema["properties"].items():
            kind = type_of(of, 0, given=name in asked)
            kind = kind if member in schema.get("required", ()) else f"NotRequired[{kind}]"
            lines.append(f"    {member}: {kind}")
            lines += [f'    """{text}"""'] if (text := of.get("description")) else []
    return "\n".join(lines)


def python_operations(operations: list[Json], schemas: Json) -> str:
    """Return a class of all operations for `Vibe`, and one for `AsyncVibe`."""
    lines = [PYTHON_OPERATIONS]
    for names in (BLOCKING, WAITING):
        lines.append(PYTHON_CLASS.format(**names))
        for operation in operations:
            lines += python_operation(operation, shape(operation, schemas), waits=names is WAITING)
    return "\n".join(lines)


def python_operation(operation: Json, of: Json, *, waits: bool) -> list[str]:
    """Return the method of one operation."""
    path, positional, keywords = operation["path"], ["self"], []
    for each in of["path"]:
        positional.append(f"{each['name']}: {type_of(each['schema'], 0, given=True)}")
        path = path.replace(f"{{{each['name']}}}", f"{{_quoted({each['name']})}}")
    how = [f'"{operation["method"]}"', f'{"f" if of["path"] else ""}"{path}"']
    for each in of["query"]:
        kind, required = type_of(each["schema"], 0, given=True), each.get("required")
        kind = kind if required or "None" in kind else f"{kind} | None"
        keywords.append(f"{each['name']}: {kind}" + ("" if required else " = None"))
    if of["query"]:
        how.append("query={" + ", ".join('"{0}": {0}'.format(each["name"]) for each in of["query"]) + "}")
    for name in (each.lower().replace("-", "_") for each in of["options"]):
        keywords.append(f"{name}: str | None = None")
        how.append(f"{name}={name}")
    positional += [f"given: {type_of(of['body'], 0)}"] if of["body"] and not named(of["body"]) else []
    positional += ["*"] if keywords else []
    if of["body"]:
        keywords += [f"**given: Unpack[types.{name}]"] if (name := named(of["body"])) else []
        how.append("body=given")
    answer, verb = type_of(of["answer"], 0, prefix="types."), "call"
    if of["item"]:
        verb, answer = "pages", f"{'Async' if waits else ''}Iterator[{type_of(of['item'], 0, prefix='types.')}]"
    define, wait = ("async def", "await ") if waits and not of["item"] else ("def", "")
    return [
        f"    {define} {operation['name']}({', '.join([*positional, *keywords])}) -> {answer}:",
        f'        """{"Deprecated: see the changelog. " if of["deprecated"] else ""}{of["text"]}"""',
        f"        {'' if answer == 'None' else 'return '}{wait}self.{verb}({', '.join(how)})",
        "",
    ]


def formatted(text: str) -> str:
    """Return Python without the imports it does not need, as ruff formats it."""
    for command in (["check", "--quiet", "--fix", "--exit-zero", "--select=F401,I"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(PYTHON / "made.py"), "-"],
            input=text, capture_output=True, text=True, check=True, cwd=CLIENTS.parent,
        )  # fmt: skip
        text = done.stdout
    return text


def typescript_types(schemas: Json) -> str:
    """Return an interface for each schema that is an object."""
    lines = [f"// What goes to the API and comes from it. {MADE}", ""]
    for name, schema in schemas.items():
        lines.append(f"/** {schema['description']} */")
        if "properties" not in schema:
            lines += [f"export type {name} = {type_of(schema, 1)};", ""]
            continue
        lines.append(f"export interface {name} {{")
        for member, of in schema["properties"].items():
            lines += [f"  /** {text} */"] if (text := of.get("description")) else []
            lines.append(f"  {member}{'' if member in schema.get('required', ()) else '?'}: {type_of(of, 1)};")
        lines += ["}", ""]
    return "\n".join(lines)


def typescript_operations(operations: list[Json], schemas: Json) -> str:
    """Return an abstract class of all operations."""
    lines = [TYPESCRIPT_OPERATIONS]
    for operation in operations:
        lines += typescript_operation(operation, shape(operation, schemas))
    return "\n".join([*lines[:-1], "}", ""])


def typescript_operation(operation: Json, of: Json) -> list[str]:
    """Return the method of one operation."""
    path, arguments, how = operation["path"], [], []
    for each in of["path"]:
        arguments.append(f"{camel(each['name'])}: {type_of(each['schema'], 1)}")
        path = path.replace(f"{{{each['name']}}}", f"${{quoted({camel(each['name'])})}}")
    if of["body"]:
        arguments.append(f"body: {type_of(of['body'], 1, prefix='types.')}")
        how.append("body")
    if of["query"]:
        optional = ["" if each.get("required") else "?" for each in of["query"]]
        members = [
            f"{each['name']}{mark}: {type_of(each['schema'], 1)}"
            for each, mark in zip(of["query"], optional, strict=True)
        ]
        arguments.append(f"query: {{ {'; '.join(members)} }}" + (" = {}" if all(optional) else ""))
        how.append("query")
    arguments.append("options: Options = {}")
    verb, kind, returns = "call", type_of(of["answer"], 1, prefix="types.").replace("null", "void"), "Promise"
    if of["item"]:
        verb, kind, returns = "pages", type_of(of["item"], 1, prefix="types."), "AsyncGenerator"
    return [
        f"  /** {'@deprecated See the changelog. ' if of['deprecated'] else ''}{of['text']} */",
        f"  {camel(operation['name'])}({', '.join(arguments)}): {returns}<{kind}> {{",
        f'    return this.{verb}("{operation["method"]}", `{path}`, {{ {", ".join([*how, "...options"])} }});',
        "  }",
        "",
    ]


def camel(name: str) -> str:
    """Return a name as TypeScript writes it."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


if __name__ == "__main__":
    main()
