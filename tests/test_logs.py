"""No log holds content, of a request, an error or a job, in neither form; and each line can be traced.

The whole suite is watched (tests.logs); here the watcher itself is tried, and what only a canary can show.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import DataError, IntegrityError, connection, transaction
from django.test import Client

from accounts.keys.services.data_keys import open_vault
from memories.models import Conversation, Memory
from memories.payload import open_memories
from stories.search.services import search_stories
from tests import logs
from tests.building import build_conversation
from tests.cast import TESTER
from tests.processes import manage
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import Refused
from vibe.core.logs.formatting import Json, JsonLines, Scrubbed, Text

CANARY = "peculiarcanary"
FORMS = {"text": Text, "json": Json}


class Caught:
    """What the handler of a form wrote."""

    def __init__(self, form: logging.Formatter) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(form)
        self.handler.addFilter(Scrubbed())

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@pytest.fixture(params=FORMS)
def caught(request: Any) -> Iterator[Caught]:
    """Everything that is logged at any level, as the configured handler would write it."""
    caught = Caught(FORMS[request.param]())
    loggers = [logging.getLogger(name) for name in ("", "django", "django.request", "django.server", "gunicorn.error")]
    before = [(each, each.level) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
    for each in loggers[:2]:
        each.addHandler(caught.handler)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    yield caught
    for each in loggers[:2]:
        each.removeHandler(caught.handler)
    for each, level in before:
        each.setLevel(level)


def test_the_configured_handler_is_the_one_tested_here():
    handler = configured.LOGGING["handlers"]["stderr"]
    assert handler["filters"] == ["scrubbed"]
    assert configured.LOGGING["filters"]["scrubbed"]["()"] == "vibe.core.logs.formatting.Scrubbed"
    forms = {name: form["()"] for name, form in configured.LOGGING["formatters"].items()}
    assert forms == {name: f"{form.__module__}.{form.__name__}" for name, form in FORMS.items()}
    for name, logger in configured.LOGGING["loggers"].items():
        assert set(logger.get("handlers", ["stderr"])) == {"stderr"}, name


def test_no_traffic_leaves_content(caught, client, superuser, ada, tell, settings):  # noqa: PLR0917
    """Pages, searches, sign-ins, uploads, wrong paths, wrong hosts, imports, stories: a canary in each."""
    settings.ALLOWED_HOSTS = ["testserver"]
    client.raise_request_exception = False
    client.post("/admin/login/", {"username": f"{CANARY}@example.com", "password": CANARY})
    client.get(f"/{CANARY}?q={CANARY}", headers={"User-Agent": CANARY, "Referer": f"http://{CANARY}/"})
    client.get("/", headers={"Host": f"{CANARY}.example"})
    client.get(f"/admin/accounts/user/{CANARY}/change/")
    with as_support():
        client.force_login(superuser)
    client.get(f"/admin/accounts/user/?q={CANARY}&email={CANARY}")
    client.post("/admin/accounts/user/add/", {"email": CANARY, "password1": CANARY})
    Client(enforce_csrf_checks=True).post("/admin/login/", {"username": CANARY})
    tell(ada, "first", [("Ada", f"I met {CANARY} in Lisbon.")])
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get().pk
    build_conversation(ada, conversation)
    search_stories(user_id=ada, question=f"Who is {CANARY}?", actor=TESTER)
    assert CANARY not in caught.text
    assert "vibe.requests" in caught.text, "nothing was caught"


def test_the_suite_is_watched(ada, tell):
    """What is sealed and what is opened in this very test is looked for, and would be found."""
    said = f"I met {CANARY} in Lisbon."
    tell(ada, "first", [("Ada", said)])
    assert any(said in text for text in logs.texts)
    logs.texts.clear()
    with as_user(ada):
        [memory] = open_memories(Memory.objects.of(ada), open_vault())
    assert any(said in text for text in logs.texts)
    logging.getLogger("vibe.anything").warning("%s of %s", *logs.texts, memory.id)
    assert [line for line in logs.lines if CANARY in line], "the control: nothing was listened to"
    logs.lines.clear()


def test_control_without_the_filter_the_path_is_logged(client, db):
    stream = io.StringIO()
    plain = logging.StreamHandler(stream)
    logger = logging.getLogger("django.request")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(plain)
    try:
        client.get(f"/{CANARY}")
    finally:
        logger.removeHandler(plain)
        logger.setLevel(level)
    assert CANARY in stream.getvalue()


def test_the_words_of_a_foreign_error_are_not_told(caught, db, ada):
    log = logging.getLogger("some.library")
    for statement in (f"SELECT '{CANARY}'::int", f"INSERT INTO auth_group (name) VALUES ('{CANARY}'), ('{CANARY}')"):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        except (DataError, IntegrityError) as problem:
            log.exception("It failed")
            assert CANARY in str(problem), "the control: the driver's words hold it"
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as inner:
            raise KeyError(CANARY) from inner
    except KeyError:
        log.exception("It failed again")
    assert CANARY not in caught.text
    assert "ValueError" in caught.text
    assert "DataError" in caught.text
    assert "test_logs.py" in caught.text, "where it happened is not told"


def test_our_own_words_are_kept(caught):
    try:
        raise Refused("Ask for a grant first.")
    except Refused:
        logging.getLogger("vibe").exception("It failed")
    assert "Ask for a grant first." in caught.text


def test_what_the_servers_say_of_a_request_is_not_told(caught):
    log = logging.getLogger("gunicorn.error")
    log.propagate = True
    log.warning("Invalid request from ip=%s: %s", "10.0.0.1", CANARY)
    log.error("Error handling request %s", f"/{CANARY}")
    log.info("Booting worker with pid: %s", 4711)
    logging.getLogger("django.server").info('"GET /%s HTTP/1.1" 200', CANARY)
    logging.getLogger("django.security.DisallowedHost").error("Invalid HTTP_HOST header: %s", CANARY)
    assert CANARY not in caught.text
    assert "4711" in caught.text


def test_what_libraries_attach_to_a_line_stays_out(caught):
    logging.getLogger("procrastinate").error("A job failed", extra={"job": {"task_kwargs": CANARY}, "request": CANARY})
    assert CANARY not in caught.text


def test_a_line_bears_the_id_of_its_request(caught, client, db):
    answer = client.get("/")
    [line] = [line for line in caught.lines if "vibe.requests" in line]
    if line.startswith("{"):
        told = json.loads(line)
        assert told["request_id"] == client.get("/admin/").headers["X-Request-ID"] or told["request_id"]
        assert (told["route"], told["status"], told["method"]) == ("home", 200, "GET")
        assert {"at", "level", "logger", "message", "milliseconds"} <= set(told)
    assert answer.headers["X-Request-ID"] in line


def test_ids_differ_and_are_not_the_clients(client, db):
    first = client.get("/", headers={"X-Request-ID": CANARY}).headers["X-Request-ID"]
    assert first not in (CANARY, client.get("/").headers["X-Request-ID"])


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_why_a_start_is_refused_is_a_line_of_json_too(command):
    refused = manage(command, DEBUG="off", ENCRYPTION_KEY="too short", LOG_FORMAT="json")
    assert refused.returncode == 1
    [line] = [json.loads(line) for line in refused.stderr.splitlines()]
    assert line["message"].startswith("Error: ")
    control = manage(command, DEBUG="off", ENCRYPTION_KEY="too short")
    assert control.stderr.startswith("Error: ")


def test_lines_printed_in_parts_are_whole_objects():
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.write("a begin")
    lines.write(', an end\n{"at": 1}\n\n[1]\n{half')
    assert [json.loads(line).get("message") for line in stream.getvalue().splitlines()] == [
        "a begin, an end",
        None,
        "[1]",
    ]
    lines.flush()
    assert json.loads(stream.getvalue().splitlines()[-1])["message"] == "{half"


def test_every_line_of_the_json_form_is_an_object():
    caught = Caught(Json())
    log = logging.getLogger("vibe.form")
    log.addHandler(caught.handler)
    try:
        log.warning("two\nlines")
        try:
            raise RuntimeError
        except RuntimeError:
            log.exception("with a place")
    finally:
        log.removeHandler(caught.handler)
    told = [json.loads(line) for line in caught.lines]
    assert [each["message"] for each in told] == ["two\nlines", "with a place"]
    assert "RuntimeError" in told[1]["exception"]
