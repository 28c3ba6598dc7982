"""What a person and a member of staff do over HTTP, in a process whose DATABASE_URL leads to the cluster.

`python -m tests.citus.pages` prints one JSON object: what was asked -> the status it was answered with, or the problem.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from io import StringIO
from typing import Any

import django

API = "/api/v1"
SAID = [{"author": "Nora", "text": text} for text in ("I adopted a cat.", "She is called Miso.", "Miso hates rain.")]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
    django.setup()
    print(json.dumps(dict([*person(), *staff()])))


def asked(name: str, ask: Any, *arguments: Any, **options: Any) -> tuple[tuple[str, int | str], Any]:
    """One request and how it was answered."""
    try:
        answer = ask(*arguments, **options)
    except Exception as problem:
        return (name, f"{type(problem).__name__}: {problem}"), None
    return (name, answer.status_code), answer


def person() -> Iterator[tuple[str, int | str]]:
    from django.test import Client

    from accounts.authentication import local_tokens

    client = Client(headers={"host": "localhost", "authorization": f"Bearer {local_tokens.issue(uid='nora')}"})

    def send(method: str, path: str, body: Any = None, **headers: str) -> Any:
        return getattr(client, method)(f"{API}{path}", body, content_type="application/json", headers=headers)

    def get(path: str) -> Any:
        return client.get(f"{API}{path}")

    status, _ = asked("first sign-in", get, "/me")
    yield status
    status, begun = asked("conversation", send, "post", "/conversations", {"title": "Cats"})
    yield status
    conversation = f"/conversations/{begun.json()['id']}"
    once = {"idempotency-key": "one"}
    status, first = asked("memory", send, "post", f"{conversation}/memories", SAID[0], **once)
    yield status
    status, again = asked("memory again, by its key", send, "post", f"{conversation}/memories", SAID[0], **once)
    yield status
    yield "the same answer", again.json() == first.json()
    yield asked("batch", send, "post", f"{conversation}/memories/batch", {"memories": SAID[1:]})[0]
    memory = f"/memories/{first.json()['id']}"
    status, _ = asked("memory changed", send, "patch", memory, {"text": "I have a cat."}, **{"if-match": first["ETag"]})
    yield status
    yield asked("archive", send, "post", f"{conversation}/archive")[0]
    yield asked("unarchive", send, "post", f"{conversation}/unarchive")[0]
    tell()
    status, stories = asked("stories", get, "/stories")
    yield status
    story = f"/stories/{stories.json()['items'][0]['id']}"
    status, read = asked("story", get, story)
    yield status
    yield asked("story corrected", send, "patch", story, {"title": "Miso"}, **{"if-match": read["ETag"]})[0]
    status, found = asked("search", send, "post", "/stories/search", {"question": "What is the cat called?"})
    yield status
    yield "what was corrected is found", [item["title"] for item in found.json()["items"]] == ["Miso"]
    for path in ("/conversations", f"{conversation}/memories", "/people", "/places", "/events", "/me/access-log"):
        yield asked(f"GET {path.replace(conversation, '/conversations/-')}", get, path)[0]
    status, preferences = asked("preferences", get, "/me/preferences")
    yield status
    yield asked(
        "preferences changed", send, "patch", "/me/preferences", {"theme": "dark"}, **{"if-match": preferences["ETag"]}
    )[0]
    yield asked("memory deleted", send, "delete", memory)[0]
    yield asked("export", send, "post", "/me/export")[0]


def tell() -> None:
    from django.core.management import call_command

    call_command("build_stories", stdout=StringIO())


def staff() -> Iterator[tuple[str, int | str]]:
    from django.contrib import admin
    from django.test import Client
    from django.urls import reverse

    from accounts.models import User

    User.objects.create_superuser("boss@example.com", "correct horse battery")
    client = Client(headers={"host": "localhost"})
    yield asked("admin sign-in page", client.get, reverse("admin:login"))[0]
    form = {"username": "boss@example.com", "password": "correct horse battery"}
    yield asked("admin sign-in", client.post, reverse("admin:login"), form)[0]
    yield asked("admin home", client.get, reverse("admin:index"))[0]
    for model in admin.site._registry:
        listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield asked(f"admin list of {model._meta.label}", client.get, listed)[0]


if __name__ == "__main__":
    main()
