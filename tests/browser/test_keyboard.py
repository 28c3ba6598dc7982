"""The admin by keyboard: everything is reached, the focus is seen, Escape closes, nothing traps. And on paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import IN_A_BROWSER, open_person, sign_in

pytestmark = IN_A_BROWSER

FOCUS = """() => {
    const at = document.activeElement
    if (at === document.body) return null
    const outlined = element => {
        const style = getComputedStyle(element)
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 || style.boxShadow.includes(' 2px ')
    }
    let seen = false
    for (let each = at; each && each !== document.body; each = each.parentElement) seen ||= outlined(each)
    const box = at.getBoundingClientRect()
    const read = at.cloneNode(true)
    read.querySelectorAll('[aria-hidden]').forEach(each => each.remove())
    return {
        name: (at.getAttribute('aria-label') || read.textContent.trim().split('\\n')[0] || at.name || at.id),
        seen: seen && box.width > 0 && box.height > 0,
        at: [...document.querySelectorAll('*')].indexOf(at),
    }
}"""


def tabbed(page: Page, most: int = 300) -> list[dict]:
    """What has the focus as Tab is pressed from the top of the page until it comes round."""
    page.evaluate("document.activeElement.blur()")
    stops: list[dict] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None or (stops and stop["at"] == stops[0]["at"]):
            return stops
        stops.append(stop)
    pytest.fail("the focus does not come round: something traps it")


def focus(page: Page) -> str:
    return page.evaluate(FOCUS)["name"]


def test_everything_is_reached_and_what_opens_closes(page: Page) -> None:
    sign_in(page)
    page.goto("/admin/accounts/user/?kind=person")
    stops = tabbed(page)
    names = [stop["name"] for stop in stops]
    assert names[0] == "Skip to content"
    assert {"Home", "Audit log", "boss@example.com", "Sidebar", "Filters", "ada@example.com"} <= set(names)
    assert [stop for stop in stops if not stop["seen"]] == []

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)"), "the sidebar is skipped"

    page.locator("#filters-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#filters-close")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#changelist-filter').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator("#filters-open")).to_be_focused()
    expect(page.locator("#filters-close")).not_to_be_visible()

    account = page.get_by_role("button", name="Your account")
    account.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Tab")
    assert focus(page) == "Light"
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).not_to_be_visible()
    expect(account).to_be_focused()

    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#sidebar-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sidebar-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar-open")).to_be_focused()
    expect(page.locator("#nav-sidebar")).not_to_be_visible()


def test_control_a_focus_that_is_not_seen_and_a_trap_are_found(page: Page) -> None:
    page.goto("/")
    page.set_content("<button>One</button><button style='outline: none'>Two</button>")
    assert [stop["seen"] for stop in tabbed(page)] == [True, False]
    page.set_content("<button>One</button><button>Two</button>")
    page.evaluate("() => { document.querySelectorAll('button')[1].onkeydown = event => event.preventDefault() }")
    with pytest.raises(pytest.fail.Exception, match="traps"):
        tabbed(page, most=20)


def test_a_page_on_paper_has_no_sidebar_and_no_buttons(page: Page) -> None:
    sign_in(page)
    open_person(page)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_text("ada@example.com").first).to_be_visible()
    for gone in ("#nav-sidebar", "#sidebar-toggle", "a:text-is('Request access')", "button"):
        assert [each for each in page.locator(gone).all() if each.is_visible()] == [], gone
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    page.emulate_media(media="screen")
    expect(page.locator("#nav-sidebar")).to_be_visible()
