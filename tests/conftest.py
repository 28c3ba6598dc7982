"""The fixtures that all tests share: people, factories and real commits. The database is always the real one."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import hypothesis
import psycopg
import pytest
from django.db import connection

from accounts.authentication import local_tokens
from accounts.models import User
from accounts.people.services.people import Profile, ensure_person
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.payload import Payload
from tests.cast import DAY, TESTER
from tests.databases import connect_to_own_database, empty_the_database
from tests.logs import logs_are_watched, logs_hold_no_content  # noqa: F401
from tests.statements import statements_are_routed, statements_are_watched  # noqa: F401

LOCOMO = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "locomo"

# A busy machine takes its time over an example: that is no failure.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def debug_as_at_the_start() -> None:
    """Processes that tests start inherit DEBUG as the run began with it: importing vibe.wsgi turns it off, once."""
    before = os.environ.get("DEBUG")
    importlib.import_module("vibe.wsgi")
    if before is None:
        os.environ.pop("DEBUG", None)


@pytest.fixture(autouse=True)
def fast_passwords(settings: Any) -> None:
    """Hashing as slow as in production costs a second a member of staff."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def own_checkpoints(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one test seals and commits is no witness against the next one's empty trail."""
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path_factory.getbasetemp() / f"checkpoints-{uuid4()}.jsonl")


@pytest.fixture
def person(db: None) -> Callable[..., UUID]:
    """Make a person with a data key: person("ada") -> id."""
    return lambda uid, **profile: ensure_person(profile=Profile(firebase_uid=uid, **profile), actor=TESTER)


@pytest.fixture
def ada(person: Callable[..., UUID]) -> UUID:
    return person("ada", email="ada@example.com", name="Ada Tavares")


@pytest.fixture
def jonas(person: Callable[..., UUID]) -> UUID:
    return person("jonas", email="jonas@example.com", name="Jonas Solheim")


@pytest.fixture
def bearer(person: Callable[..., UUID]) -> Callable[..., dict[str, str]]:
    """Headers that sign a person in at the API: client.get(..., headers=bearer("ada"))."""
    return lambda uid, **claims: {"authorization": f"Bearer {local_tokens.issue(uid=uid, **claims)}"}


@pytest.fixture
def supporter(db: None) -> User:
    return User.objects.create_user("supporter@example.com", "correct horse battery")


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("boss@example.com", "correct horse battery")


@pytest.fixture
def tell() -> Callable[..., None]:
    """Import a conversation: tell(ada, "first", [("Ada", "I moved to Lisbon."), ...])."""

    def tell(user_id: UUID, external_id: str, said: list[tuple[str, str]], at: datetime = DAY) -> None:
        messages = tuple(
            Message(f"m{number}", Payload(author, text), at + timedelta(minutes=number))
            for number, (author, text) in enumerate(said, start=1)
        )
        line = ConversationLine(1, Profile(firebase_uid="-"), external_id, f"About {external_id}", None, at, messages)
        import_conversations(user_id=user_id, lines=[line], actor=TESTER)

    return tell


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_createdb: bool, django_db_keepdb: bool
) -> Iterator[None]:
    """A test database for each worker, always: also when no test that runs asks for one in pytest-django's own way."""
    with django_db_blocker.unblock():
        outside = connect_to_own_database(create=django_db_createdb, reuse=django_db_keepdb)
    yield
    with django_db_blocker.unblock():
        connection.creation.destroy_test_db(outside, verbosity=0, keepdb=django_db_keepdb)


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Real commits, for what happens between transactions. Everything is emptied afterwards."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        try:
            yield
        finally:
            empty_the_database()


@pytest.fixture
def between_transactions(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """No transaction around the test, for what happens between them. These tests write nothing that stays."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
    assert not getattr(connection.connection, "held", ()), "what was held went nowhere"


@pytest.fixture
def sent(django_db_setup: None, django_db_blocker: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The statements that go to the server, by the round trip, after those that a new connection is set up with."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.ensure_connection()
    seen: list[Any] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, text: Any, *given: Any, **how: Any) -> Any:
        seen.append(text)
        return execute(self, text, *given, **how)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return seen


@pytest.fixture
def locomo() -> Path:
    """The evaluation data, where it lies beside the project."""
    folder = Path(os.environ.get("VIBE_LOCOMO", LOCOMO))
    if not folder.exists():
        pytest.skip("the evaluation data is not beside the project")
    return folder
