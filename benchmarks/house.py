"""How much code there is, how it is layered, and how many of its files a request passes.

    python -m benchmarks.house [--files]

`files_passed`: our files in which a function runs during one request by a person who is signed in, when the process is
warm. `--files` lists them. `lines` are of product code without migrations; of a file and of a function, empty files
left out. `climbing` are imports against the ladder of layers in pyproject.toml, `circles` groups of siblings (folders
or modules) that import each other.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

from benchmarks.harness import show, throw_away_database

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("vibe", "accounts", "memories", "stories", "audit")
SAID = {"author": "Ada", "text": "I moved to Lisbon last Friday, with Ines and the cat."}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="list the files that each request passes")
    options = parser.parse_args()
    os.environ["ALLOWED_HOSTS"] = "*"
    with throw_away_database():
        passed = requests()
    show(
        {
            "files_passed": {name: len(files) for name, files in passed.items()},
            **({"files": {name: sorted(files) for name, files in passed.items()}} if options.files else {}),
            **sizes(sources()),
            **imports(),
        }
    )


def requests() -> dict[str, set[str]]:
    """The files that an added memory, a search and an answer of 404 pass."""
    from django.test import Client

    from accounts.authentication import local_tokens
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from tests.building import build_conversation

    actor, client = Actor.system("benchmark"), Client()
    person = ensure_person(profile=Profile("ada", "ada@example.com", "Ada Tavares"), actor=actor)
    headers = {"authorization": f"Bearer {local_tokens.issue(uid='ada')}"}

    def post(path: str, body: Any, status: int) -> Any:
        response = client.post(f"/api/v1{path}", json.dumps(body), "application/json", headers=headers)
        assert response.status_code == status, (path, response.content)
        return response.json()

    conversation = post("/conversations", {"title": "Moving"}, 201)["id"]
    memories = f"/conversations/{conversation}/memories"
    post(memories, SAID, 201)
    build_conversation(person, UUID(conversation))
    return {
        "add": files_passed(lambda: post(memories, SAID, 201)),
        "search": files_passed(lambda: post("/stories/search", {"question": "Where did I move?"}, 200)),
        "404": files_passed(lambda: post(f"/conversations/{person}/memories", SAID, 404)),
    }


def files_passed(call: Callable[[], object]) -> set[str]:
    """The files of ours in which a function runs during one call, after two that warm it up."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    call()
    call()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    ours = (Path(name).relative_to(PROJECT) for name in seen if name.startswith(f"{PROJECT}/"))
    return {str(path) for path in ours if path.parts[0] in PACKAGES}


def sources() -> list[Path]:
    """The product's modules, without migrations."""
    paths = (path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
    return sorted(path for path in paths if "migrations" not in path.parts)


def sizes(paths: Iterable[Path]) -> dict[str, Any]:
    """Lines in all, of a file and of a function, and the folder with the most modules."""
    texts = {path: path.read_text() for path in paths}
    files = [len(text.splitlines()) for text in texts.values() if text]
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for text in texts.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    folders = Counter(path.parent for path in texts if path.name != "__init__.py")
    folder, modules = max(folders.items(), key=lambda each: each[1])
    return {
        "lines": sum(files),
        "modules": len(files),
        "lines_a_file": spread(files),
        "lines_a_function": spread(functions),
        "most_modules_in_a_folder": {str(folder.relative_to(PROJECT)): modules},
    }


def spread(values: list[int]) -> dict[str, float]:
    return {"median": statistics.median(values), "p90": sorted(values)[int(0.9 * (len(values) - 1))]}


def imports() -> dict[str, int]:
    """Imports that climb, and circles, in the whole of the product."""
    import grimp

    graph = grimp.build_graph(*PACKAGES)
    pairs = [(module, each) for module in graph.modules for each in graph.find_modules_directly_imported_by(module)]
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ladders = list(layered(contracts))
    return {
        "climbing": len({pair for ladder in ladders for pair in climbing(pairs, ladder)}),
        "circles": len(circles(pairs)),
    }


def layered(contracts: Iterable[dict[str, Any]]) -> Iterator[list[set[str]]]:
    """The ladders of the layer contracts, from the top down, each step with the full names of its modules."""
    for contract in contracts:
        if contract["type"] == "layers":
            for container in contract.get("containers", [""]):
                prefix = f"{container}." if container else ""
                yield [{prefix + name.strip() for name in step.split("|")} for step in contract["layers"]]


def climbing(pairs: Iterable[tuple[str, str]], ladder: list[set[str]]) -> set[tuple[str, str]]:
    """Imports of a higher step, or of a neighbour on the same one."""
    steps = {name: number for number, names in enumerate(ladder) for name in names}

    def place(module: str) -> str | None:
        return next((name for name in steps if f"{module}.".startswith(f"{name}.")), None)

    placed = ((pair, place(pair[0]), place(pair[1])) for pair in pairs)
    return {pair for pair, by, what in placed if by and what and by != what and steps[what] <= steps[by]}


def circles(pairs: Iterable[tuple[str, str]]) -> set[frozenset[str]]:
    """Groups of siblings, folders or modules, each of which reaches all others of its group."""
    reached: dict[str, set[str]] = {}
    for by, what in pairs:
        one, other = by.split("."), what.split(".")
        shared = next((depth for depth, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        if shared:  # below the top folders, which the ladder holds
            reached.setdefault(".".join(one[: shared + 1]), set()).add(".".join(other[: shared + 1]))

    def everything_from(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            fresh = reached.get(waiting.pop(), set()) - found
            found |= fresh
            waiting.extend(fresh)
        return found

    whole = {name: everything_from(name) for name in reached}
    return {
        frozenset(each for each in whole[name] if name in whole.get(each, ())) for name in whole if name in whole[name]
    }


if __name__ == "__main__":
    main()
