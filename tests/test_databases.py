"""The tests' own databases are of the migrations that are there, and hold no other's rows."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate

from tests import databases, matrix
from tests.databases import ROOT, schema_sources, schema_version, version_of

OURS = re.compile(r"^\s*(?:from|import) ((?:accounts|audit|memories|stories|vibe)[\w.]*)", re.MULTILINE)


def test_a_changed_source_makes_another_version(tmp_path, monkeypatch):
    added = tmp_path / "0099_added.py"
    monkeypatch.setattr(databases, "RUN_BY_MIGRATIONS", (*databases.RUN_BY_MIGRATIONS, str(added)))
    without = schema_version()
    added.write_text("a = 1")
    first = schema_version()
    added.write_text("a = 2")
    assert len({without, first, schema_version()}) == 3


def test_the_database_of_this_run_is_of_these_migrations(db):
    assert version_of(connection.settings_dict["NAME"]) == schema_version()


def test_the_version_covers_what_migrations_run():
    sources = schema_sources()
    migrations = {path for app in apps.get_app_configs() for path in Path(app.path, "migrations").glob("*.py")}
    assert migrations <= sources
    for path in migrations:
        for module in OURS.findall(path.read_text()):
            file = ROOT / module.replace(".", "/")
            assert {file.with_suffix(".py"), file / "__init__.py"} & sources, (path, module)
    for _, receiver, *_ in post_migrate.receivers:
        function = receiver() if not inspect.isfunction(receiver) else receiver
        ours = OURS.match(f"import {function.__module__}")
        assert not ours or Path(inspect.getfile(function)) in sources, function


def test_the_matrix_takes_the_first_whole_server_of_each_version(tmp_path: Path) -> None:
    hollow = tmp_path / "bin"
    hollow.mkdir()
    for name in ("postgres", "initdb", "pg_config"):
        program = hollow / name
        program.write_text(f"#!/bin/sh\necho '{tmp_path}/share (PostgreSQL) 17.1'\n")
        program.chmod(0o755)
    assert matrix.versions([tmp_path / "nothing", hollow]) == {}, "it has no pgvector"
    (tmp_path / "share" / "extension").mkdir(parents=True)
    (tmp_path / "share" / "extension" / "vector.control").touch()
    assert matrix.versions([hollow, matrix.bundled_programs()]) == {17: hollow, 18: matrix.bundled_programs()}
