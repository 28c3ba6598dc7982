"""Six tasks of a day of support, from the home page: at most five clicks in each role that may; the others are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connections
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from accounts.erasure.services import erase_due
from tests.attacks.admin.stage import Cast, make, signed_in
from tests.browser.conftest import serving
from tests.browser.pages import IN_A_BROWSER, shoot
from tests.building import build_conversation, converse
from tests.cast import TESTER
from tests.test_admin_work_list import fail_a_job

pytestmark = IN_A_BROWSER

MOST = 5
ROLES = {"support": "reader", "approver": "approver", "auditor": "auditor", "engineer": "engineer", "superuser": "boss"}


@dataclass
class Day:
    """Who is there, and the session of each role."""

    cast: Cast
    sessions: dict[str, str]


@pytest.fixture
def day(test_database: None, committed: None, settings: Any, tmp_path: Any) -> Day:
    """Ada told of her dog, support may read what she said, a job has failed, and no worker is running."""
    settings.ONE_TIME_CODES, settings.ERASURE_GRACE_DAYS = True, 0
    settings.ERASURES_FILE, settings.EXPORT_DIR = tmp_path / "erasures.jsonl", tmp_path / "exports"
    cast = make()
    told = converse(cast.ada, [("Ada", "My dog is called Bruno."), ("Ada", "It rained.")], external_id="dog")
    build_conversation(cast.ada, told)
    fail_a_job()
    sessions = {role: signed_in(cast.staff[name]).cookies["sessionid"].value for role, name in ROLES.items()}
    return Day(cast, sessions)


@pytest.fixture
def site(day: Day) -> Iterator[str]:
    with serving() as url:
        yield url


class Hand:
    """What a member of staff clicks, counted from the home page. Enter counts, typing does not."""

    def __init__(self, page: Page, day: Day, site: str) -> None:
        self.page, self.day, self.site, self.clicks = page, day, site, 0

    def begin(self, role: str) -> None:
        self.page.context.clear_cookies()
        self.page.context.add_cookies([{"name": "sessionid", "value": self.day.sessions[role], "url": self.site}])
        self.page.goto(reverse("admin:index"))
        self.clicks = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def press(self, name: str | re.Pattern[str]) -> None:
        """A link or a button of the page itself."""
        main, exact = self.page.locator("main"), isinstance(name, str)
        self.click(main.get_by_role("link", name=name, exact=exact).or_(main.get_by_role("button", name=name)).first)

    def search(self, term: str, found: str | re.Pattern[str]) -> None:
        self.page.keyboard.press("/")
        self.page.keyboard.type(term)
        self.page.keyboard.press("Enter")
        self.clicks += 1
        self.click(self.page.locator("[data-found]").get_by_role("link", name=found).first)

    def say_why(self) -> None:
        self.page.get_by_label("Reason").fill("They wrote to us.")
        self.page.get_by_label("Ticket").fill("T-4711")

    def done(self, text: str | re.Pattern[str]) -> None:
        """What was wanted is seen, within so many clicks."""
        expect(self.page.locator("main").get_by_text(text).first).to_be_visible()
        assert self.clicks <= MOST

    def is_told(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()


@pytest.fixture
def hand(page: Page, day: Day, site: str) -> Hand:
    return Hand(page, day, site)


NO_ROLE = "Your account has no role that opens this page."


def others(*able: str) -> list[str]:
    return [role for role in ROLES if role not in able]


def elsewhere(work: Callable[[], Any]) -> None:
    """Do what asks the database in a thread of its own: where the browser is, none can be asked."""

    def closing() -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(closing).result()


def test_it_forgot_the_name_of_my_dog(hand: Hand) -> None:
    hand.begin("support")
    hand.search("a@example.com", "a@example.com")
    hand.press("Why was it not found?")
    hand.press("Ask the question")
    hand.page.get_by_label("Question").fill("What is my dog called?")
    hand.press("Ask")
    hand.done("My dog is called Bruno.")
    shoot(hand.page, "day-dog")
    for role in others("support"):
        hand.begin(role)
        hand.search("a@example.com", "a@example.com")
        hand.press("Why was it not found?")
        hand.done(re.compile("Search looks through about"))
        if role == "superuser":
            hand.press("Request access")
            hand.done("Send request")
        else:
            hand.done("It takes the role support.")
        hand.page.goto(reverse("admin:why_asked", args=[hand.day.cast.ada]))
        hand.is_told("You have no grant in force for this person.")


def test_who_read_it(hand: Hand) -> None:
    hand.begin("support")
    hand.page.goto(reverse("admin:person_content", args=[hand.day.cast.ada]))
    hand.page.get_by_role("link", name=re.compile("^Untitled|Xylo")).first.click()
    for role in ("auditor", "superuser"):
        hand.begin(role)
        hand.search("a@example.com", "a@example.com")
        hand.press("Who read their data?")
        hand.done("Read content under a grant")
        hand.done("reader@x.org")
        shoot(hand.page, "day-who-read")
    url = hand.page.url
    for role in others("auditor", "superuser"):
        hand.begin(role)
        hand.page.goto(url)
        hand.is_told(NO_ROLE)


def test_delete_and_prove(hand: Hand) -> None:
    ada = hand.day.cast.ada
    for role in others("support", "superuser"):
        hand.begin(role)
        hand.page.goto(reverse("admin:accounts_user_do", args=[ada, "erase"]))
        hand.is_told(NO_ROLE)
    hand.begin("support")
    hand.search("a@example.com", "a@example.com")
    hand.press("Erase this person")
    hand.say_why()
    hand.press("Erase this person")
    hand.done(re.compile("Nothing happens to the person until an approver approves it"))
    hand.begin("approver")
    hand.press(re.compile("asks to erase a@example.com"))
    hand.press("Approve erasure")
    hand.press("Approve erasure")
    hand.done("Erasure approved.")
    elsewhere(lambda: erase_due(actor=TESTER))
    for role in ROLES:
        hand.begin(role)
        hand.search(str(ada), re.compile("^Erasure"))
        hand.press("Check receipt")
        hand.press("Check receipt")
        hand.done("The receipt holds.")
    shoot(hand.page, "day-receipt")


def test_the_queue_is_stuck(hand: Hand) -> None:
    for role in ROLES:
        hand.begin(role)
        hand.done("Failed jobs")
        hand.done(re.compile("The database was not there for a job"))
        if role in ("engineer", "superuser"):
            hand.press("Work has stopped or is late")
            hand.done(re.compile("No worker is running"))
            shoot(hand.page, "day-queues")
            if role == "engineer":
                hand.press("Try all again")
                hand.press(re.compile("^Try all 1 again"))
                hand.done("1 job waits for a worker.")
                elsewhere(fail_a_job)
        else:
            hand.page.goto(reverse("admin:queues"))
            hand.is_told(NO_ROLE)


def test_my_request_for_access_was_approved(hand: Hand) -> None:
    jonas = hand.day.cast.jonas
    for role in others("support", "superuser"):
        hand.begin(role)
        hand.page.goto(reverse("admin:accounts_accessgrant_ask", args=[jonas]))
        hand.is_told("You may not ask for access. It takes the role support.")
    for role in ("support", "superuser"):
        hand.begin(role)
        hand.search("j@example.com", "j@example.com")
        hand.press("Request access")
        hand.say_why()
        hand.press("Send request")
        hand.done("Request sent.")
        grant = hand.page.url
        hand.page.goto(f"{grant.removesuffix('change/')}do/approve/")
        hand.is_told(re.compile("^You may not see this|We couldn't do that"))
        hand.begin("approver")
        hand.press(re.compile(f"{ROLES[role]}@x.org asks to read j@example.com"))
        hand.press("Approve access")
        hand.press("Approve access")
        hand.done("Access approved.")
        hand.begin(role)
        hand.press(re.compile("^j@example.com: you may read until"))
        hand.press("Read content")
        hand.done("You are reading what")
        shoot(hand.page, "day-reading")


def test_why_is_it_slow(hand: Hand) -> None:
    for role in ("engineer", "superuser"):
        hand.begin(role)
        hand.click(hand.page.locator("#nav-sidebar").get_by_role("link", name="Database health"))
        hand.done("Slowest statements")
    hand.clicks = MOST + 1
    with pytest.raises(AssertionError):
        hand.done("Slowest statements")  # the control
    for role in others("engineer", "superuser"):
        hand.begin(role)
        hand.page.goto(reverse("admin:database_health"))
        hand.is_told(NO_ROLE)
