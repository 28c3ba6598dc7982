"""Stories are resources: listed page by page, read one at a time, each with its row, within one's companion."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import ReadResourceResult

from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.api.conftest import Api
from tests.authentication.conftest import trail
from tests.building import build_conversation
from tests.cast import TESTER
from tests.mcp.test_transports import spoken
from vibe.mcp import calls, resources

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def ada(settings: Any) -> UUID:
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"
    return ensure_person(profile=Profile("ada", name="Ada Tavares"), actor=TESTER)


def stories_of(ada: UUID, *companions: str | None) -> list[str]:
    """A story with each of these companions: the addresses of all, the newest first."""
    for number, companion in enumerate(companions):
        given = {"external_id": f"chat-{number}", **({"companion": companion} if companion else {})}
        said = {"author": "Ada", "text": f"I moved to Lisbon, for the {number}th time.", "conversation": given}
        build_conversation(ada, UUID(Api("ada").post("/memories", said).json()["conversation_id"]))
    listed = Api("ada").get("/stories").json()["items"]
    return [f"vibe://stories/{each['id']}" for each in listed]


def talk_as(served: str, talk: Any, uid: str = "ada", **claims: Any) -> Any:
    return spoken(served, {"authorization": f"Bearer {local_tokens.issue(uid=uid, **claims)}"}, talk)


async def all_pages(client: Client) -> list[list[Any]]:
    pages, cursor = [], None
    while True:
        page = await client.list_resources(cursor=cursor)
        pages.append(page.resources)
        if (cursor := page.next_cursor) is None:
            return pages


async def read(client: Client, uri: str) -> Any:
    found: ReadResourceResult = await client.read_resource(uri)
    return json.loads(found.contents[0].text)


def refusal(served: str, uri: str, uid: str = "ada", **claims: Any) -> str:
    return talk_as(served, lambda client: refused(client.read_resource(uri)), uid, **claims)  # type: ignore[no-any-return]


async def refused(asked: Coroutine[Any, Any, Any]) -> str:
    """What a request is refused with."""
    with pytest.raises(MCPError) as refusal:
        await asked
    return str(refusal.value)


def test_stories_are_listed_page_by_page_and_read(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PAGE", 2)
    there = stories_of(ada, None, "nova", None)
    pages = talk_as(served, all_pages)
    assert [[str(each.uri) for each in page] for page in pages] == [there[:2], there[2:]]
    assert all(each.name and each.mime_type == "application/json" for page in pages for each in page)
    templates = talk_as(served, lambda client: client.list_resource_templates()).resource_templates
    assert [each.uri_template for each in templates] == ["vibe://stories/{story_id}"]
    story = talk_as(served, lambda client: read(client, there[0]))
    assert story == Api("ada").get(f"/stories/{there[0].rpartition('/')[2]}").json()


def test_each_is_in_the_audit_log(served: str, ada: UUID) -> None:
    there = stories_of(ada, None)
    talk_as(served, all_pages)
    talk_as(served, lambda client: read(client, there[0]))
    refusal(served, f"vibe://stories/{UUID(int=7)}")
    rows = trail(action__startswith="mcp:resources")
    assert [(row.action, row.outcome, row.actor) for row in rows] == [
        ("mcp:resources/list", "ok", str(ada)),
        ("mcp:resources/read", "ok", str(ada)),
        ("mcp:resources/read", "refused", str(ada)),
    ]
    (row,) = trail(action="story.read")
    assert row.details["client"].startswith("mcp ")


def test_anothers_story_is_as_one_that_is_not_there(served: str, ada: UUID) -> None:
    (there,) = stories_of(ada, None)
    ensure_person(profile=Profile("jonas"), actor=TESTER)
    nowhere = refusal(served, f"vibe://stories/{UUID(int=7)}", "jonas")
    assert "not-found" in nowhere
    assert refusal(served, there, "jonas") == refusal(served, "vibe://stories/none", "jonas") == nowhere
    assert talk_as(served, all_pages, "jonas") == [[]]


def test_a_bound_credential_has_those_of_its_companion_and_no_tool(served: str, ada: UUID) -> None:
    of_juno, of_nova, of_none = reversed(stories_of(ada, "juno", "nova", None))
    bound = {"companion": "nova"}
    assert [[str(each.uri) for each in page] for page in talk_as(served, all_pages, **bound)] == [[of_nova]]
    assert talk_as(served, lambda client: read(client, of_nova), **bound)["title"]
    nowhere = refusal(served, f"vibe://stories/{UUID(int=7)}", **bound)
    assert refusal(served, of_juno, **bound) == refusal(served, of_none, **bound) == nowhere
    called = talk_as(served, lambda client: client.call_tool("list_people", {}), **bound)
    assert called.is_error
    assert "companion-bound" in called.content[0].text


def test_control_unbound_it_reads_all(served: str, ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    there = stories_of(ada, "juno", None)
    whole = calls.named
    monkeypatch.setattr(calls, "named", lambda *given: calls.replace(whole(*given), companion=None))
    assert len(talk_as(served, all_pages, companion="nova")[0]) == 2
    assert talk_as(served, lambda client: read(client, there[0]), companion="nova")["title"]


@pytest.mark.parametrize("cursor", ["x", "", "A" * 60])
def test_a_cursor_that_is_none_is_refused(served: str, ada: UUID, cursor: str) -> None:
    said = talk_as(served, lambda client: refused(client.list_resources(cursor=cursor)))
    assert "cursor-invalid" in said
