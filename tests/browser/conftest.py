"""A browser, and a server with Ada, her conversation, and staff of each role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from accounts.people.services.people import Profile, ensure_person
from accounts.staff.groups import ensure_groups
from tests.browser.pages import APPS, CHROMIUM, PASSWORD, SIGNED_IN
from tests.cast import TESTER
from tests.sessions import authenticator
from vibe.core.db.scopes import as_staff

CANARY = "xylocanary"


@pytest.fixture
def test_database(django_db_setup: None) -> None:
    """Never the real one: what commits here is emptied afterwards."""
    assert str(connection.settings_dict["NAME"]).startswith("test_"), "run this file whole, not one test of it"


@pytest.fixture
def site(test_database: None, committed: None, tell, settings) -> Iterator[str]:
    """A server with Ada, her conversation, and staff with one-time codes. It commits: the server connects anew."""
    settings.ONE_TIME_CODES = True
    ada = ensure_person(profile=Profile(firebase_uid="ada", email="ada@example.com", name="Ada"), actor=TESTER)
    ensure_person(profile=Profile(firebase_uid="jonas", email="jonas@example.com", name="Jonas"), actor=TESTER)
    tell(ada, "first", [("Ada", f"I met {CANARY}."), ("Vibe", f"Who is {CANARY}?")])
    APPS["boss"] = authenticator(User.objects.create_superuser("boss@example.com", PASSWORD))
    ensure_groups()
    for name, role in (("lena", "support"), ("omar", "approver"), ("noa", "auditor"), ("eva", "engineer")):
        member = User.objects.create_user(f"{name}@example.com", PASSWORD)
        with as_staff():
            member.groups.set(Group.objects.filter(name=role))
        APPS[name] = authenticator(member)
    SIGNED_IN.clear()
    with serving() as url:
        yield url


@contextmanager
def serving() -> Iterator[str]:
    """A server of the test's database, until the block ends."""
    server = LiveServer("127.0.0.1")
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def page(site: str) -> Iterator[Page]:
    """A browser page that may load from the server and from nowhere else."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        page = browser.new_page(base_url=site, viewport={"width": 1280, "height": 800})
        page.set_default_timeout(15_000)
        strangers: list[str] = []
        page.on("request", lambda request: strangers.append(request.url) if not from_site(request.url, site) else None)
        problems: list[str] = []
        page.on("pageerror", lambda problem: problems.append(str(problem)))
        yield page
        browser.close()
    assert strangers == [], "everything comes from our own server"
    assert problems == []


def from_site(url: str, site: str) -> bool:
    return url.startswith((site, "data:", "blob:"))
