"""The right pg_dump is found by its version, wherever it is, and never because it is the first on PATH."""

from __future__ import annotations

import os

import pytest

from vibe.backup import programs
from vibe.backup.programs import program
from vibe.core.db.embedded.files import BINARIES
from vibe.core.errors import ConfigurationError


@pytest.fixture
def install(tmp_path, monkeypatch, settings):
    """Put programs that say a version into folders such as a system has: install(15, 17)."""
    settings.PG_BIN = ""
    monkeypatch.setattr(programs, "BINARIES", tmp_path / "absent")
    monkeypatch.setattr(programs, "FOLDERS", (str(tmp_path / "*/bin"),))

    def install(*majors, prefix=""):
        for major in majors:
            folder = tmp_path / f"{prefix}{major}" / "bin"
            folder.mkdir(parents=True)
            (folder / "pg_dump").write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.3 (Debian {major}.3-1)'\n")
            (folder / "pg_dump").chmod(0o755)
        return tmp_path

    return install


@pytest.mark.parametrize(("server", "chosen"), [(15, 15), (14, 15), (16, 17), (17, 17)])
def test_the_servers_own_version_or_the_next_higher_one_is_taken(install, server, chosen):
    install(17, 15, 18)
    assert program("pg_dump", major=server).major == chosen


def test_an_older_one_is_refused_although_it_is_the_first_on_path(install, monkeypatch):
    folder = install(15) / "15" / "bin"
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    with pytest.raises(ConfigurationError, match=r"PostgreSQL 18 or newer is needed.*15 in .*postgresql-client-18"):
        program("pg_dump", major=18)


def test_a_folder_that_is_set_is_the_only_one(install, settings):
    folder = install(18)
    settings.PG_BIN = str(install(16, prefix="other") / "other16" / "bin")
    with pytest.raises(ConfigurationError, match="PG_BIN"):
        program("pg_dump", major=18)
    settings.PG_BIN = str(folder / "18" / "bin")
    assert program("pg_dump", major=14).path == folder / "18" / "bin" / "pg_dump"
    settings.PG_BIN += f"{os.pathsep}{folder / 'other16' / 'bin'}"
    assert [program("pg_dump", major=each).major for each in (16, 17)] == [16, 18]


def test_what_does_not_run_is_none(install, tmp_path):
    install()
    with pytest.raises(ConfigurationError, match="none at all"):
        program("pg_dump", major=18)


def test_the_product_brings_its_own():
    assert program("pg_dump", major=18).path == BINARIES / "pg_dump"
    assert program("pg_restore", major=18).path == BINARIES / "pg_restore"
