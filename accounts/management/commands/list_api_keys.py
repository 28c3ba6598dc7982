"""Command that lists the API keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.api_keys import services as api_keys


class Command(BaseCommand):
    help = "List the API keys, newest first: id, how it begins, name, scopes, whom it acts for, state, last use."

    def handle(self, *_: Any, **__: Any) -> None:
        for key in api_keys.list_api_keys():
            used = f"used {key['last_used_at']:%Y-%m-%d %H:%M}" if key["last_used_at"] else "never used"
            acts_for = key["person"] or "whom it names"
            self.stdout.write(
                f"{key['id']}  {key['hint']}…  {key['name']}  [{' '.join(key['scopes'])}]  for {acts_for}  "
                f"{state(key)}, {used}"
            )


def state(key: dict[str, Any]) -> str:
    """Return the state of a key."""
    if key["revoked_at"]:
        return f"revoked {key['revoked_at']:%Y-%m-%d}"
    if not key["approved_at"]:
        return "waits for approval"
    return f"{'expired' if key['expires_at'] <= timezone.now() else 'until'} {key['expires_at']:%Y-%m-%d}"
