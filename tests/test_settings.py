"""vibe/settings.py holds plain values: it imports no product code, but for the keys made once, and builds nothing."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.functional import Promise

import vibe.core.state
import vibe.settings

SOURCE = Path(vibe.settings.__file__).read_text(encoding="utf-8")
OURS = {"accounts", "audit", "memories", "stories", "vibe"}
ALLOWED = {"vibe.core.state"}
PLAIN = (str, bytes, int, float, type(None), Path, timedelta, Promise)  # Promise: reverse_lazy, of Django


def imported_from_product(source: str) -> set[str]:
    """The modules of the product that a text imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return {name for name in found if name.startswith(".") or name.partition(".")[0] in OURS}


def called_classes(source: str) -> set[str]:
    """The classes that a text calls by a name, of those that vibe.core.state has."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = {each.id for each in calls if isinstance(each, ast.Name)}
    return {name for name in names - {"Path"} if inspect.isclass(getattr(vibe.core.state, name, None))}


def not_plain(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(not_plain, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple):
        return any(map(not_plain, value))
    return not isinstance(value, PLAIN)


def test_no_product_code_is_imported():
    assert imported_from_product(SOURCE) == ALLOWED


def test_no_class_of_the_product_is_called():
    assert called_classes(SOURCE) == set()


def test_every_setting_is_a_plain_value():
    assert {name for name, value in vars(vibe.settings).items() if name.isupper() and not_plain(value)} == set()


@pytest.mark.parametrize(
    "line",
    [
        "from audit.proof.keys import TrailKeys",
        "import stories.tasks",
        "if DEBUG:\n    from vibe.core.crypto.master import MasterRing",
        "from .core import errors",
    ],
)
def test_control_an_import_of_product_code_is_found(line):
    assert imported_from_product(f"{SOURCE}\n{line}\n") > ALLOWED


def test_control_a_class_and_an_object_are_found():
    assert called_classes(f"{SOURCE}\nERROR = ConfigurationError()\n") == {"ConfigurationError"}
    assert not_plain({"keys": [object()]})


WRONG = {
    "AUDIT_PUBLIC_KEYS_RETIRED": "0badc0ffee",
    "BACKUP_DATABASE_URL": "postgres://vibe:0badc0ffee@db",
    "DATABASE_URL": "mysql://vibe:0badc0ffee@db/vibe",
    "REPLICA_URL": "postgres://vibe:0badc0ffee@db:port/vibe",
    "TRUSTED_PROXIES": "0badc0ffee",
    "TRUSTED_PROXY_HEADER": "0badc0ffee",
    "METRICS_NETWORKS": "0badc0ffee",
    "LOG_FORMAT": "0badc0ffee",
    "API_LIMIT_KEY": "0badc0ffee",
    "DATA_KEY_SEALS": "0",
    "STORY_PROCESSOR": "0badc0ffee",
    "STORY_EMBEDDER": "0badc0ffee",
    "STORY_EMBEDDERS_RETIRED": "0badc0ffee",
    "WORKER_SLOTS": "0badc0ffee",
}


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_setting_stops_the_start_by_name_and_its_value_is_not_shown(setting):
    from tests.processes import manage

    done = manage("doctor", **{setting: WRONG[setting]})
    assert done.returncode == 1
    assert setting in done.stderr and done.stderr.startswith("Error: ") and "0badc0ffee" not in done.stderr
