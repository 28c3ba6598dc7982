"""Staff of each role, signed in, for tests of the admin."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from accounts.staff.groups import ensure_groups
from tests.sessions import force_sign_in
from vibe.core.db.scopes import as_staff

ROLES = ("support", "approver", "auditor", "engineer")


def member(role: str) -> User:
    """A new member of staff with one role; without any for an empty one."""
    ensure_groups()
    user = User.objects.create_user(f"{role or 'nobody'}@staff.example", "p")
    with as_staff():
        user.groups.set(Group.objects.filter(name=role))
    return user


def client_of(user: User) -> Client:
    return force_sign_in(Client(), user)
