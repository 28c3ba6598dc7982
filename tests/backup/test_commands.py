"""The commands, on a server given by DATABASE_URL: the application's login and a role that sees every row."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.backup.conftest import databases
from tests.processes import manage, url

pytestmark = pytest.mark.usefixtures("leaves_no_database")


def test_from_a_backup_to_a_drill_to_a_restore(two_people, tmp_path, leaves_no_database):
    path = str(tmp_path / "vibe.backup")
    places = {"DATABASE_URL": url(), "BACKUP_DATABASE_URL": url(user="postgres")}
    made = manage("backup", path, **places)
    assert made.returncode == 0, made.stderr
    assert "restore --drill" in made.stdout
    tried = manage("restore", "--drill", path, **places)
    assert (tried.returncode, tried.stdout.count("pass  ")) == (0, 7), tried.stdout + tried.stderr
    refused = manage("restore", path, **places)
    assert refused.returncode == 1 and "--replace" in refused.stderr
    assert databases() == leaves_no_database
    done = manage("restore", path, "--replace", **places)
    connection.close()  # it was sent out of the database that is aside now
    assert done.returncode == 0, done.stderr
    assert len(databases()) == len(leaves_no_database) + 1


def test_a_missing_file_of_keys_is_said_with_what_follows(two_people, tmp_path):
    path = tmp_path / "vibe.backup"
    said = manage("restore", str(path), DATABASE_URL=url())
    assert said.returncode == 1 and "--without-keys" in said.stderr
    said = manage("restore", str(path), "--without-keys", DATABASE_URL=url())
    assert said.returncode == 1 and "cannot be read" in said.stderr
    said = manage("backup", str(path), DATABASE_URL=url(), BACKUP_DATABASE_URL="")
    assert said.returncode == 1 and "CREATE ROLE vibe_backup" in said.stderr


def test_a_drill_that_fails_says_so_by_its_exit_code(two_people, tmp_path):
    path = str(tmp_path / "vibe.backup")
    places = {"DATABASE_URL": url(), "BACKUP_DATABASE_URL": url(user="postgres")}
    assert manage("backup", path, **places).returncode == 0
    tried = manage("restore", "--drill", path, "--without-keys", **places)
    assert tried.returncode == 1 and "FAIL  sample" in tried.stdout
