"""What the tests in a browser share: signing in, pressing buttons, and pictures for whoever wants to look."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django_otp.oath import TOTP
from playwright.sync_api import Page, expect

from tests.sessions import code_of

CHROMIUM = Path(os.environ.get("VIBE_CHROMIUM", "/usr/bin/chromium"))
PASSWORD = "correct horse battery"
APPS: dict[str, TOTP] = {}
"""The authenticator app of each member of staff: no database can be asked while the browser is open."""
SIGNED_IN: Counter[str] = Counter()
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]


def shoot(page: Page, name: str) -> None:
    """A picture for whoever wants to look, in the state folder."""
    folder = settings.STATE_DIR / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)  # charts draw themselves in
    page.screenshot(path=folder / f"{name}.png")


def sign_in(page: Page, name: str = "boss") -> None:
    """As a member of staff; whoever was signed in before is not any more."""
    page.context.clear_cookies()
    page.goto("/admin/")
    page.get_by_label(re.compile("email", re.I)).fill(f"{name}@example.com")
    page.get_by_label(re.compile("password", re.I)).fill(PASSWORD)
    page.locator("[name=otp_token]").fill(code_of(APPS[name], ahead=SIGNED_IN[name]))  # each is good once
    SIGNED_IN[name] += 1
    page.get_by_role("button", name=re.compile("log in", re.I)).click()
    expect(page.get_by_text("Content added, last 30 days")).to_be_visible()


def open_person(page: Page) -> None:
    """From the home page to Ada."""
    page.locator("#nav-sidebar-apps a[href='/admin/accounts/user/?kind=person']").click()
    page.locator("#searchbar").fill("ada@example.com")
    page.keyboard.press("Enter")
    page.locator("#result_list").get_by_role("link", name="ada@example.com").click()
    expect(page.get_by_role("heading", name="Related records")).to_be_visible()


def press(page: Page, name: str) -> None:
    """A button or what looks like one, on the page itself."""
    page.locator("#content, main").get_by_role("link", name=name, exact=True).or_(
        page.locator("#content, main").get_by_role("button", name=name, exact=True)
    ).first.click()
