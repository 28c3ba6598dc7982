"""Accounts in a real browser: an app scanned and confirmed, recovery codes, a new colleague; an API key made by two."""

from __future__ import annotations

import re
from base64 import b32decode

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Page, expect

from tests.browser.pages import APPS, IN_A_BROWSER, PASSWORD, SIGNED_IN, press, shoot, sign_in
from tests.sessions import code_of

pytestmark = IN_A_BROWSER


def add_app(page: Page, name: str) -> list[str]:
    """Add the app that the page shows. Return the recovery codes."""
    secret = page.locator("dd code").inner_text().replace(" ", "")
    APPS[name] = TOTP(b32decode(secret))
    SIGNED_IN[name] = 1  # the first code is used to confirm it
    page.get_by_label("The code that the app shows now").fill(code_of(APPS[name]))
    page.get_by_label("Your password, again").fill(PASSWORD)
    press(page, "Add this app")
    expect(page.get_by_role("heading", name="Your recovery codes", level=2)).to_be_visible()
    return page.locator("dd code").all_inner_texts()


def give_code(page: Page, name: str, code: str) -> None:
    """Sign in with a code that is not the app's."""
    page.context.clear_cookies()
    page.goto("/admin/")
    page.get_by_label(re.compile("email", re.I)).fill(f"{name}@example.com")
    page.get_by_label(re.compile("password", re.I)).fill(PASSWORD)
    page.locator("[name=otp_token]").fill(code)
    page.get_by_role("button", name=re.compile("log in", re.I)).click()


def test_an_app_is_replaced_and_recovery_codes_stand_in_for_it(page: Page) -> None:
    sign_in(page, "lena")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("link", name="One-time codes").click()
    press(page, "Replace the app")
    expect(page.get_by_alt_text("The secret as a QR code")).to_be_visible()
    size = page.get_by_alt_text("The secret as a QR code").bounding_box()
    assert size["width"] == size["height"] > 150
    shoot(page, "add-app")
    page.get_by_label("The code that the app shows now").fill("000000")
    page.get_by_label("Your password, again").fill(PASSWORD)
    press(page, "Add this app")
    expect(page.get_by_text("That is not the code that the app shows now.")).to_be_visible()
    shoot(page, "add-app-wrong")
    codes = add_app(page, "lena")
    shoot(page, "recovery-codes")
    sign_in(page, "lena")

    give_code(page, "lena", codes[0])
    expect(page.get_by_text("9 of 10 left")).to_be_visible()
    shoot(page, "one-time-codes")
    give_code(page, "lena", codes[0])
    expect(page.get_by_text("The one-time code is wrong or was used.")).to_be_visible()
    shoot(page, "sign-in-wrong")


def test_a_superuser_adds_a_colleague_who_adds_an_app(page: Page) -> None:
    sign_in(page)
    page.goto("/admin/accounts/user/add/")
    page.locator("#id_email").fill("mia@example.com")
    page.get_by_label(re.compile("approver: decides on")).check()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    shoot(page, "add-staff")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto("/admin/accounts/user/?kind=staff")
    shoot(page, "staff")
    row = page.locator("#result_list tr").filter(has_text="mia@example.com")
    expect(row).to_contain_text("approver")
    expect(page.locator("#result_list tr").filter(has_text="boss@example.com")).to_contain_text("Superuser")
    page.get_by_role("link", name="mia@example.com").click()
    expect(page.get_by_label(re.compile("approver: decides on"))).to_be_checked()
    shoot(page, "staff-page")
    press(page, "Give a sign-in code")
    press(page, "Give a sign-in code")
    code = page.locator("dd").filter(has_text=re.compile(r"^\d{4}( \d{4}){3}$")).inner_text()
    shoot(page, "sign-in-code")
    give_code(page, "mia", code)
    press(page, "Add an app")
    assert len(add_app(page, "mia")) == 10
    sign_in(page, "mia")


@pytest.mark.parametrize("width", [1280, 390])
def test_an_api_key_is_made_by_one_and_approved_by_another(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    sign_in(page, "eva")
    page.goto("/admin/accounts/apikey/")
    page.get_by_title("Add API key").first.click()
    page.get_by_label("Name").fill("nightly import")
    page.get_by_label(re.compile("write: add to them")).check()
    page.get_by_label("Only for this person").fill("nobody@example.com")
    press(page, "Make an API key")
    expect(page.get_by_text("There is no such person.")).to_be_visible()
    shoot(page, f"make-key-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Only for this person").fill("ada@example.com")
    press(page, "Make an API key")
    key = page.locator("dd").inner_text()
    assert key.startswith("vibe_")
    shoot(page, f"the-key-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    press(page, "Back")
    expect(page.get_by_text("Waits for approval").first).to_be_visible()
    shoot(page, f"key-waits-{width}")
    assert key not in page.content()

    sign_in(page, "omar")
    page.get_by_role("link", name=re.compile("eva@example.com made the key nightly import")).click()
    press(page, "Approve this key")
    expect(page.get_by_text("add to them, change and delete them")).to_be_visible()
    shoot(page, f"approve-key-{width}")
    press(page, "Approve this key")
    expect(page.get_by_text("Key approved. It works from now on.")).to_be_visible()
    assert answer(page, key) == 200
    press(page, "Revoke this key")
    press(page, "Revoke this key")
    expect(page.get_by_text("Key revoked.")).to_be_visible()
    assert answer(page, key) == 401


def answer(page: Page, key: str) -> int:
    """The status with which the API answers the key."""
    return page.request.get("/api/v1/me", headers={"Authorization": f"Bearer {key}"}).status
