"""Roles of staff as groups, created after migrations, with their permissions in the admin by table."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions

METADATA = (
    *("accounts.user", "accounts.userkey", "accounts.userpreferences", "accounts.accessgrant"),
    *("accounts.export", "accounts.erasure"),
    *("memories.conversation", "memories.memory", "memories.import", "stories.story", "stories.passage"),
    *("stories.entity", "stories.fact", "stories.pendingmemory"),
)
TRAIL = ("audit.auditlog", "audit.auditleaf", "audit.auditcheckpoint", "audit.auditpruning")
ENGINE = (
    *(
        "auth.group",
        "accounts.apikey",
        "accounts.webhookendpoint",
        "accounts.webhookdelivery",
        "stories.searchset",
        "stories.nextvector",
        "stories.tokenuse",
        "procrastinate.procrastinatejob",
        "procrastinate.procrastinateevent",
    ),
    *("procrastinate.procrastinateworker",),
)
GROUPS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "support": (
        ("view", METADATA),
        ("add", ("accounts.accessgrant", "accounts.export", "accounts.erasure")),
        ("change", ("accounts.user", "accounts.erasure", "memories.conversation", "stories.story")),
    ),
    "approver": (("view", (*METADATA, "accounts.apikey")), ("change", ("accounts.accessgrant",))),
    "auditor": (("view", (*METADATA, *TRAIL)),),
    "engineer": (
        ("view", (*METADATA, *ENGINE)),
        ("add", ("accounts.apikey", "accounts.webhookendpoint")),
        (
            "change",
            (
                *("accounts.apikey", "accounts.webhookendpoint", "accounts.webhookdelivery"),
                *("stories.story", "procrastinate.procrastinatejob"),
            ),
        ),
        ("delete", ("accounts.webhookendpoint",)),
        ("see", ("accounts.health",)),
    ),
}
MEANINGS = {
    "support": "deactivates, restricts, exports and erases people who ask for it; asks to read content",
    "approver": "decides on colleagues' requests to read content, erasures and API keys",
    "auditor": "sees the audit log and its proof",
    "engineer": "sees jobs and the database's health; makes API keys and webhooks; retries what failed",
}
"""What each role lets one do, in a line. All of them see people's metadata, and none their content."""


def ensure_groups(**_: Any) -> None:
    """Set the permissions of the groups in GROUPS, after each migration. Leave other groups alone."""
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415

    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    for name, rights in GROUPS.items():
        group, _created = Group.objects.get_or_create(name=name)
        wanted = {(label.split(".")[0], f"{verb}_{label.split('.')[1]}") for verb, labels in rights for label in labels}
        found = Permission.objects.filter(codename__in=[codename for _, codename in wanted]).select_related(
            "content_type"
        )
        group.permissions.set(each for each in found if (each.content_type.app_label, each.codename) in wanted)
