"""The content security policy: our own files only, nothing in line, and eval where unfold needs it."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.parametrize(("path", "evaluates"), [("/", False), ("/admin/login/", True), ("/admin/", True)])
def test_every_page_has_it(db, settings, path, evaluates):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    policy = Client().get(path)["Content-Security-Policy"]
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert ("'unsafe-eval'" in scripts) is evaluates
    assert "'unsafe-inline'" not in scripts
    assert {"default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
