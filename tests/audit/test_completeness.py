"""Forgetting to record is impossible: every address and every verb is walked, also those that are written tomorrow."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from audit.models import AuditLog
from vibe.core.db.scopes import as_system

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("accounts", "audit", "memories", "stories", "vibe")
# What can show and change nothing of anybody. Whoever adds to it says so here.
WITHOUT_PERSONAL_DATA = {
    "home",
    "admin:jsi18n",
    "livez",
    "readyz",
    "metrics",
    *("nowhere", "api:openapi-json", "api:openapi-view"),
}
SAMPLES = {"uuid": UUID(int=7), "uuidstr": str(UUID(int=7)), "int": 7, "str": "7", "slug": "seven", "path": "7/8"}


def addresses(resolver: Any, prefix: str = "", names: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Any]]:
    """Every pattern: its name, an address that meets it, its view."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = (*names, pattern.namespace) if pattern.namespace else names
            yield from addresses(pattern, prefix + example(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            name = ":".join((*names, pattern.name or pattern.lookup_str))
            yield name, f"/{prefix}{example(pattern.pattern)}", pattern.callback


def example(pattern: Any) -> str:
    """An address that a pattern meets."""
    route = str(pattern)
    if not hasattr(pattern, "converters") or not hasattr(pattern, "_route"):
        return {"^(?P<url>.*)$": "nowhere", "(?P<url>.*)$": "nowhere"}.get(route, route.strip("^$"))
    for name, converter in pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        value = converter.to_url(SAMPLES.get(kind, "7"))
        route = route.replace(f"<{kind}:{name}>", value).replace(f"<{name}>", value)
    return route


ADDRESSES = sorted({name: (address, view) for name, address, view in addresses(get_resolver())}.items())


def unmarked() -> list[Any]:
    return [
        pytest.param(address, id=name)
        for name, (address, view) in ADDRESSES
        if not getattr(view, "no_personal_data", False)
    ]


def count() -> int:
    with as_system():
        return AuditLog.objects.count()


def test_the_list_of_views_without_personal_data_is_the_one_above() -> None:
    marked = {name for name, (_, view) in ADDRESSES if getattr(view, "no_personal_data", False)}
    assert marked == WITHOUT_PERSONAL_DATA


@pytest.mark.parametrize("address", unmarked())
def test_every_other_address_leaves_a_row(db: None, settings: Any, tmp_path: Path, address: str) -> None:
    settings.STATIC_ROOT = tmp_path
    client, before = Client(raise_request_exception=False), count()
    client.get(address)
    assert count() == before + 1
    client.post(address)
    assert count() == before + 2


# Verbs


def modules() -> list[ModuleType]:
    """Every services module of ours, whether a file or a package of files."""
    found = []
    for config in apps.get_app_configs():
        if config.name.split(".")[0] not in OURS:
            continue
        package = importlib.import_module(config.name)
        for each in pkgutil.walk_packages(package.__path__, f"{config.name}."):
            if "services" in each.name.split("."):
                found.append(importlib.import_module(each.name))
    return found


def verbs() -> list[Any]:
    """Public functions of services that say who acts: by that they are verbs."""
    return [
        pytest.param(function, id=f"{module.__name__}.{name}")
        for module in modules()
        if module.__name__ != "audit.services"
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if "actor" in inspect.signature(function).parameters
    ]


def calls(function: Any) -> set[str]:
    """The names a function calls."""
    tree = ast.parse(inspect.getsource(function).lstrip())
    return {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }


def records(function: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Whether it calls record(), itself or by a function of ours that it hands the work to."""
    called = calls(function)
    if "record" in called:
        return True
    known = vars(inspect.getmodule(function))
    helpers = {known[name] for name in called if inspect.isfunction(known.get(name))}
    return any(
        records(helper, seen | {function})
        for helper in helpers - seen - {function}
        if helper.__module__.split(".")[0] in OURS
    )


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_records(verb: Any) -> None:
    assert records(verb), f"{verb.__module__}.{verb.__name__} takes an actor and records nothing"


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_told_by_name_who_acts(verb: Any) -> None:
    actor = inspect.signature(verb).parameters["actor"]
    assert (actor.kind, actor.default) == (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty)


def test_control_a_verb_that_forgets_is_found() -> None:
    def forgets(*, actor: Any) -> None:
        print(actor)

    assert not records(forgets)


def writes(tree: ast.AST) -> Iterator[str]:
    """What in a source changes rows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changes = {"save", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create", "delete"}
            if ast.unparse(node.func) == "router.delete":  # an address of the API, not a row
                continue
            if node.func.attr in changes or ast.unparse(node.func) in ("bulk.insert",):
                yield ast.unparse(node.func)


def test_commands_and_the_api_change_nothing_but_by_verbs() -> None:
    """Rows change in services and in what they are made of, never in a command, a job or a view."""
    thin = [
        path
        for app in OURS
        for path in (ROOT / app).rglob("*.py")
        if {"commands", "api", "tasks", "tasks.py", "views", "views.py"} & set(path.relative_to(ROOT).parts)
    ]
    found = {str(path.relative_to(ROOT)): list(writes(ast.parse(path.read_text()))) for path in thin}
    assert {name: changes for name, changes in found.items() if changes} == {}
