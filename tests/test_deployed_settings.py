"""What a browser is told with DEBUG off: cookies of this host alone, TLS for a year, nothing kept, nothing guessed."""

import json
import secrets
import subprocess
import sys

import pytest

from tests.processes import PROJECT

ASKED = (
    *("SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE"),
    *("SESSION_COOKIE_PATH", "SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_PATH", "CSRF_COOKIE_DOMAIN"),
    *("CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "CSRF_COOKIE_SAMESITE", "SECURE_SSL_REDIRECT"),
    *("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_CONTENT_TYPE_NOSNIFF", "SECURE_REFERRER_POLICY"),
)
SCRIPT = f"""
import django, json
from django.conf import settings
django.setup()
print(json.dumps({{name: getattr(settings, name) for name in {ASKED!r}}}))
"""


def deployed(**environment):
    """The settings of an installation."""
    given = {"DJANGO_SETTINGS_MODULE": "vibe.settings", "DEBUG": "off", "ALLOWED_HOSTS": "vibe.example"}
    given |= {name: secrets.token_hex(32) for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")}
    run = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(run, cwd=PROJECT, env={**given, **environment}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_cookies_and_headers_of_an_installation(tmp_path):
    assert deployed(VIBE_STATE_DIR=str(tmp_path)) == {
        "SESSION_COOKIE_NAME": "__Host-session",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_DOMAIN": None,
        "CSRF_COOKIE_PATH": "/",
        "CSRF_COOKIE_DOMAIN": None,
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/login/", "/admin/", "/admin/accounts/user/"])
def test_pages_of_the_admin_are_kept_by_nobody(client, superuser, address):
    if address != "/admin/login/":
        from vibe.core.db.scopes import as_support

        with as_support():
            client.force_login(superuser)
    answer = client.get(address)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
