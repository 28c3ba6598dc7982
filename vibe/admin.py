"""Admin of other packages' models: groups, and the jobs of procrastinate."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from accounts.admin.grants import acting_staff
from accounts.staff.groups import MEANINGS
from stories.rebuilding.services import retry_job
from vibe.core.admin.base import MetadataAdmin, Related
from vibe.core.admin.confirmed_actions import ConfirmedAction, requires_permission
from vibe.core.admin.labels import label_column
from vibe.core.admin.times import to_the_second
from vibe.core.db.job_classes.failures import code_in_words
from vibe.core.db.models import JobError

STATES = {
    "Todo": "info",
    "Doing": "primary",
    "Succeeded": "success",
    "Failed": "danger",
    "Cancelled": "warning",
    "Aborted": "warning",
}


class PlainAdmin(MetadataAdmin):
    """A table without personal data, which support may read whole."""

    whole = True

    def related(self, row: Any) -> list[Related]:
        return []


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(PlainAdmin):
    """Roles of staff, created by migrations, with their permissions."""

    list_name = "Roles"
    list_display = ("name", "meaning", "members")
    fields = ("name", "meaning", "rights")
    ordering = ("name",)
    search_fields = ("name",)
    search_help_text = "Name of the role, or how it begins"
    empty_hint = "Roles come with the migrations."

    def found(self, term: str) -> Q:
        return Q(name__istartswith=term)

    def complete(self, rows: list[Any]) -> None:
        groups = Group.objects.filter(pk__in=[row.pk for row in rows])
        numbers = dict(groups.order_by().values_list("pk").annotate(Count("user")))
        for row in rows:
            row.count_of_members = numbers[row.pk]

    @admin.display(description="In short")
    def meaning(self, row: Any) -> str:
        return MEANINGS.get(row.name, "-")

    @admin.display(description="Members")
    def members(self, row: Any) -> int:
        return int(row.count_of_members)

    def complete_page(self, row: Any) -> None:
        of_group = Permission.objects.filter(group=row).order_by("content_type_id", "codename")
        row.names_of_rights = list(of_group.values_list("name", flat=True))

    @admin.display(description="May")
    def rights(self, row: Any) -> SafeString | str:
        return format_html_join("", "{}<br>", ((name,) for name in row.names_of_rights)) or "Nothing yet"


for model in [one for one in admin.site._registry if one._meta.app_label == "procrastinate"]:
    admin.site.unregister(model)


def retry(request: HttpRequest, row: ProcrastinateJob) -> str:
    """Run a failed job again."""
    retry_job(job_id=row.pk, actor=acting_staff(request))
    return "The job waits for a worker."


@admin.register(ProcrastinateJob)
class JobAdmin(PlainAdmin):
    """The job queue. By rule, arguments are ids only."""

    list_name = "Jobs"
    narrowed_by: ClassVar[tuple[str, ...]] = ("task_name",)
    list_display = ("id", "task", "state", "why", "arguments", "attempts", "scheduled_at", "queue_name")
    list_filter = ("status",)
    search_fields = ("id",)
    search_help_text = "Number of the job, or the name of its task in full"
    fields = (
        *("id", "task_name", "state", "why", "arguments", "attempts", "queue_name", "priority"),
        *("lock", "queueing_lock", "scheduled_at", "events"),
    )
    empty_hint = "No jobs. The worker deletes what is done."
    deeds = (
        ConfirmedAction(
            "retry",
            "Try job again",
            "This job runs again as soon as a worker is free.",
            *(
                retry,
                requires_permission("procrastinate.change_procrastinatejob"),
                lambda _, row: row.status == "failed",
            ),
        ),
    )

    def title_of(self, row: ProcrastinateJob) -> str:
        return f"Job {row.pk}"

    def found(self, term: str) -> Q:
        return Q(pk=int(term)) if term.isdecimal() and len(term) < 19 else Q(task_name=term)

    @admin.display(description="Task", ordering="task_name")
    def task(self, row: ProcrastinateJob) -> SafeString:
        return format_html('<span title="{}">{}</span>', row.task_name, row.task_name.rpartition(".")[2])

    @label_column("State", STATES)
    def state(self, row: ProcrastinateJob) -> str:
        return row.status.capitalize()

    @admin.display(description="Arguments")
    def arguments(self, row: ProcrastinateJob) -> SafeString:
        return format_html('<code class="text-xs">{}</code>', json.dumps(row.args)[:500])

    @admin.display(description="Last error")
    def why(self, row: Any) -> str:
        code = row.codes.get(row.pk)
        return code_in_words(code or "") if code or row.status == "failed" else "-"

    def complete(self, rows: list[Any]) -> None:
        codes = dict(JobError.objects.filter(job_id__in=[row.pk for row in rows]).values_list("job_id", "code"))
        for row in rows:
            row.codes = codes

    def complete_page(self, row: Any) -> None:
        self.complete([row])
        row.happened = list(ProcrastinateEvent.objects.filter(job_id=row.pk).order_by("at", "id")[:100])

    @admin.display(description="Events")
    def events(self, row: Any) -> SafeString:
        lines = ((to_the_second(event.at) if event.at else "", event.type) for event in row.happened)
        return format_html_join("", "{} {}<br>", lines)
