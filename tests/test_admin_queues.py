"""The queues in the admin: their state, why jobs failed, what is tried again by itself, and trying all again."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from audit.models import AuditLog
from stories.index.pending import INDEX_ADDED
from stories.rebuilding import services
from tests.admin_roles import ROLES, client_of, member
from tests.cast import TESTER
from tests.test_admin_work_list import fail_a_job
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.job_classes.failures import NOT_NOTED, code_in_words
from vibe.core.db.scopes import as_support, as_system
from vibe.core.errors import VibeError

EXPORT = "accounts.export"


def statuses() -> list[str]:
    with as_system():
        return list(ProcrastinateJob.objects.order_by("id").values_list("status", flat=True))


@pytest.fixture(autouse=True)
def codes(settings: Any) -> None:
    settings.ONE_TIME_CODES = True


def shown(client: Any) -> Any:
    answer = client.get(reverse("admin:queues"))
    assert answer.status_code == 200
    return answer


def test_each_failure_is_told_in_words(db, superuser):
    for code in ("database-away", "KeyError", ""):
        fail_a_job(code=code)
    fail_a_job(INDEX_ADDED, "data-key-missing")
    answer = shown(client_of(superuser))
    export = next(task for task in answer.context["failed"] if task.words == "Make a requested export")
    assert (export.count, len(export.reasons)) == (3, 3)
    page = answer.content.decode()
    for words in ("The database was not there for a job", "A fault of the program (KeyError).", NOT_NOTED):
        assert words in page
    assert "data-key-missing" not in page, "a code is told by its message"


def test_what_is_done_by_itself_and_when(db, superuser):
    fail_a_job()
    fail_a_job(INDEX_ADDED)
    fail_a_job("accounts.erase_due")
    by_words = {task.words: task.by_itself for task in shown(client_of(superuser)).context["failed"]}
    assert by_words["Make a requested export"].startswith("Nothing is done by itself.")
    indexing = next(text for words, text in by_words.items() if words.startswith("Index what a person said"))
    assert ":17 UTC at the earliest" in indexing
    assert by_words["Erase everybody whose grace period is over"].startswith("It runs again ")
    assert len(shown(client_of(superuser)).context["runs"]) >= 10


def test_classes_say_that_they_have_stopped_and_what_is_tried_again(db, superuser):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, attempts, scheduled_at) "
            "VALUES ('stories', 'stories.build', '{}', 2, now() + interval '5 minutes')"
        )
    rows = {row.name: row for row in shown(client_of(superuser)).context["classes"]}
    assert set(rows) == {"audit", "waited", "stories", "imports", "webhooks"}
    assert rows["stories"].label["text"] == "Stopped"
    assert "no worker is running" in rows["stories"].why
    assert rows["stories"].by_itself.startswith("1 are tried again, the next ")
    assert rows["waited"].by_itself == ""


def test_the_list_and_the_page_of_jobs_say_why(db, superuser):
    job, client = fail_a_job(), client_of(superuser)
    fail_a_job(INDEX_ADDED)
    words = code_in_words("database-away")
    listed = client.get(list_url(ProcrastinateJob, status__exact="failed", task_name=EXPORT))
    assert [row.pk for row in listed.context["cl"].result_list] == [job]
    assert words in unescape(listed.content.decode())
    assert words in unescape(client.get(page_url(ProcrastinateJob, job)).content.decode())


def test_all_of_a_kind_are_tried_again_once_it_is_confirmed(db):
    user = member("engineer")
    client, url = client_of(user), reverse("admin:retry_failed_jobs", args=[EXPORT])
    for _ in range(3):
        fail_a_job()
    fail_a_job(INDEX_ADDED)
    assert "Try all 3 again" in client.get(url).content.decode()
    assert statuses() == ["failed"] * 4, "looking does nothing"
    assert client.post(url, follow=True).status_code == 200
    assert statuses() == ["todo", "todo", "todo", "failed"]
    with as_support():
        row = AuditLog.objects.get(action="job.retry")
        assert (row.actor, row.details["jobs"], row.details["task"]) == (str(user.pk), 3, EXPORT)
    assert client.get(reverse("admin:retry_failed_jobs", args=["no.such"])).status_code == 404


def test_of_jobs_with_one_queueing_lock_one_is_tried_again(db, monkeypatch):
    jobs = [fail_a_job("accounts.erase_due") for _ in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET queueing_lock = 'accounts.erase_due'")
    assert services.retry_failed_jobs(task="accounts.erase_due", actor=TESTER) == 1
    assert statuses() == ["failed", "failed", "todo"]
    assert services.retry_failed_jobs(task="accounts.erase_due", actor=TESTER) == 0, "one waits already"
    assert len(jobs) == 3


def test_control_without_looking_at_the_lock_the_database_refuses(db, monkeypatch):
    for _ in range(2):
        fail_a_job("accounts.erase_due")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET queueing_lock = 'accounts.erase_due'")
    monkeypatch.setattr(
        services,
        "RETRY_ALL",
        "UPDATE procrastinate_jobs SET status = 'todo' WHERE status = 'failed' AND task_name = %s",
    )
    with pytest.raises(Exception, match="queueing_lock"):
        services.retry_failed_jobs(task="accounts.erase_due", actor=TESTER)


@pytest.mark.parametrize("role", [*ROLES, ""])
def test_queues_are_the_engineers(db, role):
    fail_a_job()
    client = client_of(member(role))
    may = role == "engineer"
    for url in (reverse("admin:queues"), reverse("admin:retry_failed_jobs", args=[EXPORT])):
        assert client.get(url).status_code == (200 if may else 403)
    assert client.post(reverse("admin:retry_failed_jobs", args=[EXPORT])).status_code == (302 if may else 403)
    assert statuses() == ["todo" if may else "failed"]


def test_every_code_is_told_by_a_message_of_ours():
    class Odd(VibeError):
        message, code = "Something odd was met.", "odd-in-tests"

    code_in_words.__globals__["_messages"].cache_clear()
    assert code_in_words("odd-in-tests") == "Something odd was met."
    assert code_in_words("") == NOT_NOTED


def test_an_error_goes_with_its_job(db):
    job = fail_a_job()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job])
        cursor.execute("SELECT count(*) FROM job_errors")
        assert cursor.fetchone() == (0,)
