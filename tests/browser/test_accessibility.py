"""Every page of the admin, `/` and errors, as axe-core sees them: in both themes, wide and narrow.

Some pages here; `make axe` walks all of them in each role, which takes the better part of an hour.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import URLPattern, reverse
from playwright.sync_api import Page, expect

from accounts.models import ApiKey, User
from tests.attacks.admin.stage import Cast, make, signed_in
from tests.attacks.admin.test_markup import fill
from tests.browser.conftest import serving
from tests.browser.pages import IN_A_BROWSER
from tests.sessions import age
from vibe.core.admin.links import list_url
from vibe.core.db.scopes import as_support

pytestmark = IN_A_BROWSER

Look = tuple[int, str]  # width and theme
LOOKS: tuple[Look, ...] = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
ROLES = ("boss", "boss an hour later", "reader", "approver", "auditor", "engineer", "nobody")
# Files, fragments, redirects.
NO_PAGES = ("_csv", "_receipt", "jsi18n", "autocomplete", "view_on_site", "logout", "search")
OUTSIDE = ("/", "/nowhere", "/admin/nowhere/")
WHOLE = pytest.mark.skipif(os.environ.get("VIBE_AXE") != "full", reason="the whole walk is `make axe`")


# What there is to walk


def admin_pages(cast: Cast) -> Iterator[str]:
    """An address of each page of the admin, with rows that exist."""
    with as_support():
        keys = list(ApiKey.objects.values_list("pk", flat=True)[:1])
    given: dict[str, list[Any]] = {
        "api_key": keys,
        "user_id": [cast.ada],
        "conversation_id": [cast.conversation],
        "task": ["stories.build"],
        "app_label": ["accounts"],
    }
    for pattern in admin.site.get_urls():
        if isinstance(pattern, URLPattern):
            yield from addresses(pattern, given)
    for model, its in admin.site._registry.items():
        with as_support():
            rows = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
        ids = list(dict.fromkeys([*rows[:1], *rows[-1:]]))
        of_model = {
            **dict.fromkeys(("object_id", "id", "pk", "webhook_id"), ids),
            "name": [deed.name for deed in getattr(its, "deeds", ())],
        }
        for pattern in its.get_urls():
            yield from addresses(pattern, {**given, **of_model})
        yield list_url(model, q="nothing is called this")


def addresses(pattern: URLPattern, given: dict[str, list[Any]]) -> Iterator[str]:
    """The addresses of one URL, with each value of its arguments. A new argument is told in `admin_pages`."""
    if pattern.name and not pattern.name.endswith(NO_PAGES):
        choices: list[dict[str, Any]] = [{}]
        for name in {**pattern.pattern.converters, **pattern.pattern.regex.groupindex}:
            choices = [{**one, name: value} for one in choices for value in given[name]]
        yield from (reverse(f"admin:{pattern.name}", kwargs=one) for one in choices)


@dataclass
class Stage:
    """Who is there, and what they can open."""

    pages: list[str]
    sessions: dict[str, str]
    person: str
    question: str


@pytest.fixture
def stage(test_database: None, committed: None, settings: Any) -> Stage:
    settings.ONE_TIME_CODES = True
    cast = make()
    pages = list(dict.fromkeys(admin_pages(fill(cast))))
    clients = {name: signed_in(user) for name, user in cast.staff.items() if name != "other"}
    clients["nobody"] = signed_in(User.objects.create_user("nobody@x.org", "p"))
    clients["boss an hour later"] = age(signed_in(cast.staff["boss"]), minutes=60)
    sessions = {name: client.cookies["sessionid"].value for name, client in clients.items()}
    assert set(sessions) == set(ROLES)
    assert Group.objects.count() == 4, "a new role is to be walked as"
    person = reverse("admin:accounts_user_change", args=[cast.ada])
    return Stage(pages, sessions, person, reverse("admin:why_asked", args=[cast.ada]))


@pytest.fixture
def site(stage: Stage) -> Iterator[str]:
    with serving() as url:
        yield url


# How it is looked at


THEME = """theme => {
    document.documentElement.classList.remove("light", "dark")
    document.documentElement.classList.add(theme)
}"""


def faults(page: Page, look: Look, within: str | None = None) -> set[str]:
    """What axe finds on the page as it is shown now, or within what a selector names."""
    width, theme = look
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.evaluate(THEME, theme)  # the admin reads it only once
    found = Axe().run(page, within).response["violations"]
    return {f"{width} {theme} {rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]}


def opened(page: Page) -> Iterator[str]:
    """Open in turn what is closed when a page comes."""
    for name in ("Filters", "Sidebar", "Your account"):
        button = page.get_by_role("button", name=name).locator("visible=true")
        if button.count() and not (name == "Sidebar" and button.get_attribute("aria-expanded") == "true"):
            button.click()
            yield name
            page.keyboard.press("Escape")


@dataclass
class Walk:
    """A browser that goes through pages as somebody, and what it found."""

    page: Page
    site: str
    stage: Stage
    found: dict[str, set[str]] = field(default_factory=dict)
    looked_at: int = 0
    known: set[Any] = field(default_factory=set)

    def become(self, name: str) -> None:
        self.page.context.clear_cookies()
        self.page.context.add_cookies([{"name": "sessionid", "value": self.stage.sessions[name], "url": self.site}])

    def look(self, where: str, *looks: Look, within: str | None = None) -> None:
        for each in looks or LOOKS:
            self.looked_at += 1
            if found := faults(self.page, each, within):
                self.found.setdefault(where, set()).update(found)

    def visit(self, url: str, *looks: Look) -> None:
        """Look at a page, once where several addresses show the same: an error, or a list that others lead to."""
        answer = self.page.goto(url)
        assert answer is not None
        address = urlsplit(answer.url)
        same = (address.path, *sorted(parse_qs(address.query))) if answer.ok else (answer.status, self.page.title())
        if "text/html" in answer.headers.get("content-type", "") and same not in self.known:
            self.known.add(same)
            self.look(url, *looks)

    def open_all(self, where: str) -> None:
        """What can be opened on the page that is shown, narrow and wide."""
        for width in (1280, 390):
            self.page.set_viewport_size({"width": width, "height": 844})
            for name in opened(self.page):
                self.look(f"{where}, {name} open", (width, "light"), (width, "dark"))


@pytest.fixture
def walk(page: Page, site: str, stage: Stage) -> Walk:
    return Walk(page, site, stage)


def sign_in_wrongly(walk: Walk) -> None:
    walk.page.context.clear_cookies()
    walk.page.goto("/admin/login/")
    walk.look("the sign-in page")
    walk.page.get_by_label("Email").fill("boss@x.org")
    walk.page.get_by_label("Password").fill("wrong")
    walk.page.locator("[name=otp_token]").fill("000000")
    walk.page.get_by_role("button", name="Log in").click()
    walk.page.get_by_text("Please correct the error").or_(walk.page.get_by_role("alert")).first.wait_for()
    walk.look("the sign-in page, refused")


def add_nobody(walk: Walk) -> None:
    walk.page.goto(reverse("admin:accounts_user_add"))
    walk.page.get_by_role("button", name="Save", exact=True).click()
    walk.look("a form with errors")


def ask(walk: Walk) -> None:
    walk.page.goto(walk.stage.question)
    walk.page.get_by_label("Question").fill("Who met me?")
    walk.page.get_by_label("Memory").fill("m1")
    walk.page.get_by_role("button", name="Ask", exact=True).click()
    walk.page.get_by_text("What came, and why").wait_for()
    walk.look("the answer to a question")


# The tests


def test_some_pages_have_no_fault(walk: Walk) -> None:
    walk.become("boss")
    crosswise: list[tuple[Look, ...]] = [(LOOKS[0], LOOKS[3]), (LOOKS[1], LOOKS[2])]
    pages = ["/", "/nowhere", walk.stage.person, *map(reverse, ("admin:index", "admin:database_health"))]
    for number, url in enumerate(pages):
        walk.visit(url, *crosswise[number % 2])
    walk.visit(reverse("admin:audit_auditlog_changelist"))
    walk.open_all("the audit log")
    assert walk.found == {}
    assert walk.looked_at > 15


def test_the_page_of_the_api_has_no_fault(walk: Walk) -> None:
    """Swagger UI, which is not ours: an update may bring faults."""
    looks = LOOKS if os.environ.get("VIBE_AXE") == "full" else (LOOKS[0], LOOKS[3])
    walk.page.goto(reverse("api:openapi-view"))
    walk.page.locator("#operations-Me-get_me").wait_for()
    walk.look("the page of the API", *looks)
    for operation in ("Me-change_preferences", "Users-ensure_user"):
        walk.page.locator(f"#operations-{operation} .opblock-summary-control").click()
        expect(walk.page).to_have_url(re.compile(f"/{operation.partition('-')[2]}$"))  # what is open has an address
        walk.page.locator(f"#operations-{operation} .try-out__btn").click()
        walk.look(f"{operation}, to try", *looks, within=f"#operations-{operation} .parameters-container")
    walk.page.locator(".btn.authorize").first.click()
    walk.look("how to sign in", *looks, within=".dialog-ux")
    assert walk.found == {}
    walk.page.evaluate("document.querySelector('.version-stamp').style.background = '#89bf04'")
    assert any("color-contrast" in fault for fault in faults(walk.page, LOOKS[0], ".info")), "the control"


@WHOLE
@pytest.mark.parametrize("role", ROLES)
def test_no_page_has_a_fault_in_any_role(walk: Walk, role: str) -> None:
    walk.become(role)
    for url in [*OUTSIDE, *walk.stage.pages]:
        walk.visit(url)
    walk.visit(reverse("admin:index"))
    walk.open_all("home")
    assert walk.found == {}
    assert len(walk.known) > (5 if role == "nobody" else 40)


@WHOLE
def test_what_comes_after_a_form_has_no_fault(walk: Walk) -> None:
    walk.become("boss")
    for model in ("accounts_user", "audit_auditlog", "memories_memory", "accounts_accessgrant"):
        walk.page.goto(reverse(f"admin:{model}_changelist"))
        walk.open_all(model)
    add_nobody(walk)
    ask(walk)
    sign_in_wrongly(walk)
    assert walk.found == {}


# Controls


def test_control_a_page_without_a_label_or_landmark_has_one(walk: Walk) -> None:
    walk.become("boss")
    walk.page.goto(reverse("admin:audit_auditlog_changelist"))
    for rule, script in (
        ("label", "document.querySelector('#searchbar').removeAttribute('placeholder')"),
        ("color-contrast", "document.querySelector('h1 a').style.color = '#999'"),
        ("landmark-one-main", "document.querySelector('main').outerHTML = document.querySelector('main').innerHTML"),
    ):
        walk.page.evaluate(script)
        assert any(rule in fault for fault in faults(walk.page, LOOKS[0]))


def test_control_an_argument_that_the_walk_does_not_know_is_told(walk: Walk) -> None:
    pattern = next(each for each in admin.site.get_urls() if getattr(each, "name", "") == "person_content")
    with pytest.raises(KeyError, match="user_id"):
        list(addresses(pattern, {}))
