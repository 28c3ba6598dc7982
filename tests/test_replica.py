"""What people read of their own comes from a replica where that is near enough, and nobody can tell the difference.

A real one, by streaming replication. `paused` keeps it from replaying anything, so that what it lacks is certain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings as configuration
from django.db import DatabaseError, OperationalError, connection, connections
from django.utils import timezone

from accounts.keys.services.data_keys import destroy_data_keys
from accounts.models import LastChange, User
from accounts.people.services.people import Profile, ensure_person
from audit import services as trail
from audit.models import AuditLog
from memories.models import Conversation
from stories.search.services import search_stories
from tests.api.conftest import Api
from tests.building import build_conversation
from tests.cast import TESTER
from tests.processes import until, url
from tests.replicas import ReplicaServer, replicated
from tests.servers import Server, serving
from tests.stories.conftest import LISBON, MARATHON, build_all, external_ids
from vibe.core.db.configured import embedded_server
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_support, as_system, as_user, current_scope
from vibe.core.errors import AuditUnavailable
from vibe.doctor import server as doctor

pytestmark = pytest.mark.skipif(configuration.DATABASE_POOLER, reason="copies the server, which is behind the pooler")
LONG, SHORT = 600_000, 200  # milliseconds
OF_THE_PRIMARY = ("user_keys", "audit_", "rate_limits", "api_keys", "kept_answers", "access_grants", "users", "last_ch")


@pytest.fixture(scope="module")
def copied(django_db_setup: None) -> Iterator[ReplicaServer]:
    with replicated() as server:
        yield server


@contextmanager
def asked(server: ReplicaServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """REPLICA_URL leads there, as if this process had just been started with it."""
    place = {**connections.settings["default"], "HOST": str(server.server.sockets), "CONN_MAX_AGE": 0}
    with monkeypatch.context() as patch:
        patch.setitem(connections.settings, replica.REPLICA, place)
        patch.setattr(replica, "memory", replica.Memory())
        patch.setattr(replica, "WAIT_SECONDS", 60)  # however slow this machine is just now
        patch.setattr(replica, "REST_SECONDS", 600)
        settings.REPLICA_MAX_LAG_MS = LONG
        server.catch_up(embedded_server())
        try:
            yield
        finally:
            connections[replica.REPLICA].close()
            del connections[replica.REPLICA]


@pytest.fixture
def second(
    committed: None, copied: ReplicaServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReplicaServer]:
    """The replica, in use."""
    settings.API_LIMIT_PERSON = settings.API_LIMIT_STRANGER = "off"
    with asked(copied, settings, monkeypatch):
        yield copied


@pytest.fixture
def readings() -> Iterator[list[str]]:
    """Who answered each reading, and why the primary did."""
    seen: list[str] = []

    def note(to: str, why: str, **_: Any) -> None:
        seen.append(why or to)

    replica.routed.connect(note)
    yield seen
    replica.routed.disconnect(note)


@pytest.fixture
def told(committed: None, tell: Any) -> UUID:
    """Ada, with two conversations told."""
    ada = ensure_person(profile=Profile("ada", "ada@example.com", "Ada Tavares"), actor=TESTER)
    tell(ada, "lisbon", LISBON)
    tell(ada, "marathon", MARATHON)
    build_all(ada)
    return ada


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every statement, with the folder of the server it went to."""
    seen: list[tuple[str, str]] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        text = query if isinstance(query, str) else query.as_string(None)
        seen.append((self.connection.info.host, text))
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return seen


def caught_up(server: ReplicaServer) -> None:
    server.catch_up(embedded_server())


@contextmanager
def standing_still(server: ReplicaServer) -> Iterator[None]:
    """It replays nothing, and is not waited for longer than it takes to see that."""
    with pytest.MonkeyPatch.context() as patch, server.paused():
        patch.setattr(replica, "WAIT_SECONDS", 0)
        yield


def titles(api: Api) -> list[str]:
    answer = api.get("/conversations")
    assert answer.status_code == 200, answer.content
    return [each["title"] for each in answer.json()["items"]]


@contextmanager
def at_primary():
    """As if there were no replica."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica, "is_configured", lambda: False)
        yield


# What goes there, and what does not


def test_the_replica_answers_what_the_primary_would(told, second, readings, sent):
    here = search_stories(user_id=told, question="Who dropped the piano?", actor=TESTER)
    assert readings == ["replica"]
    assert external_ids(told, here)[0] == "lisbon"
    there = {host for host, text in sent if "FROM passages" in text}
    assert there == {str(second.server.sockets)}
    with at_primary():
        assert search_stories(user_id=told, question="Who dropped the piano?", actor=TESTER) == here


def test_lists_and_single_things_come_from_there(told, second, readings):
    api = Api("ada")
    conversation = api.get("/conversations").json()["items"][0]["id"]
    memory = api.get(f"/conversations/{conversation}/memories").json()["items"][0]["id"]
    story = api.get("/stories").json()["items"][0]["id"]
    for path in (f"/conversations/{conversation}", f"/memories/{memory}", f"/stories/{story}", "/people", "/places"):
        assert api.get(path).status_code == 200, path
    assert api.post("/stories/search", {"question": "Where do I live?"}).json()["items"]
    assert readings == ["replica"] * 9


def test_who_may_what_limits_keys_and_the_trail_are_of_the_primary(told, second, readings, sent, settings):
    settings.API_LIMIT_PERSON = "600/200"
    api = Api("ada")
    for _ in range(2):
        titles(api)
        api.post("/me/export", idempotency_key="k")
        api.post("/stories/search", {"question": "Where do I live?"})
    there = [text for host, text in sent if host == str(second.server.sockets)]
    assert there and "replica" in readings
    assert not [text for text in there for table in OF_THE_PRIMARY if table in text]
    changing = ("INSERT", "UPDATE", "DELETE")
    assert not [text for text in there if text.lstrip().startswith(changing)]
    elsewhere = " ".join(text for host, text in sent if host != str(second.server.sockets))
    assert all(table in elsewhere for table in ("user_keys", "audit_logs", "rate_limits", "kept_answers", "users"))


def test_every_reading_is_in_the_trail_of_the_primary_before_it_is_told(told, second, readings, monkeypatch):
    titles(Api("ada"))
    with as_system():
        assert AuditLog.objects.filter(subject=told, action="api:list_conversations").count() == 1

    def full(*_: Any, **__: Any) -> None:
        raise AuditUnavailable

    monkeypatch.setattr(trail, "insert_row", full)
    answer = Api("ada").get("/conversations")
    assert readings == ["replica", "replica"], "it was read there"
    assert answer.status_code == 503 and b"lisbon" not in answer.content, "and not told"


def test_scopes_hold_there(told, second, tell):
    jonas = ensure_person(profile=Profile("jonas"), actor=TESTER)
    tell(jonas, "boat", LISBON)
    caught_up(second)

    def look() -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, pg_is_in_recovery(), array_agg(DISTINCT user_id) FROM conversations")
            return cursor.fetchone()

    with as_user(told):
        assert replica.read(told, look) == ("vibe_user", True, [told])
        assert current_scope().user_id == str(told)
    with as_user(jonas):
        assert replica.read(jonas, look)[2] == [jonas]
    with replica.routed_to_replica():
        assert look()[2] is None, "outside of a scope nobody's rows are seen, there as here"
        with as_support(), pytest.raises(DatabaseError, match="permission denied"):
            list(Conversation.objects.values_list("title"))


def test_nothing_can_be_written_there(told, second, readings):
    """What writes is refused by the replica, and then done by the primary: a reading must not, and harms nothing."""
    with as_user(told):
        replica.read(told, lambda: Conversation.objects.of(told).update(is_archived=True))
        assert readings == ["failed"]
        assert not Conversation.objects.of(told).active().exists()


# A person's own changes


def test_a_persons_own_change_is_seen_at_once(told, second, readings):
    api = Api("ada")
    assert len(titles(api)) == 2
    with standing_still(second):
        assert api.post("/conversations", {"title": "Just now"}).status_code == 201
        assert "Just now" in titles(api)
        assert readings == ["replica", "behind"]
    caught_up(second)
    replica.memory.is_well()
    assert "Just now" in titles(api)
    assert readings[-1] == "replica"


def test_without_the_place_in_the_log_it_would_be_missed(told, second, readings, monkeypatch):
    """The negative control: the same, with nothing noted of the person's last change."""
    monkeypatch.setattr(replica, "NOTE", "SELECT %s, %s, %s")
    api = Api("ada")
    assert len(titles(api)) == 2
    with standing_still(second):
        assert api.post("/conversations", {"title": "Just now"}).status_code == 201
        assert "Just now" not in titles(api)
        assert readings == ["replica", "replica"]


def test_a_change_is_waited_for(told, second, readings, monkeypatch):
    """The replica comes to it within the time that is allowed for it."""
    api, standing, resumed = Api("ada"), replica.replay_position, Event()

    def resuming() -> int:
        come = standing()
        if not resumed.is_set():
            resumed.set()
            second.run("SELECT pg_wal_replay_resume()")
        return come

    with second.paused():
        api.post("/conversations", {"title": "Just now"})
        monkeypatch.setattr(replica, "replay_position", resuming)
        assert "Just now" in titles(api)
    assert resumed.is_set() and readings == ["replica"]


def test_a_change_through_one_process_is_seen_through_another(told, second, tmp_path):
    settings = {"REPLICA_URL": url(host=second.server.sockets), "REPLICA_MAX_LAG_MS": str(LONG)}
    settings |= {"METRICS_NETWORKS": "127.0.0.0/8"}
    headers = {"Authorization": Api("ada").headers["authorization"]}
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    with serving(url(), one, **settings) as first, serving(url(), other, **settings) as another:
        first.wait_ready(), another.wait_ready()
        caught_up(second)
        until(lambda: another.ask("/api/v1/conversations", **headers)[0] == 200 and counted(another, "replica"))
        with second.paused():
            before = counted(another, "behind")
            sent = first.post("/api/v1/conversations", b'{"title": "By the other"}', **headers)
            assert sent[0] == 201
            status, body = another.ask("/api/v1/conversations", **headers)
            assert status == 200 and b"By the other" in body
            assert counted(another, "behind") == before + 1


def counted(server: Server, answered: str) -> float:
    """How many readings the replica of a server answered, or the primary for a reason."""
    labels = {"replica": 'server="replica",why=""'}.get(answered, f'server="primary",why="{answered}"')
    found = re.search(rf"^vibe_readings_total{{{labels}}} (\S+)$", server.ask("/metrics")[1].decode(), re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_what_the_transaction_itself_changed_is_read_in_it(told, second, readings):
    with as_user(told):
        Conversation.objects.of(told).update(is_archived=True)
        assert not replica.read(told, lambda: list(Conversation.objects.of(told).active()))
    assert readings == ["changing"]


def test_a_change_is_decided_by_what_the_primary_has(told, second, readings):
    """A story that was told anew since: its version there is another, and the change is not refused."""
    api = Api("ada")
    story = api.get("/stories").json()["items"][0]
    with standing_still(second):
        conversation = UUID(story["conversation_id"])
        with as_user(told):
            from stories.models import Story

            Story.objects.of(told).filter(pk=story["id"]).update(due_at=timezone.now())
        build_conversation(told, conversation)
        seen = api.get(f"/stories/{story['id']}").headers["ETag"]
        with at_primary():
            there = api.get(f"/stories/{story['id']}").headers["ETag"]
        assert seen != there, "the replica lags, as it may"
        changed = api.patch(f"/stories/{story['id']}", {"title": "Mine"}, if_match=there)
        assert changed.status_code == 200, changed.content
        assert changed.json()["title"] == "Mine"


def test_a_reading_notes_no_change_and_a_refused_change_neither(told, second):
    api = Api("ada")
    titles(api)
    api.post("/stories/search", {"question": "Where do I live?"})
    assert api.post("/conversations", {"title": 7}).status_code == 422
    with as_user(told):
        assert not LastChange.objects.of(told).exists()
    api.post("/conversations", {"title": "One"})
    with as_user(told):
        (first,) = LastChange.objects.of(told).values_list("place", flat=True)
    api.post("/conversations", {"title": "Two"})
    with as_user(told):
        assert LastChange.objects.of(told).get().place > first


# Others' changes, within the bound


def test_the_bound_holds_for_what_others_change(told, second, readings, tell, settings):
    """Whatever was committed longer ago than REPLICA_MAX_LAG_MS is seen, whoever did it."""
    settings.REPLICA_MAX_LAG_MS = SHORT
    api = Api("ada")
    with standing_still(second):
        tell(told, "later", MARATHON)  # by an import: no change of her own
        time.sleep(SHORT / 1000)
        assert "About later" in titles(api)
    assert readings == ["behind"]


def test_within_the_bound_it_may_be_missed(told, second, readings, tell):
    """The negative control: so it is the bound that the test above tries."""
    api = Api("ada")
    titles(api)
    with standing_still(second):
        tell(told, "later", MARATHON)
        assert "About later" not in titles(api)
    assert readings == ["replica", "replica"]


# Never by a replica that is behind


def test_who_is_shut_out_is_so_at_once(told, second):
    api = Api("ada")
    titles(api)
    with standing_still(second):
        with as_support():
            User.objects.filter(pk=told).update(is_active=False)
        assert api.get("/conversations").status_code == 403


def test_destroyed_keys_open_nothing_there_either(told, second):
    api = Api("ada")
    titles(api)
    with standing_still(second):
        destroy_data_keys(user_id=told, actor=TESTER)
        answer = api.get("/conversations")
        assert answer.status_code >= 400 and b"lisbon" not in answer.content


# Gone, and back


def test_a_replica_that_is_gone_is_not_missed_and_found_again(told, second, readings):
    api = Api("ada")
    titles(api)
    second.stop()
    try:
        assert len(titles(api)) == 2
        assert len(titles(api)) == 2
        assert readings == ["replica", "failed", "resting"]
    finally:
        second.start()
    caught_up(second)
    replica.memory.rest(0)
    assert len(titles(api)) == 2
    assert readings[-1] == "replica", "after its rest it is tried again"


def test_one_that_ends_in_the_middle_of_an_answer(told, second, readings):
    calls = []

    def work() -> list[Any]:
        calls.append(1)
        if len(calls) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM conversations")
            second.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vibe'")
        return list(Conversation.objects.of(told))

    with as_user(told):
        assert len(replica.read(told, work)) == 2
        assert len(calls) == 2 and readings == ["failed"]
        assert Conversation.objects.of(told).count() == 2, "the primary's transaction is unharmed"
    replica.memory.is_well()
    with as_user(told):
        assert len(replica.read(told, lambda: list(Conversation.objects.of(told)))) == 2
    assert readings[-1] == "replica", "by a new connection"


def test_one_that_is_promoted_is_asked_no_more(told, committed, settings, monkeypatch, readings):
    with replicated() as server, asked(server, settings, monkeypatch):
        api = Api("ada")
        assert len(titles(api)) == 2
        server.run("SELECT pg_promote()")
        until(lambda: not server.run("SELECT pg_is_in_recovery()"))
        with server.server.connect(connection.settings_dict["NAME"]) as its:
            its.execute("DELETE FROM conversations")
        assert len(titles(api)) == 2
        assert readings == ["replica", "failed"]
        assert "no replica" in next(doctor.read_replica()).what


def test_an_error_of_the_primary_is_not_laid_to_the_replica(told, second, monkeypatch):
    def broken(_: UUID) -> int:
        raise OperationalError

    monkeypatch.setattr(replica, "required_position", broken)
    with as_user(told), pytest.raises(OperationalError):
        replica.read(told, lambda: 1)
    assert not replica.memory.rests()


def test_of_many_readings_one_tries_it_after_a_rest():
    memory = replica.Memory()
    assert memory.wakes() and memory.wakes(), "while it is well, all ask it"
    memory.rest(60)
    assert not memory.wakes()
    memory.rest(-1)
    assert memory.wakes()
    assert not memory.wakes(), "the others wait for what the first one finds"
    memory.is_well()
    assert memory.wakes()


def test_without_a_replica_nothing_more_is_asked(told, sent, readings):
    titles(Api("ada"))
    Api("ada").post("/conversations", {"title": "One"})
    assert readings == []
    assert not [text for _, text in sent if "wal" in text or "last_changes" in text]


# What is said of it


def test_doctor_and_metrics_say_how_it_stands(told, second, settings):
    from vibe.metrics import figures

    caught_up(second)
    (well,) = doctor.read_replica()
    assert "is used" in well.what and not well.severity
    assert figures.replica_usable() == [((), 1.0)]
    settings.REPLICA_MAX_LAG_MS = 1
    with standing_still(second):
        Api("ada").post("/conversations", {"title": "One"})
        assert figures.replica_behind_bytes()[0][1] > 0
        assert figures.replica_behind_seconds()[0][1] > 0
        (late,) = doctor.read_replica()
        assert "behind" in late.what and late.severity
    second.stop()
    try:
        assert figures.replica_usable() == [((), 0)]
        (gone,) = doctor.read_replica()
        assert "cannot be asked" in gone.what and "REPLICA_URL" in gone.what
    finally:
        second.start()


def test_a_database_that_is_no_copy_is_an_error(told, second, monkeypatch):
    monkeypatch.setitem(connections.settings[replica.REPLICA], "NAME", "vibe")
    connections[replica.REPLICA].close()
    del connections[replica.REPLICA]
    (wrong,) = doctor.read_replica()
    assert "no copy" in wrong.what


def test_without_one_nothing_is_said(db):
    from vibe.metrics import figures

    assert list(doctor.read_replica()) == figures.replica_usable() == figures.replica_behind_bytes() == []
