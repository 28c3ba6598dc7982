"""/api/v1/stories, and the people, places and events they tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from stories.api import search
from stories.corrections.services import correcting
from tests.api.conftest import Api
from tests.building import build_conversation
from tests.stories.conftest import HashedEmbedder, use_embedder  # noqa: F401
from vibe.core.db.paging import Rank

PLACES = ["Lisbon", "Porto", "Berlin", "Madrid", "Paris", "Vienna"]


@pytest.fixture(autouse=True)
def fast(use_embedder: Callable[[object], None]) -> None:  # noqa: F811
    use_embedder(HashedEmbedder())


def tell(user_id: UUID, api: Api, *texts: str) -> str:
    """Say it in a conversation of its own, and have the story told: its id."""
    conversation = api.post("/conversations", {}).json()["id"]
    said = [{"author": "Ada", "text": text} for text in texts]
    api.post(f"/conversations/{conversation}/memories/batch", {"memories": said})
    build_conversation(user_id, UUID(conversation))
    return next(each["id"] for each in api.get("/stories").json()["items"] if each["conversation_id"] == conversation)


@pytest.fixture
def story(ada: UUID, as_ada: Api) -> str:
    return tell(ada, as_ada, "I moved to Lisbon with Ines.")


def paged(api: Api, path: str, size: int, between: Callable[[], Any] = lambda: None) -> list[Any]:
    """All pages of a list, with something done between two of them."""
    found, cursor = [], ""
    while True:
        page = api.get(f"{path}?limit={size}{cursor}").json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
        between()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_of_places_are_the_list(ada: UUID, as_ada: Api, size: int) -> None:
    for number in range(len(PLACES)):
        tell(ada, as_ada, *(f"I was in {place}." for place in PLACES[number:]))
    whole = as_ada.get("/places").json()
    assert [each["name"] for each in whole["items"][:2]] == ["Vienna", "Paris"]
    assert [each["stories"] for each in whole["items"]] == [6, 5, 4, 3, 2, 1]
    assert whole["next"] is None
    assert paged(as_ada, "/places", size) == whole["items"]


def test_stories_told_between_two_pages_neither_repeat_nor_hide_a_name(ada: UUID, as_ada: Api) -> None:
    for place in PLACES:
        tell(ada, as_ada, f"I was in {place}.")
    whole = as_ada.get("/places").json()["items"]

    def last_becomes_first() -> None:
        tell(ada, as_ada, f"I was in {whole[-1]['name']}, and in Hamburg.")

    assert paged(as_ada, "/places", 1, last_becomes_first) == whole
    assert as_ada.get("/places").json()["items"][0]["name"] == whole[-1]["name"]


def test_control_counted_as_of_now_a_name_is_hidden(ada: UUID, as_ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "stories.entities.services.Rank", lambda count, id_, at: Rank(count, id_, at.replace(year=2190))
    )
    test = test_stories_told_between_two_pages_neither_repeat_nor_hide_a_name
    with pytest.raises(AssertionError):
        test(ada, as_ada)


def test_a_cursor_is_of_its_own_kind_and_person(ada: UUID, as_ada: Api, as_jonas: Api) -> None:
    tell(ada, as_ada, "I was in Lisbon and in Porto with Ines and Tomas.")
    cursor = as_ada.get("/places?limit=1").json()["next"]
    assert as_ada.get(f"/places?cursor={cursor}").status_code == 200
    for api, path in ((as_ada, "/people"), (as_ada, "/stories"), (as_jonas, "/places")):
        assert api.get(f"{path}?cursor={cursor}").json()["code"] == "cursor-invalid"


CHANGES: dict[str, Callable[[Api, str, str], Any]] = {
    "correct": lambda api, story, seen: api.patch(f"/stories/{story}", {"title": "Mine"}, if_match=seen),
    "delete": lambda api, story, seen: api.delete(f"/stories/{story}", if_match=seen),
    "rebuild": lambda api, story, seen: api.post(f"/stories/{story}/rebuild", if_match=seen),
    "rebuild, forgetting": lambda api, story, seen: api.post(
        f"/stories/{story}/rebuild?forget_corrections=true", if_match=seen
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_since_it_was_read_stays_as_it_is(as_ada: Api, story: str, name: str) -> None:
    old = as_ada.get(f"/stories/{story}")["ETag"]
    as_ada.patch(f"/stories/{story}", {"places": ["Belém"]})
    before = as_ada.get(f"/stories/{story}")
    refused = CHANGES[name](as_ada, story, old)
    assert (refused.status_code, refused.json()["code"]) == (412, "outdated")
    after = as_ada.get(f"/stories/{story}")
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])
    assert CHANGES[name](as_ada, story, after["ETag"]).status_code in (200, 202, 204)


def test_a_story_told_anew_is_another_version(ada: UUID, as_ada: Api, story: str) -> None:
    old, conversation = as_ada.get(f"/stories/{story}"), as_ada.get("/conversations").json()["items"][0]["id"]
    as_ada.post(f"/stories/{story}/rebuild")
    build_conversation(ada, UUID(conversation))
    assert as_ada.delete(f"/stories/{story}", if_match=old["ETag"]).status_code == 412


class Watching(HashedEmbedder):
    """Notes whether a transaction was open while it embedded; a test's own does not count."""

    def __init__(self, depth: Callable[[], int]) -> None:
        self.depth, self.seen = depth, list[int]()

    def embed(self, texts: Any) -> Any:
        self.seen.append(self.depth())
        return super().embed(texts)


@pytest.fixture
def watching(use_embedder: Callable[[object], None], story: str) -> Watching:  # noqa: F811
    outside = len(connection.savepoint_ids)
    embedder = Watching(lambda: len(connection.savepoint_ids) - outside)
    use_embedder(embedder)
    return embedder


def test_a_correction_and_a_question_are_embedded_in_no_transaction(
    as_ada: Api, story: str, watching: Watching
) -> None:
    assert as_ada.patch(f"/stories/{story}", {"text": "Zeppelins."}).status_code == 200
    assert as_ada.post("/stories/search", {"question": "Zeppelins?"}).json()["items"]
    assert watching.seen == [0, 0]


def test_control_embedded_where_the_operation_is_it_would_be_in_one(
    as_ada: Api, story: str, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe.api.decorators.run_preflight", lambda *_, **__: None)
    monkeypatch.setattr(search, "preflight_result", lambda request: search.ask(request.auth.user_id, "Zeppelins?"))
    as_ada.post("/stories/search", {"question": "Zeppelins?"})
    assert watching.seen and min(watching.seen) > 0


def test_a_story_that_changes_while_its_correction_is_embedded_is_not_overwritten(
    ada: UUID, as_ada: Api, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = correcting.vectors_of

    def disturbed(*arguments: Any) -> Any:
        monkeypatch.setattr(correcting, "vectors_of", embed)
        as_ada.patch(f"/stories/{story}", {"places": ["Belém"]})
        return embed(*arguments)

    monkeypatch.setattr(correcting, "vectors_of", disturbed)
    refused = as_ada.patch(f"/stories/{story}", {"title": "Mine"})
    assert (refused.status_code, refused.json()["code"]) == (409, "still-changing")
    assert as_ada.get(f"/stories/{story}").json()["corrected"] == ["places"]


def test_a_retry_of_a_correction_is_answered_as_the_first(as_ada: Api, story: str) -> None:
    seen = as_ada.get(f"/stories/{story}")["ETag"]
    sent = {"if_match": seen, "idempotency_key": "once"}
    first, again = (as_ada.patch(f"/stories/{story}", {"title": "Mine"}, **sent) for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (200, 200, "true")
    assert first.content == again.content


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "of no effect"}], ids=["without a key", "with a key"])
def test_a_search_sees_one_moment(committed: None, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    """Rows that another change between two statements would be ranked and not opened, or opened and not ranked."""
    found, levels = search.search_stories, []

    def watched(**given: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            levels.extend(cursor.fetchone())
        return found(**given)

    monkeypatch.setattr(search, "search_stories", watched)
    answer = Api("ada").post("/stories/search", {"question": "Where do I live?"}, **key)
    assert (answer.status_code, levels) == (200, ["repeatable read"])


def test_a_time_in_a_question_is_that_of_who_asks(as_ada: Api) -> None:
    """Both say the same; which was yesterday depends on where it is asked."""
    conversation = as_ada.post("/conversations", {}).json()["id"]
    for at in ("2026-05-09T23:00:00Z", "2026-05-10T23:00:00Z"):
        said = {"author": "Ada", "text": "I ran along the river.", "occurred_at": at}
        assert as_ada.post(f"/conversations/{conversation}/memories", said).status_code == 201

    def first(asked_at: str) -> str:
        asked = {"question": "Where did I run yesterday?", "asked_at": asked_at}
        found: str = as_ada.post("/memories/search", asked).json()["items"][0]["occurred_at"]
        return found[:10]

    assert first("2026-05-11T12:00:00+00:00") == "2026-05-10"
    assert first("2026-05-11T12:00:00+09:00") == "2026-05-09", "in Tokyo that was on the tenth"
    assert as_ada.post("/memories/search", {"question": "When?", "asked_at": "yesterday"}).status_code == 422


def test_what_was_said_twice_is_one_result_and_the_newest_if_that_is_preferred(as_ada: Api) -> None:
    conversation = as_ada.post("/conversations", {}).json()["id"]
    for at, text in (("03", "I park at the station."), ("04", "I park at the station."), ("05", "I park at home now.")):
        said = {"author": "Ada", "text": text, "occurred_at": f"2026-05-{at}T10:00:00Z"}
        assert as_ada.post(f"/conversations/{conversation}/memories", said).status_code == 201
    asked = {"question": "Do I park at the station?"}
    [station, home] = as_ada.post("/memories/search", asked).json()["items"]
    assert (station["text"], station["times"], len(station["copies"])) == ("I park at the station.", 2, 1)
    assert station["copies"][0].keys() == {"id", "occurred_at"}
    assert (home["times"], home["copies"]) == (1, [])
    newest = as_ada.post("/memories/search", {**asked, "question": "Where do I park?", "prefer": "newest"}).json()
    assert [each["text"] for each in newest["items"]] == ["I park at home now.", "I park at the station."]
    assert newest["items"][1]["occurred_at"].startswith("2026-05-04")
    assert as_ada.post("/memories/search", {**asked, "prefer": "oldest"}).status_code == 422
