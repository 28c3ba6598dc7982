"""Master keys that a service holds: what opens, and what goes on when it is away, refuses, or has another key."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.keys import master_key
from accounts.keys.errors import KeyServiceRefuses, KeyServiceUnavailable, WrongMasterKey
from accounts.keys.master_key import ring
from accounts.keys.providers.service_key import CACHED_KEYS, KeyCache, ServiceKey
from accounts.keys.services.data_keys import open_vault
from accounts.keys.services.rotation import values_to_rewrap
from accounts.models import UserKey
from accounts.people.services.people import Profile, ensure_person
from stories.models import Story
from stories.tasks import ProviderAway, build, index_imported
from tests.cast import DAY, TESTER
from tests.key_services import Moto, SoftHsm, TestedService, disabled_keys_refuse
from tests.test_rotation import people, roots, rotate
from tests.workers import register_workers
from vibe.core.crypto.errors import SealBroken
from vibe.core.crypto.master import VERSION, MasterRing
from vibe.core.crypto.seal import Sealed
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import ConfigurationError
from vibe.doctor import keys as doctor
from vibe.serving import readiness

OURS = hashlib.sha256(b"a key of these tests").hexdigest()
SECRET, PLACE = b"a data key of a person, 32 bytes", b"the place of a value"


class Memory:
    """A key service in this process, which counts, and is away or has another key on demand."""

    def __init__(self) -> None:
        self.name, self.asked = "memory", 0
        self.failure: KeyServiceUnavailable | None = None
        self.aead = AESGCM(bytes(range(32)))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        self.ask()
        nonce = os.urandom(12)
        return nonce + self.aead.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        self.ask()
        return self.aead.decrypt(wrapped[:12], wrapped[12:], context)

    def ask(self) -> None:
        self.asked += 1
        if self.failure:
            raise self.failure


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def key(memory: Memory) -> ServiceKey:
    return ServiceKey(memory, cache_seconds=300)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that only goes on when it is told to."""
    now = [time.monotonic()]
    monkeypatch.setattr("accounts.keys.providers.service_key.time.monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


@pytest.fixture(params=["pkcs11", "aws-kms"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestedService]:
    if request.param == "pkcs11":
        yield SoftHsm(tmp_path_factory.mktemp("softhsm") if SoftHsm.folder is None else SoftHsm.folder)
    else:
        with disabled_keys_refuse():
            yield Moto()


@pytest.fixture
def used(service: TestedService, settings: Any) -> TestedService:
    """A service whose key is the master key."""
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = service.key, ""
    return service


def opened(user_id: UUID) -> int:
    with as_user(user_id):
        return open_vault().generation


# The cache, and a service that fails


def test_an_unwrapped_key_is_used_until_its_bound_and_not_after(key, memory, clock):
    wrapped = key.wrap(SECRET, PLACE)
    clock(200)
    other = ServiceKey(memory, cache_seconds=300)
    assert [each.unwrap(wrapped, PLACE) for each in (key, other, other)] == [SECRET] * 3
    assert memory.asked == 2  # to wrap, and once in the other process
    clock(99)
    key.unwrap(wrapped, PLACE)
    assert memory.asked == 2
    clock(1)  # use does not prolong it
    key.unwrap(wrapped, PLACE)
    assert memory.asked == 3


def test_a_cached_key_opens_nothing_elsewhere(key):
    wrapped = key.wrap(SECRET, PLACE)
    with pytest.raises(InvalidTag):
        key.unwrap(wrapped, b"another place")


def test_the_cache_holds_so_many_keys_and_no_old_ones(clock):
    cache = KeyCache(10)
    for number in range(CACHED_KEYS + 5):
        cache.put(str(number).encode(), SECRET)
    assert len(cache._known) == CACHED_KEYS
    assert cache.get(b"4") is None
    assert cache.get(b"5") == SECRET
    clock(10)
    assert cache.get(b"none of them") is None
    assert not cache._known


@pytest.mark.parametrize("failure", [KeyServiceUnavailable("It is away."), KeyServiceRefuses("It is disabled.")])
def test_while_the_service_fails_what_is_cached_opens_until_the_bound(key, memory, clock, failure):
    cached, another = key.wrap(SECRET, PLACE), ServiceKey(memory, cache_seconds=300).wrap(SECRET, PLACE)
    memory.failure = failure
    assert key.unwrap(cached, PLACE) == SECRET
    with pytest.raises(type(failure)):
        key.unwrap(another, PLACE)
    clock(300)
    with pytest.raises(type(failure)):
        key.unwrap(cached, PLACE)
    memory.failure = None
    clock(1)
    assert key.unwrap(another, PLACE) == key.unwrap(cached, PLACE) == SECRET


def test_a_service_that_fails_is_tried_once_a_second_and_by_one_thread(key, memory, clock):
    wrapped = [ServiceKey(memory, cache_seconds=1).wrap(SECRET, PLACE) for _ in range(9)]
    memory.failure, memory.asked = KeyServiceUnavailable("It is away."), 0

    def fails(number: int) -> None:
        with pytest.raises(KeyServiceUnavailable):
            key.unwrap(wrapped[number], PLACE)

    for number in range(9):
        fails(number)
    assert memory.asked == 1
    clock(1)
    inside, go = threading.Event(), threading.Event()

    def slow() -> None:
        memory.asked += 1
        inside.set()
        go.wait(30)
        raise KeyServiceUnavailable("It is slow.")

    memory.ask = slow
    first = threading.Thread(target=fails, args=[0])
    first.start()
    assert inside.wait(30)
    fails(1)  # at once: the other thread is trying
    assert memory.asked == 2
    go.set()
    first.join()


def test_a_slow_service_holds_up_nobody_whose_key_is_cached(key, memory):
    cached, another = key.wrap(SECRET, PLACE), ServiceKey(memory, cache_seconds=1).wrap(SECRET, PLACE)
    inside, go = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        go.wait(30)

    memory.ask = slow
    waiting = threading.Thread(target=lambda: key.unwrap(another, PLACE))
    waiting.start()
    assert inside.wait(30)
    assert key.unwrap(cached, PLACE) == SECRET
    go.set()
    waiting.join()


def test_a_service_that_answers_with_another_key_opens_nothing(key, memory):
    wrapped = ServiceKey(memory, cache_seconds=1).wrap(SECRET, PLACE)
    memory.unwrap = lambda *_: bytes(32)
    with pytest.raises(InvalidTag):
        key.unwrap(wrapped, PLACE)
    memory.unwrap = lambda *_: b"short"
    with pytest.raises(InvalidTag):
        ServiceKey(memory, cache_seconds=1).unwrap(wrapped, PLACE)


def test_the_service_sees_no_value_and_no_place(key, memory):
    seen = []
    real = memory.wrap
    memory.wrap = lambda value, context: seen.append(value + context) or real(value, context)
    key.wrap(SECRET, PLACE)
    assert len(seen[0]) == 64
    assert SECRET not in seen[0] and PLACE not in seen[0]


@pytest.mark.parametrize("stored", [b"", b"\x00", b"\xff\xff", b"\x00\x04four", bytes(40), b"\x00\x20" + bytes(60)])
def test_what_no_service_key_made_does_not_open(key, stored):
    with pytest.raises(InvalidTag):
        key.unwrap(stored, PLACE)


# SoftHSM2 and AWS KMS


def test_people_and_names_are_kept_under_a_key_of_a_service(db, used):
    users = people(3)
    before = roots(users)
    assert [name for _, _, name in before] == ["", "Name 1", "Name 2"]
    with as_system():
        assert {bytes(each.ciphertext[:9]) for each in UserKey.objects.values_list("wrapped", flat=True)} == {
            VERSION + ring().current.id
        }
    fresh = MasterRing.read(used.key, read_key=master_key.read_master_key)
    with as_system():
        rows = list(UserKey.objects.all())
    assert all(len(fresh.unwrap(row.wrapped, master_key.key_address(row))) == 32 for row in rows)
    with pytest.raises(SealBroken):
        fresh.unwrap(rows[0].wrapped, master_key.key_address(rows[1]))
    altered = bytearray(rows[0].wrapped.ciphertext)
    altered[60] ^= 1
    with pytest.raises(SealBroken):
        fresh.unwrap(Sealed(bytes(altered)), master_key.key_address(rows[0]))


def test_providers_are_changed_there_and_back_by_rotation(db, service, settings):
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = OURS, ""
    users = people(3)
    before = roots(users)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = service.key, OURS
    assert roots(users) == before
    assert values_to_rewrap() == 4 + 2
    assert "Retired keys can be removed" in rotate()
    settings.ENCRYPTION_KEYS_RETIRED = ""
    assert roots(users) == before
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = OURS, service.key
    rotate()
    settings.ENCRYPTION_KEYS_RETIRED = ""
    assert roots(users) == before


def test_while_the_service_is_away_who_is_cached_goes_on_and_others_get_503(
    db, used, person, client, *, bearer, settings, tmp_path
):
    settings.ERASURES_FILE = tmp_path / "erasures.jsonl"
    register_workers()
    ada, jonas = person("ada", name="Ada"), person("jonas", name="Jonas")
    settings.KEY_CACHE_SECONDS = 301  # as another process, with nothing cached
    assert client.get("/api/v1/me", headers=bearer("ada")).status_code == 200
    assert opened(ada) == 1
    with used.away():
        assert client.get("/api/v1/me", headers=bearer("ada")).json()["name"] == "Ada"
        assert opened(ada) == 1
        answer = client.get("/api/v1/me", headers=bearer("jonas"))
        assert (answer.status_code, answer.json()["code"]) == (503, "key-service-away")
        assert answer.headers["Retry-After"] == "5"
        assert used.key not in answer.content.decode()
        [finding] = doctor.services()
        assert ring().current.id.hex() in finding.what
        reasons = readiness.ask()
        assert "503" in reasons["key_service"] and not reasons["keys"]
        assert not readiness.stops_serving(reasons)
        with pytest.raises(KeyServiceUnavailable):
            ensure_person(profile=Profile("ida"), actor=TESTER)
    time_passes(ring().current)
    assert opened(jonas) == 1
    assert not list(doctor.services())
    assert not readiness.ask()["key_service"]


def test_a_key_that_is_disabled_opens_nothing_once_the_cache_is_old(db, used, person, clock, *, tmp_path, settings):
    settings.ERASURES_FILE = tmp_path / "erasures.jsonl"
    ada = person("ada", name="Ada")
    assert opened(ada) == 1
    used.disable()
    assert opened(ada) == 1
    clock(settings.KEY_CACHE_SECONDS)
    with pytest.raises(KeyServiceRefuses) as caught:
        opened(ada)
    assert used.key not in str(caught.value)
    [finding] = doctor.services()
    assert "NoSuchKey" in finding.what or "DisabledException" in finding.what
    reasons = readiness.ask()
    assert "refuses" in reasons["keys"]
    assert readiness.stops_serving(reasons)


def test_jobs_wait_for_the_service(db, used, person, tell, settings):
    ada = person("ada")
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    settings.KEY_CACHE_SECONDS = 301  # as another process, with nothing cached
    with used.away(), pytest.raises(ProviderAway, match="key service"):
        index_imported(str(ada))
    time_passes(ring().current)
    index_imported(str(ada))
    with as_user(ada):
        assert Story.objects.of(ada).update(due_at=DAY) == 1
    settings.KEY_CACHE_SECONDS = 302
    with used.away(), pytest.raises(ProviderAway, match="key service"):
        build(str(ada))
    with as_user(ada):
        story = Story.objects.of(ada).get()
        assert (story.tries, story.failure, story.due_at) == (0, "", DAY)
    settings.KEY_CACHE_SECONDS = 303
    used.disable()
    with pytest.raises(ProviderAway, match="refuses"):
        build(str(ada))


def test_another_key_under_the_same_name_writes_nothing(db, person, settings, tmp_path_factory):
    hsm = SoftHsm(tmp_path_factory.mktemp("softhsm") if SoftHsm.folder is None else SoftHsm.folder)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = hsm.key, ""
    ada = person("ada")
    hsm.disable()
    hsm.make()
    settings.KEY_CACHE_SECONDS = 301  # as another process, with nothing cached
    master_key.forget("ENCRYPTION_KEY")
    with pytest.raises(WrongMasterKey, match="another key under the name"):
        person("jonas")
    with pytest.raises(SealBroken):
        opened(ada)


def test_control_without_that_check_a_person_is_made_under_the_other_key(
    db, person, settings, tmp_path_factory, monkeypatch
):
    monkeypatch.setattr(master_key, "require_same_key", lambda: None)
    hsm = SoftHsm(tmp_path_factory.mktemp("softhsm") if SoftHsm.folder is None else SoftHsm.folder)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = hsm.key, ""
    person("ada")
    hsm.disable()
    hsm.make()
    settings.KEY_CACHE_SECONDS = 301
    assert opened(person("jonas")) == 1


def test_a_forked_process_opens_a_connection_of_its_own(service):
    fresh = MasterRing.read(service.key, read_key=master_key.read_master_key)
    wrapped = fresh.current.wrap(SECRET, PLACE)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, fresh.current.service.unwrap(wrapped[2:][: int.from_bytes(wrapped[:2])], digest()))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert len(os.read(reader, 99)) == 32
    assert fresh.current.check() is None


def digest() -> bytes:
    return hashlib.sha256(PLACE).digest()


def time_passes(key: Any) -> None:
    """Let the service be tried again."""
    key._again_at = 0.0


# Settings


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("arn:aws:kms:eu-central-1:111122223333:alias/vibe", "an alias"),
        ("arn:aws:s3:::bucket", "ARN of a key"),
        ("pkcs11:object=a", "without token"),
        ("pkcs11:token=a?module-path=/bin/sh&pin-value=77134", "without token, module-path, or object"),
        ("pkcs11:token=a;object=b?module-path=/nowhere&pin-value=77134", "is no file"),
        ("pkcs11:token=a;object=b;objekt=c?module-path=/bin/sh&pin-value=77134", "unknown"),
        ("pkcs11:token=a;object=b;object=c?module-path=/bin/sh&pin-value=77134", "twice"),
        ("pkcs11:token=a;object=b?module-path=/bin/sh", "without a PIN"),
        ("pkcs11:token=a;object=b?module-path=/bin/sh&pin-source=/dev/null", "is empty"),
        ("pkcs11:token=a;object=b?module-path=/bin/sh&pin-source=/nowhere/pin", "cannot be read"),
    ],
)
def test_a_key_that_names_no_service_key_is_refused_by_its_setting(key, words):
    with pytest.raises(ConfigurationError, match=f"ENCRYPTION_KEY.*{words}|{words}.*ENCRYPTION_KEY") as caught:
        master_key.read_master_key(key, setting="ENCRYPTION_KEY")
    assert "77134" not in str(caught.value)


def test_a_bound_out_of_bounds_is_refused(settings, service):
    settings.KEY_CACHE_SECONDS = 0
    with pytest.raises(ConfigurationError, match="KEY_CACHE_SECONDS"):
        master_key.read_master_key(service.key, setting="ENCRYPTION_KEY")


@pytest.mark.parametrize(("key", "package"), [("arn:aws:kms:a:111122223333:key/1", "boto3"), ("pkcs11:", "pkcs11")])
def test_a_package_that_is_not_installed_is_named(key, package, monkeypatch, tmp_path):
    (tmp_path / "pin").write_text("1")
    full = f"pkcs11:token=a;object=b?module-path=/bin/sh&pin-source={tmp_path}/pin" if key == "pkcs11:" else key
    module = "pkcs11" if key == "pkcs11:" else "aws_kms"
    monkeypatch.setattr(f"accounts.keys.providers.{module}.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=f"ENCRYPTION_KEY.*pip install .*{package}"):
        master_key.read_master_key(full, setting="ENCRYPTION_KEY")
