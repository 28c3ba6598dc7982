"""The cast of the attacks on the admin, made once a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from tests.attacks.admin.stage import Cast, make


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    quick = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"], "ONE_TIME_CODES": True}
    with django_db_blocker.unblock(), override_settings(**quick), transaction.atomic():
        try:
            yield make()
        finally:
            transaction.set_rollback(True)
