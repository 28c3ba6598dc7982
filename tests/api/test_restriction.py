"""Processing restricted (GDPR, article 18): kept, shown, taken along; not added to, searched or built until lifted."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.api_keys.services import make_api_key
from accounts.keys.services import data_keys
from accounts.management.naming import named_people
from accounts.people.services.account_status import set_restricted
from audit.models import AuditLog
from memories.models import Memory
from memories.services.forgetting import delete_expired
from stories import tasks
from stories.building.services.build import people_due
from stories.building.services.reembedding import behind
from stories.index.pending import INDEX_ADDED
from stories.models import Passage, PendingMemory, SearchSet, Story
from tests.api.conftest import Api
from tests.cast import TESTER
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.core.errors import InputError, NotFound
from vibe.doctor import upkeep
from vibe.metrics import figures

WHY = {"reason": "They contest what is stored.", "ticket": "T-18"}
SAID = {"author": "Ada", "role": "user", "text": "I moved to Lisbon."}


@pytest.fixture
def there(as_ada: Api) -> dict[str, Any]:
    """A conversation of one memory, and the memory."""
    conversation = as_ada.post("/conversations", {}).json()["id"]
    return as_ada.post(f"/conversations/{conversation}/memories", SAID).json()


def restrict(user_id: UUID, *, restricted: bool = True) -> bool:
    return set_restricted(user_id=user_id, restricted=restricted, actor=TESTER, **WHY)


def processing(api: Api, there: dict[str, Any]) -> dict[str, Any]:
    """Everything that does more than keep and show, by name: the answers."""
    said = f"/conversations/{there['conversation_id']}/memories"
    question = {"question": "Where do I live?"}
    return {
        "add": api.post(said, {**SAID, "text": "And I have a dog."}),
        "put": api.put(
            f"/conversations/{there['conversation_id']}/memories/by-message-id/m-7",
            {**SAID, "text": "And I have a cat."},
        ),
        "change": api.patch(f"/memories/{there['id']}", {"text": "I moved to Porto."}),
        "search memories": api.post("/memories/search", question),
        "search stories": api.post("/stories/search", question),
        "context": api.post("/context", {"message": "Where do I live?"}),
        "facts": api.get("/facts"),
        "import": api.post("/me/import", {"format": "jsonl"}),
    }


def test_what_processes_is_refused_and_says_so(ada, as_ada, there):
    restrict(ada)
    for name, answer in processing(as_ada, there).items():
        assert (answer.status_code, answer.json()["code"]) == (403, "processing-restricted"), name
    with as_user(ada):
        assert Memory.objects.of(ada).count() == Passage.objects.of(ada).count() == 1


def test_control_it_is_the_look_at_the_keys_that_refuses(ada, as_ada, there, monkeypatch):
    restrict(ada)
    unguarded = data_keys.KEYS.replace("u.restricted_at IS NOT NULL", "false")
    monkeypatch.setattr(data_keys, "KEYS", unguarded)
    assert all(answer.status_code in (200, 201, 202) for answer in processing(as_ada, there).values())


def test_the_person_goes_on_reading_taking_along_and_deleting(ada, as_ada, there):
    restrict(ada)
    assert as_ada.get(f"/memories/{there['id']}").json()["text"] == SAID["text"]
    assert as_ada.get(f"/conversations/{there['conversation_id']}/memories").status_code == 200
    assert as_ada.get("/stories").status_code == 200
    assert as_ada.post("/me/export").status_code == 202
    assert as_ada.delete(f"/memories/{there['id']}").status_code == 204
    assert as_ada.delete("/me").status_code == 202


def test_a_server_exports_nothing(ada, there):
    _, key = make_api_key(name="-", scopes=["export"], lasts=timedelta(days=1), actor=TESTER, person=ada)
    server = Api("ada")
    server.headers = {"authorization": f"Bearer {key}"}
    restrict(ada)
    assert server.post("/me/export").json()["code"] == "processing-restricted"
    restrict(ada, restricted=False)
    assert server.post("/me/export").status_code == 202, "the control"


def test_jobs_and_sweeps_pass_them_over_and_catch_up_by_themselves(ada, as_ada, there, settings):
    with as_user(ada):
        memory = Memory.objects.of(ada).get()
        Story.objects.of(ada).update(due_at=timezone.now() - timedelta(minutes=1))
        PendingMemory(user_id=ada, memory_id=memory.pk).save(force_insert=True)
        Memory.objects.filter(pk=memory.pk).update(expires_at=timezone.now() - timedelta(hours=1))
        SearchSet.objects.of(ada).update(embedder="another")

    def swept() -> tuple[bool, ...]:
        every = named_people(None, to_process=True)
        return ada in people_due("stories.build"), ada in dict(behind()), ada in every

    assert swept() == (True, True, True), "the control"
    restrict(ada)
    assert swept() == (False, False, False)
    assert figures.unindexed()[0][1] == 0
    assert delete_expired(actor=TESTER) == 0
    tasks.index_added(str(ada))
    tasks.build(str(ada))
    with as_user(ada):
        assert PendingMemory.objects.of(ada).exists()
        assert Story.objects.of(ada).get().failure == ""
    with as_system():
        ProcrastinateJob.objects.all()._raw_delete("default")
    restrict(ada, restricted=False)
    with as_system():
        assert ProcrastinateJob.objects.filter(task_name=INDEX_ADDED, args__user_id=str(ada)).count() == 1
    assert swept() == (True, True, True)
    assert delete_expired(actor=TESTER) == 1


def test_it_is_counted(ada, jonas):
    assert (figures.restricted(), list(upkeep.restricted())) == ([((), 0.0)], [])
    restrict(ada)
    assert figures.restricted() == [((), 1.0)]
    [finding] = upkeep.restricted()
    assert finding.what == "Processing is restricted for 1 people."


def test_it_is_recorded_with_reason_and_ticket_once(ada, supporter):
    assert [restrict(ada), restrict(ada), restrict(ada, restricted=False)] == [True, False, True]
    with as_support():
        rows = list(AuditLog.objects.about(ada).filter(resource=f"users/{ada}").order_by("at", "id"))
    done = [(row.action, row.reason, row.details) for row in rows if row.action.endswith(("restrict", "restriction"))]
    assert done == [
        (name, WHY["reason"], {"ticket": WHY["ticket"]}) for name in ("person.restrict", "person.lift-restriction")
    ]
    for given in ({"reason": " ", "ticket": "T"}, {"reason": "r", "ticket": ""}):
        with pytest.raises(InputError, match="Say why"):
            set_restricted(user_id=ada, restricted=True, actor=TESTER, **given)
    with pytest.raises(NotFound):
        restrict(supporter.pk)


@pytest.mark.parametrize("role", ["vibe_user", "vibe_sign_in", "vibe_system", "vibe_staff"])
def test_no_other_role_lifts_it(ada, role):
    restrict(ada)
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_column_privilege(%s, 'users', 'restricted_at', 'UPDATE')", [role])
        assert cursor.fetchone() == (role == "vibe_staff",), "which sees the rows of staff alone"


KEEPS_AND_SHOWS = {
    "accounts/export/archive.py",
    "accounts/export/services.py",
    "accounts/idempotency.py",
    "accounts/keys/services/data_keys.py",
    "memories/reading.py",
    "memories/services/conversations.py",
    "memories/services/forgetting.py",
    "stories/building/services/lineage.py",
    "stories/corrections/services/restoring.py",
    "stories/entities/services.py",
    "stories/facts/services/changing.py",
    "stories/index/withdrawing.py",
    "stories/reading/services.py",
    "vibe/backup/drill.py",
    "vibe/staff/content.py",
}
"""Where keys are opened without `to_process`: for what is kept, shown, taken along, deleted, or checked."""


def test_whatever_opens_keys_says_what_for():
    """Whoever opens keys in a new place decides, and adds it here if it only keeps and shows."""
    root = Path(settings.BASE_DIR)
    found = set()
    for app in ("accounts", "memories", "stories", "vibe"):
        for path in (root / app).rglob("*.py"):
            if re.search(r"(?<!def )\b(open_vault\(\)|vault_of\((?!.*to_process))", path.read_text()):
                found.add(str(path.relative_to(root)))
    assert found == KEEPS_AND_SHOWS
