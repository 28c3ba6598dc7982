"""A fake of the API for an app's own tests: it keeps everything in memory, and answers as the server does.

    vibe = Vibe("https://memory.example", token="anyone", transport=FakeVibe())

It is a transport of httpx2, so that the client's own code runs. Whose memory it is follows from `Vibe-Person` or else
from the token. It knows people, conversations, memories and preferences; of facts what a test puts there. It builds no
stories, searches and makes contexts by the words that are shared, and checks the names of members but not their limits.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NotRequired, get_origin, get_type_hints
from urllib.parse import unquote
from uuid import uuid4

import httpx2

from vibe_client import types

Json = dict[str, Any]
V1 = "/api/v1"
FIRST_MEMBERS = 16  # of metadata, by which memories are found
AT_ONCE = 100  # memories that one call forgets
ROLES = {
    "user": {"user", "human", "me", "myself", "i", "you"},
    "assistant": {"assistant", "ai", "bot", "chatbot", "model", "companion", "llm", "agent"},
    "system": {"system", "developer", "sys"},
    "tool": {"tool", "function", "plugin"},
}


class Refused(Exception):
    """What the fake answers in place of a result."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.body = status, {"code": code, "detail": detail, **more}


def now() -> str:
    return written(datetime.now(UTC))


def written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Person:
    """Somebody with their conversations, memories and preferences."""

    id: str = field(default_factory=lambda: str(uuid4()))
    name: str | None = None
    is_active: bool = True
    created_at: str = field(default_factory=now)
    preferences: Json = field(default_factory=dict)
    conversations: dict[str, Json] = field(default_factory=dict)
    memories: dict[str, Json] = field(default_factory=dict)
    facts: list[Json] = field(default_factory=list)
    """What a test puts here: the fake reads no facts in what is said."""

    def conversation(self, id: str) -> Json:
        return found(self.conversations, id, "conversation")

    def memory(self, id: str) -> Json:
        return found(self.memories, id, "memory")

    def said_in(self, id: str | None = None) -> list[Json]:
        """The memories that nobody has to forget, in the order they were said."""
        self.memories = {key: each for key, each in self.memories.items() if (each["expires_at"] or "9") > now()}
        said = [each for each in self.memories.values() if id in (None, each["conversation_id"])]
        return sorted(said, key=lambda each: moment(each["occurred_at"]))


class FakeVibe(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The server, in memory."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = defaultdict(Person)
        self.versions: dict[int, int] = defaultdict(int)
        self.done: dict[tuple[str, str], httpx2.Response] = {}
        self.faults: deque[tuple[int, str]] = deque()
        self.requests: list[httpx2.Request] = []

    def fail(self, status: int, code: str, times: int = 1) -> None:
        """Answer the next requests with a problem."""
        self.faults.extend([(status, code)] * times)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the API does."""
        request.read()
        return self.answer(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the API does."""
        await request.aread()
        return self.answer(request)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        who: str = request.headers.get("Vibe-Person") or request.headers.get("Authorization") or ""
        once = (who, request.headers.get("Idempotency-Key") or str(uuid4()))
        try:
            if self.faults:
                raise Refused(*self.faults.popleft(), "The test asked for this answer.")
            if not who:
                raise Refused(401, "credentials-missing", "Send the header Authorization.")
            if once in self.done:
                return self.done[once]
            status, body = self.route(request, who.removeprefix("uid:"))
        except Refused as refused:
            title, head = HTTPStatus(refused.status).phrase, {"Content-Type": "application/problem+json"}
            same = {"type": "about:blank", "title": title, "status": refused.status, "request_id": uuid4().hex}
            return httpx2.Response(refused.status, headers=head, json={**same, **refused.body})
        if body is None:
            response = httpx2.Response(status)
        else:
            response = httpx2.Response(status, json=body, headers={"ETag": self.version(body)})
        if request.method != "GET":
            self.done[once] = response
        return response

    def version(self, thing: Json) -> str:
        return f'"{self.versions[id(thing)]}"'

    def route(self, request: httpx2.Request, who: str) -> tuple[int, Json | None]:
        """Find the function of an address and call it."""
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(V1)
        for method, pattern, function in ROUTES:
            if method == request.method and (match := re.fullmatch(pattern, path)):
                body = json.loads(request.content) if request.content else {}
                call = Call(self, who, dict(request.url.params), body, request.headers.get("If-Match"))
                return function(call, *map(unquote, match.groups()))
        raise Refused(501, "not-in-the-fake", f"The fake of the API does not know {request.method} {path}.")


@dataclass
class Call:
    """One request, as the functions below read it."""

    fake: FakeVibe
    who: str
    query: dict[str, str]
    body: Json
    if_match: str | None

    @property
    def person(self) -> Person:
        person = self.fake.people[self.who]
        if not person.is_active:
            raise Refused(403, "deactivated", "This account is shut.")
        return person

    def given(self, shape: Any, body: Json | None = None) -> Json:
        """Return the body. Refuses names that the schema does not have, and those that it wants and misses."""
        body = self.body if body is None else body
        hints = get_type_hints(shape, include_extras=True)
        wrong = dict.fromkeys(body.keys() - hints.keys(), "extra_forbidden")
        wanted = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
        wrong |= dict.fromkeys(wanted - body.keys(), "missing")
        errors = [{"field": f"body.{name}", "code": code, "detail": code} for name, code in sorted(wrong.items())]
        if errors:
            raise Refused(422, "invalid", "Fields are not as they should be.", errors=errors)
        return body

    def expect(self, thing: Json) -> Json:
        """Refuse to change what was changed since it was read."""
        if self.if_match not in (None, "*", self.fake.version(thing)):
            raise Refused(412, "outdated", "It was changed since you read it.")
        return thing

    def changed(self, thing: Json) -> Json:
        self.fake.versions[id(thing)] += 1
        thing["updated_at"] = now()
        return thing

    def page(self, items: Iterable[Json], given: Json | None = None, **more: Any) -> tuple[int, Json]:
        given = self.query if given is None else given
        items, start, size = list(items), int(given.get("cursor") or 0), int(given.get("limit", 50))
        end = start + size
        return 200, {"items": items[start:end], "next": str(end) if end < len(items) else None, **more}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def found(things: dict[str, Json], id: str, kind: str) -> Json:
    if id not in things:
        raise Refused(404, "not-found", f"There is no such {kind}.")
    return things[id]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def role_of(author: str, own_name: str | None) -> str:
    said = words(author)
    if said <= words(own_name or ""):
        return "user"
    return next((role for role, names in ROLES.items() if said <= names), "other")


# People


def ensure_user(call: Call, uid: str) -> tuple[int, Json]:
    new, given = uid not in call.fake.people, call.given(types.EnsuredPerson)
    person = call.fake.people[uid]
    person.name = given.get("name") if new else person.name
    return 201 if new else 200, get_user(call, uid)[1]


def get_user(call: Call, uid: str) -> tuple[int, Json]:
    if uid not in call.fake.people:
        raise Refused(404, "not-found", "There is no such person.")
    person = call.fake.people[uid]
    return 200, {"id": person.id, "uid": uid, "is_active": person.is_active, "created_at": person.created_at}


def deactivate_user(call: Call, uid: str) -> tuple[int, Json]:
    get_user(call, uid)
    call.fake.people[uid].is_active = False
    return get_user(call, uid)


def get_me(call: Call) -> tuple[int, Json]:
    person = call.person
    return 200, {
        "id": person.id, "email": None, "email_verified": False, "name": person.name, "created_at": person.created_at,
    }  # fmt: skip


def get_preferences(call: Call) -> tuple[int, Json]:
    return 200, call.person.preferences


def change_preferences(call: Call) -> tuple[int, Json]:
    call.person.preferences = merged(call.person.preferences, call.body)
    return 200, call.person.preferences


def merged(before: Any, patch: Any) -> Any:
    """Return what a JSON Merge Patch (RFC 7396) makes of something."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        kept = {key: each for key, each in kept.items() if key != name} | (
            {} if value is None else {name: merged(kept.get(name), value)}
        )
    return kept


# Conversations


def begun(call: Call, given: Json) -> Json:
    at = written(moment(given["started_at"])) if given.get("started_at") else now()
    made = {
        "id": str(uuid4()), "external_id": None, "title": None, "description": None, "companion": None, **given,
        "is_archived": False, "memory_count": 0, "started_at": at, "active_at": at, "created_at": now(),
        "updated_at": now(),
    }  # fmt: skip
    return call.person.conversations.setdefault(made["id"], made)


def of_external_id(call: Call, external_id: str | None) -> Json | None:
    every = call.person.conversations.values()
    return next((each for each in every if external_id and each["external_id"] == external_id), None)


def create_conversation(call: Call) -> tuple[int, Json]:
    given = call.given(types.NewConversation)
    if taken := of_external_id(call, given.get("external_id")):
        raise Refused(409, "external-id-taken", "There is a conversation of this id.", existing_id=taken["id"])
    return 201, begun(call, given)


def ensured(call: Call, external_id: str, given: Json) -> tuple[int, Json]:
    there = of_external_id(call, external_id)
    if there and given.get("companion") not in (None, there["companion"]):
        raise Refused(409, "other-companion", "The conversation is with another companion.")
    return (200, there) if there else (201, begun(call, {**given, "external_id": external_id}))


def ensure_conversation(call: Call, external_id: str) -> tuple[int, Json]:
    return ensured(call, external_id, call.given(types.EnsuredConversation))


def list_conversations(call: Call) -> tuple[int, Json]:
    query, archived = call.query, call.query.get("archived")
    if archived is None and "external_id" not in query:
        archived = "false"
    fits = [
        each
        for each in call.person.conversations.values()
        if archived in (None, str(each["is_archived"]).lower())
        and all(query.get(name) in (None, each[name]) for name in ("companion", "external_id"))
    ]
    return call.page(sorted(fits, key=lambda each: moment(each["active_at"]), reverse=True))


def get_conversation(call: Call, id: str) -> tuple[int, Json]:
    return 200, call.person.conversation(id)


def change_conversation(call: Call, id: str) -> tuple[int, Json]:
    conversation = call.expect(call.person.conversation(id))
    conversation.update(call.given(types.ConversationTexts))
    return 200, call.changed(conversation)


def archive(call: Call, id: str, word: str) -> tuple[int, Json]:
    conversation = call.expect(call.person.conversation(id))
    conversation["is_archived"] = word == "archive"
    return 200, call.changed(conversation)


def delete_conversation(call: Call, id: str) -> tuple[int, None]:
    call.expect(call.person.conversation(id))
    del call.person.conversations[id]
    for memory in call.person.said_in(id):
        del call.person.memories[memory["id"]]
    return 204, None


# Memories


def content(call: Call, given: Json, before: Json | None = None) -> Json:
    """Return what is given of a memory as it is shown, in place of what was before."""
    if not given.get("text") and not given.get("metadata"):
        fault = "Give a text, or metadata where there is no text."
        errors = [{"field": "body", "code": "value_error", "detail": fault}]
        raise Refused(422, "nothing-said", fault) if before else Refused(422, "invalid", fault, errors=errors)
    said = moment(given["occurred_at"]) if given.get("occurred_at") else None
    offset = said.utcoffset() if said else None
    shown = {
        "author": given["author"],
        "role": given.get("role") or (before and before["role"]) or role_of(given["author"], call.person.name),
        "text": given.get("text", ""),
        "metadata": given.get("metadata") or {},
        "expires_at": given.get("expires_at") and written(moment(given["expires_at"])),
    }
    if said or not before:
        shown["occurred_at"] = written(said) if said else now()
        shown["utc_offset"] = int(offset.total_seconds() // 60) if offset else None
    return shown


def add(call: Call, id: str, given: Json) -> Json:
    conversation, message_id = call.person.conversation(id), given.get("message_id")
    if taken := of_message_id(call, id, message_id):
        raise Refused(409, "message-id-taken", "There is a message of this id.", existing_id=taken["id"])
    own_id = str(uuid4())
    made = {
        "id": own_id, "conversation_id": id, "message_ids": [message_id or own_id],
        **content(call, given), "created_at": now(), "updated_at": now(),
    }  # fmt: skip
    conversation["active_at"] = max(conversation["active_at"], made["occurred_at"], key=moment)
    conversation["memory_count"] += 1
    return call.person.memories.setdefault(own_id, made)


def count(call: Call, memory: Json) -> None:
    """Count the conversation of a memory again."""
    id = memory["conversation_id"]
    call.person.conversations[id]["memory_count"] = len(call.person.said_in(id))


def of_message_id(call: Call, id: str, message_id: str | None) -> Json | None:
    if not message_id:
        return None
    return next((each for each in call.person.said_in(id) if message_id in each["message_ids"]), None)


def add_memory(call: Call, id: str) -> tuple[int, Json]:
    return 201, add(call, id, call.given(types.AddedMemory))


def add_memories(call: Call, id: str) -> tuple[int, Json]:
    given = [call.given(types.AddedMemory, each) for each in call.given(types.AddedMemories)["memories"]]
    return 201, {"items": [add(call, id, each) for each in given]}


def remember(call: Call) -> tuple[int, Json]:
    given = call.given(types.RememberedMemory)
    of = call.given(types.NamedConversation, given["conversation"])
    _, conversation = ensured(call, of["external_id"], of)
    return 201, add(call, conversation["id"], given)


def put_memory(call: Call, id: str, message_id: str) -> tuple[int, Json]:
    given, before = call.given(types.PutMemory), of_message_id(call, id, message_id)
    if before is None:
        return 201, add(call, id, {**given, "message_id": message_id})
    before.update(content(call, given, before))
    return 200, call.changed(before)


def list_memories(call: Call, id: str) -> tuple[int, Json]:
    call.person.conversation(id)
    said, query = call.person.said_in(id), call.query
    if last := int(query.get("last", 0)):
        return 200, {"items": said[-last:], "next": None}
    if around := query.get("around"):
        place, size = said.index(call.person.memory(around)), int(query.get("limit", 50))
        return call.page(said, {"limit": size, "cursor": max(0, place - size // 2)})
    return call.page(said[::-1] if query.get("order") == "desc" else said)


def get_memory(call: Call, id: str) -> tuple[int, Json]:
    call.person.said_in()
    return 200, call.person.memory(id)


def change_memory(call: Call, id: str) -> tuple[int, Json]:
    memory, given = call.expect(call.person.memory(id)), call.given(types.ChangedMemory)
    kept = {name: memory[name] for name in ("author", "text", "metadata", "expires_at")}
    memory.update(content(call, {**kept, **given}, memory))
    return 200, call.changed(memory)


def delete_memory(call: Call, id: str) -> tuple[int, None]:
    memory = call.expect(call.person.memory(id))
    del call.person.memories[id]
    count(call, memory)
    return 204, None


def fits(call: Call, given: Json, memory: Json) -> bool:
    """Whether a memory has all that a search or a list is narrowed by. Of stories the fake has none."""
    at, conversation = moment(memory["occurred_at"]), call.person.conversation(memory["conversation_id"])
    members = dict(list(memory["metadata"].items())[:FIRST_MEMBERS])
    return (
        not any(given.get(name) for name in ("people", "places", "events"))
        and (not given.get("authors") or memory["author"] in given["authors"])
        and (not given.get("roles") or memory["role"] in given["roles"])
        and (not given.get("since") or at >= moment(given["since"]))
        and (not given.get("until") or at <= moment(given["until"]))
        and given.get("conversation_id") in (None, memory["conversation_id"])
        and given.get("companion") in (None, conversation["companion"])
        and given.get("archived") in (None, conversation["is_archived"])
        and has(members, given.get("metadata", {}))
        and any(has(members, each) for each in given.get("metadata_any") or [{}])
    )


def has(members: Json, wanted: Json) -> bool:
    return all(name in members and same(members[name], value) for name, value in wanted.items())


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to JSON, to which true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def forget_memories(call: Call) -> tuple[int, Json]:
    if not {"since", "until"} & call.query.keys():
        raise Refused(422, "range-missing", "Give `since` or `until`: without, nothing is forgotten.")
    every = [each for each in call.person.said_in() if fits(call, call.query, each)]
    for memory in every[:AT_ONCE]:
        del call.person.memories[memory["id"]]
        count(call, memory)
    return 200, {"items": [{"id": each["id"]} for each in every[:AT_ONCE]], "more": len(every) > AT_ONCE}


def filter_memories(call: Call) -> tuple[int, Json]:
    given = call.given(types.MemoryFilter)
    return call.page([each for each in call.person.said_in()[::-1] if fits(call, given, each)], given, pending=0)


def search_memories(call: Call) -> tuple[int, Json]:
    given = call.given(types.MemorySearch)
    asked, hits = words(given["question"]), []
    for memory in call.person.said_in():
        shared = len(asked & words(memory["text"]))
        if shared and fits(call, given, memory):
            shown = {name: value for name, value in memory.items() if name in get_type_hints(types.FoundMemory)}
            score = shared / len(asked)
            hits.append({**shown, "story_id": None, "score": score, "why": {"words": score}, "times": 1, "copies": []})
    hits.sort(key=lambda each: each["score"], reverse=True)
    best = hits[0]["score"] if hits else 1
    items = [{**each, "score": each["score"] / best} for each in hits[: given.get("limit", 10)]]
    return 200, {"items": items, "degraded": None, "pending": 0}


def search_stories(call: Call) -> tuple[int, Json]:
    call.given(types.Search)
    return 200, {"items": [], "degraded": None, "pending": 0}


# Facts and context


def list_facts(call: Call) -> tuple[int, Json]:
    at, attribute = moment(call.query.get("as_of") or now()), call.query.get("attribute")
    history = call.query.get("history") == "true"

    def holds(fact: Json) -> bool:
        begins = fact["valid_from"] or fact["learned_at"]
        return moment(begins) <= at and (fact["valid_to"] is None or at < moment(fact["valid_to"]))

    every = [each for each in call.person.facts[::-1] if attribute in (None, each["attribute"])]
    return 200, {"items": [each for each in every if history or holds(each)]}


def fact_of(call: Call, id: str) -> Json:
    return found({each["id"]: each for each in call.person.facts}, id, "fact")


def correct_fact(call: Call, id: str) -> tuple[int, Json]:
    fact, given = fact_of(call, id), call.given(types.CorrectedFact)
    fact.update({name: value for name, value in given.items() if name != "value" or value is not None}, corrected=True)
    return 200, fact


def forget_fact(call: Call, id: str) -> tuple[int, None]:
    call.person.facts.remove(fact_of(call, id))
    return 204, None


def read_context(call: Call) -> tuple[int, Json]:
    """What was said that shares words with the message, and the last turns: whole, whatever the budget."""
    given = call.given(types.WantedContext)
    parts = given.get("parts") or ["passages", "turns"]
    talk, message = given.get("conversation_id"), given.get("message") or ""
    if talk and given.get("companion") not in (None, call.person.conversation(talk)["companion"]):
        raise Refused(404, "not-found", "There is no such conversation.")
    turns = call.person.said_in(talk) if talk and "turns" in parts else []
    shown = {each["id"] for each in turns}
    said = [each for each in call.person.said_in() if fits(call, {"companion": given.get("companion")}, each)]
    passages = [each for each in said if words(message) & words(each["text"]) and each["id"] not in shown]
    passages = passages if "passages" in parts else []
    pieces = [
        {
            "label": f"{part[0]}{number}", "part": part, "id": each["id"], "occurred_at": each["occurred_at"],
            "author": each["author"], "text": each["text"], "is_whole": True,
        }
        for part, those in (("passages", passages), ("turns", turns))
        for number, each in enumerate([each for each in those if each["text"] and each["text"] != message], 1)
    ]  # fmt: skip
    lines = "\n".join(f"[{each['label']}] {each['author']}: {each['text']}" for each in pieces)
    chat = [{"role": "user", "content": lines}] if lines else []
    as_text = given.get("format") == "text"
    return 200, {
        "messages": None if as_text else chat, "text": lines if as_text else None, "pieces": pieces,
        "tokens": len(lines) // 4, "characters": len(lines), "degraded": None, "pending": 0,
    }  # fmt: skip


def nothing(call: Call) -> tuple[int, Json]:
    return call.page([])


ONE = "/([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., tuple[int, Json | None]]]] = [
    ("PUT", f"/users{ONE}", ensure_user),
    ("GET", f"/users{ONE}", get_user),
    ("POST", f"/users{ONE}/deactivate", deactivate_user),
    ("GET", "/me", get_me),
    ("GET", "/me/preferences", get_preferences),
    ("PATCH", "/me/preferences", change_preferences),
    ("POST", "/conversations", create_conversation),
    ("GET", "/conversations", list_conversations),
    ("PUT", f"/conversations/by-external-id{ONE}", ensure_conversation),
    ("GET", f"/conversations{ONE}", get_conversation),
    ("PATCH", f"/conversations{ONE}", change_conversation),
    ("DELETE", f"/conversations{ONE}", delete_conversation),
    ("POST", f"/conversations{ONE}/(archive|unarchive)", archive),
    ("POST", f"/conversations{ONE}/memories", add_memory),
    ("GET", f"/conversations{ONE}/memories", list_memories),
    ("POST", f"/conversations{ONE}/memories/batch", add_memories),
    ("PUT", f"/conversations{ONE}/memories/by-message-id{ONE}", put_memory),
    ("POST", "/memories", remember),
    ("DELETE", "/memories", forget_memories),
    ("POST", "/memories/filter", filter_memories),
    ("POST", "/memories/search", search_memories),
    ("GET", f"/memories{ONE}", get_memory),
    ("PATCH", f"/memories{ONE}", change_memory),
    ("DELETE", f"/memories{ONE}", delete_memory),
    ("GET", "/facts", list_facts),
    ("PATCH", f"/facts{ONE}", correct_fact),
    ("DELETE", f"/facts{ONE}", forget_fact),
    ("POST", "/context", read_context),
    ("POST", "/stories/search", search_stories),
    ("GET", "/(?:stories|people|places|events)", nothing),
]
