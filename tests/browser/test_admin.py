"""The admin in a real browser: find a person, ask, approve as another, read, see it end, see the trail; health."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import Page, expect

from tests.browser.conftest import CANARY
from tests.browser.pages import IN_A_BROWSER, open_person, press, shoot, sign_in

pytestmark = IN_A_BROWSER


def test_a_database_is_made_for_these_tests(db):
    """pytest-django makes one only where some test asks for `db`; `committed` alone does not count as asking."""


def say_why(page: Page) -> None:
    page.get_by_label("Reason").fill("They wrote to us.")
    page.get_by_label("Ticket").fill("T-4711")


def test_an_erasure_is_requested_and_approved_and_a_person_restricted(page):
    sign_in(page, "lena")
    open_person(page)
    press(page, "Restrict processing")
    shoot(page, "restrict")
    say_why(page)
    press(page, "Restrict processing")
    expect(page.get_by_text("Processing restricted. What is stored stays")).to_be_visible()
    shoot(page, "restricted")
    press(page, "Erase this person")
    say_why(page)
    shoot(page, "erase")
    press(page, "Erase this person")
    expect(page.get_by_text("Nothing happens to the person until an approver approves it")).to_be_visible()
    sign_in(page, "omar")
    shoot(page, "home-of-an-approver-with-an-erasure")
    page.get_by_role("link", name=re.compile("asks to erase ada@example.com")).click()
    expect(page.get_by_text("Waits for approval").first).to_be_visible()
    shoot(page, "erasure-waiting")
    press(page, "Approve erasure")
    shoot(page, "erasure-approve")
    press(page, "Approve erasure")
    expect(page.get_by_text("Erasure approved.")).to_be_visible()
    shoot(page, "erasure-scheduled")
    page.goto("/admin/accounts/erasure/check/")
    page.get_by_label("Receipt").fill("{}")
    press(page, "Check receipt")
    expect(page.get_by_text("The receipt does not hold.")).to_be_visible()
    shoot(page, "receipt")


def test_from_signing_in_to_a_conversation(page):
    page.goto("/")
    expect(page.get_by_role("heading", name="Vibe")).to_be_visible()
    shoot(page, "landing")
    page.get_by_role("link", name="Admin").click()
    shoot(page, "sign-in")
    sign_in(page)
    shoot(page, "home")
    page.locator("#nav-sidebar-apps a[href='/admin/accounts/user/?kind=person']").click()
    shoot(page, "people")
    page.locator("#searchbar").fill("ada@example.com")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody")).to_have_count(1)
    page.locator("#result_list").get_by_role("link", name="ada@example.com").click()
    expect(page.get_by_role("heading", name="Related records")).to_be_visible()
    shoot(page, "person")
    page.get_by_role("link", name=re.compile("^Conversations")).last.click()
    expect(page.locator("#result_list tbody")).to_have_count(1)
    shoot(page, "conversations")
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_text("External id")).to_be_visible()
    assert CANARY not in page.content()
    shoot(page, "conversation")
    page.get_by_role("link", name="Audit log arrow_forward").click()
    expect(page.get_by_text("Looked at a page of metadata: conversation").first).to_be_visible()
    shoot(page, "trail")
    page.goto("/admin/accounts/accessgrant/")
    expect(page.get_by_text("No member of staff has requested access to anybody's content.")).to_be_visible()
    shoot(page, "empty")


def test_asking_approving_reading_and_the_end(page):
    sign_in(page, "lena")
    open_person(page)
    press(page, "Request access")
    page.get_by_label("Reason").fill("Cannot find what she told last week")
    page.get_by_label("Ticket").fill("T-117")
    shoot(page, "ask")
    press(page, "Send request")
    expect(page.get_by_text("An approver will decide")).to_be_visible()
    grant = page.url
    expect(page.get_by_text("Read content", exact=True)).to_have_count(0)
    shoot(page, "grant-waiting")

    sign_in(page, "omar")
    page.goto(grant)
    press(page, "Approve access")
    expect(page.get_by_text("Cannot find what she told last week")).to_be_visible()
    shoot(page, "approve")
    press(page, "Approve access")
    expect(page.get_by_text("Access approved. It begins now.")).to_be_visible()

    sign_in(page, "lena")
    page.goto(grant)
    press(page, "Read content")
    page.get_by_role("link", name="About first").click()
    expect(page.get_by_text(f"I met {CANARY}.").first).to_be_visible()
    shoot(page, "reading")
    reading = page.url
    page.get_by_role("link", name="ada@example.com").first.click()
    press(page, "Why was it not found?")
    press(page, "Ask the question")
    page.get_by_label("Question").fill(f"Who is {CANARY}?")
    page.get_by_label("Memory").fill("m1")
    press(page, "Ask")
    expect(page.get_by_text(re.compile("^(It came at place|It did not come)"))).to_be_visible()
    shoot(page, "why")
    page.goto(grant)
    press(page, "End access now")
    press(page, "End access now")
    expect(page.get_by_text("Access ended.", exact=True)).to_be_visible()
    page.goto(reading)
    expect(page.get_by_text("You have no grant in force")).to_be_visible()
    assert CANARY not in page.content()
    shoot(page, "ended")

    sign_in(page, "noa")
    page.goto("/admin/audit/auditlog/")
    for action in ("Asked to read content", "Read content under a grant", "Ended access to content"):
        expect(page.locator("#result_list").get_by_text(action, exact=True).first).to_be_visible()
    shoot(page, "trail-of-a-grant")


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_database_health(page, look):
    dressed(page, look)
    sign_in(page, "eva")
    page.goto("/admin/health/")
    expect(page.get_by_role("heading", name="Slowest statements")).to_be_visible()
    shoot(page, f"health-{look}")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def dressed(page: Page, look: str) -> None:
    """Another colour scheme, or a telephone."""
    if look == "dark":
        page.emulate_media(color_scheme="dark")
    elif look == "narrow":
        page.set_viewport_size({"width": 390, "height": 844})


WRITTEN = "5 Nov 2025, 23:30 UTC"


@pytest.mark.parametrize(("zone", "hours", "called"), [("Asia/Tokyo", 9, "GMT+9"), ("UTC", 0, "UTC")])
def test_times_are_those_of_the_reader_with_utc_on_hover(page, site, zone, hours, called):
    reader = page.context.browser.new_page(base_url=site, timezone_id=zone)
    sign_in(reader)
    for path in ("memories/memory/", "audit/auditlog/", ""):
        reader.goto(f"/admin/{path}")
        shown = reader.locator("main time, #content time").first
        at = datetime.fromisoformat(shown.get_attribute("datetime"))
        seconds = ":%S" if path == "audit/auditlog/" else ""
        assert shown.inner_text() == f"{at + timedelta(hours=hours):%-d %b %Y, %H:%M{seconds}} {called}"
        assert shown.get_attribute("title") == f"{at:%-d %b %Y, %H:%M{seconds}} UTC"
        assert reader.locator("td:not(:has(time)):text-matches('[0-9]{4}, [0-9]{2}:[0-9]{2}')").count() == 0, (
            "each of them"
        )
    shoot(reader, f"times-{zone.replace('/', '-')}")


def test_what_was_said_of_a_time_is_left_as_it_was(page):
    """The control: the same words beside it are a time of ours, and shown as one."""
    reader = page.context.browser.new_page(timezone_id="Asia/Tokyo")
    reader.set_content(f"<p data-said>On {WRITTEN}.</p><p id=ours>From {WRITTEN} to {WRITTEN}.</p>")
    reader.add_script_tag(path=str(finders.find("vibe/local_times.js")))
    assert reader.locator("[data-said]").inner_text() == f"On {WRITTEN}."
    assert reader.locator("#ours").inner_text() == "From 6 Nov 2025, 08:30 GMT+9 to 6 Nov 2025, 08:30 GMT+9."


@pytest.mark.parametrize("name", ["dark", "narrow"])
def test_other_eyes_and_other_screens(page, name):
    dressed(page, name)
    page.goto("/")
    shoot(page, f"landing-{name}")
    sign_in(page)
    shoot(page, f"home-{name}")
    for path, picture in (("accounts/user/?kind=person", "people"), ("audit/auditlog/", "trail")):
        page.goto(f"/admin/{path}")
        shoot(page, f"{picture}-{name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], "no page scrolls sideways"
    page.locator("#result_list tbody a").first.click()
    shoot(page, f"trail-row-{name}")


def test_search_by_keyboard_from_every_page(page):
    """Also where a list has a field of its own for the same key, and where the sidebar is not seen."""
    sign_in(page)
    for key, path in (
        ("/", "/admin/"),
        ("Control+k", "/admin/accounts/user/?kind=person"),
        ("/", "/admin/memories/memory/"),
    ):
        page.goto(path)
        page.keyboard.press(key)
        expect(page.locator("#global-search")).to_be_focused()
        page.keyboard.type("ada@")
        page.keyboard.press("Enter")
        expect(page.locator("[data-found]").get_by_role("link", name="ada@example.com")).to_be_visible()
    page.locator("#searchbar, #search-term").first.focus()
    page.keyboard.press("/")
    expect(page).to_have_url(re.compile(r"/admin/search/\?q=ada%40$"))
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/admin/queues/")
    page.keyboard.press("/")
    expect(page.locator("#search-term")).to_be_focused()
    shoot(page, "search-narrow")
