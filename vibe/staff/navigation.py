"""The sidebar: every table, in the order in which staff look for things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from accounts.admin.grants import waiting_for
from vibe.staff.health_page import SEE_HEALTH
from vibe.staff.queues_page import MAY_LOOK

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' "
    "rx='4' fill='%232f5fd0'/%3E%3Ccircle cx='8' cy='8' r='3' fill='white'/%3E%3C/svg%3E"
)
Item = tuple[str, str, str, str]  # title, icon, app_model, query

GROUPS: list[tuple[str, list[Item]]] = [
    (
        "People",
        [
            ("People", "group", "accounts_user", "kind=person"),
            ("Staff", "badge", "accounts_user", "kind=staff"),
            ("Access grants", "lock_open", "accounts_accessgrant", ""),
            ("Data keys", "vpn_key", "accounts_userkey", ""),
            ("API keys", "api", "accounts_apikey", ""),
            ("Webhooks", "webhook", "accounts_webhookendpoint", ""),
            ("Webhook deliveries", "outbox", "accounts_webhookdelivery", ""),
            ("Preferences", "tune", "accounts_userpreferences", ""),
            ("Exports", "download", "accounts_export", ""),
            ("Erasures", "delete_forever", "accounts_erasure", ""),
            ("Roles", "shield_person", "auth_group", ""),
        ],
    ),
    (
        "Content metadata",
        [
            ("Conversations", "forum", "memories_conversation", ""),
            ("Memories", "lock", "memories_memory", ""),
            ("Imports", "upload", "memories_import", ""),
            ("Stories", "auto_stories", "stories_story", ""),
            ("Facts", "fact_check", "stories_fact", ""),
            ("Pending memories", "pending", "stories_pendingmemory", ""),
        ],
    ),
    (
        "Search",
        [
            ("Passages", "segment", "stories_passage", ""),
            ("Entities", "category", "stories_entity", ""),
            ("Search sets", "hub", "stories_searchset", ""),
            ("Next vectors", "moving", "stories_nextvector", ""),
            ("Token use", "toll", "stories_tokenuse", ""),
        ],
    ),
    (
        "Audit",
        [
            ("Audit log", "receipt_long", "audit_auditlog", ""),
            ("Leaves", "account_tree", "audit_auditleaf", ""),
            ("Checkpoints", "verified", "audit_auditcheckpoint", ""),
            ("Prunings", "event_busy", "audit_auditpruning", ""),
        ],
    ),
    ("Running", [("Jobs", "manufacturing", "procrastinate_procrastinatejob", "")]),
]


def favicon(_request: HttpRequest) -> str:
    """Return the tab's icon as a data URL, which saves a request."""
    return ICON


def local_times(_request: HttpRequest) -> str:
    """Return the address of the script that shows times in the reader's time zone."""
    return static("vibe/local_times.js")


def global_search(_request: HttpRequest) -> str:
    """Return the address of the script that leads to the search by keys."""
    return static("vibe/global_search.js")


def styles(_request: HttpRequest) -> str:
    """Return the address of the style sheet that adds to the theme's."""
    return static("vibe/admin.css")


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar for unfold. An item is shown to viewers who may view its table.

    Approvers see on every page how many requests wait for them. The theme asks for the sidebar more than once a page.
    """
    groups: list[dict[str, Any]]
    home = {"title": "Home", "icon": "home", "link": reverse("admin:index")}
    groups = [{"title": title, "items": [entry(*item) for item in items]} for title, items in GROUPS]
    groups[-1]["items"] += [
        page_entry("Queues", "stacks", "queues", MAY_LOOK),
        page_entry("Database health", "monitor_heart", "database_health", SEE_HEALTH),
    ]
    if not hasattr(request, "grants_waiting"):
        request.grants_waiting = waiting_for(request)  # type: ignore[attr-defined]
    if request.grants_waiting:  # type: ignore[attr-defined]
        item = next(each for each in groups[0]["items"] if each["title"] == "Access grants")
        item["badge"] = str(request.grants_waiting)  # type: ignore[attr-defined]
    return [{"items": [home]}, *groups]


def page_entry(title: str, icon: str, name: str, permission: str) -> dict[str, Any]:
    """Return the item of a page that is no list."""
    path = reverse(f"admin:{name}")
    active, shown = is_here(path, ""), may_view(permission)
    return {"title": title, "icon": icon, "link": path, "active": active, "permission": shown}


def entry(title: str, icon: str, model: str, query: str) -> dict[str, Any]:
    """Return one item of the sidebar."""
    path = reverse(f"admin:{model}_changelist")
    app, _, name = model.partition("_")
    return {
        "title": title,
        "icon": icon,
        "link": f"{path}?{query}" if query else path,
        "active": is_here(path, query),
        "permission": may_view(f"{app}.view_{name}"),
    }


def is_here(path: str, query: str) -> Callable[[HttpRequest], bool]:
    """Return a test whether a request is on this list or below it. Lists of one table differ by their query."""
    name, _, value = query.partition("=")
    return lambda request: request.path.startswith(path) and (not query or request.GET.get(name) == value)


def may_view(permission: str) -> Callable[[HttpRequest], bool]:
    """Return a test whether the viewer has a permission."""
    return lambda request: request.user.has_perm(permission)
