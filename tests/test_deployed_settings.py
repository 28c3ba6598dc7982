"""What a browser is told with DEBUG off: cookies of this host alone, TLS for a year, nothing kept, nothing guessed."""

import json
import secrets
import subprocess
import sys

import pytest

from tests.processes import PROJECT
from vibe.core.errors import ConfigurationError
from vibe.doctor import configuration
from vibe.management.commands.serve import default_bind

ASKED = (
    *("SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE"),
    *("SESSION_COOKIE_PATH", "SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_PATH", "CSRF_COOKIE_DOMAIN"),
    *("CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "CSRF_COOKIE_SAMESITE", "SECURE_SSL_REDIRECT"),
    *(
        "SECURE_HSTS_SECONDS",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SECURE_HSTS_PRELOAD",
        "SECURE_CONTENT_TYPE_NOSNIFF",
        "SECURE_REFERRER_POLICY",
    ),
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
    return json.loads(started({**given, **environment}).stdout)


def started(environment, script=SCRIPT, *, check=True):
    run = [sys.executable, "-c", script]
    return subprocess.run(run, cwd=PROJECT, env=environment, capture_output=True, text=True, check=check)


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
        "SECURE_HSTS_PRELOAD": False,
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


def test_an_empty_state_folder_is_none_and_not_the_folder_that_one_is_in():
    keys = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")}
    given = {"DJANGO_SETTINGS_MODULE": "vibe.settings", "DEBUG": "off", "VIBE_STATE_DIR": "", **keys}
    shown = started(given, "from django.conf import settings; print(settings.STATE_DIR)").stdout
    assert shown.strip() == str(PROJECT / ".vibe")


# Secrets from files


@pytest.fixture
def filed(tmp_path):
    """An installation whose secrets are files, as a container has them: with a line's end."""
    environment = {"DJANGO_SETTINGS_MODULE": "vibe.settings", "DEBUG": "off", "VIBE_STATE_DIR": str(tmp_path)}
    for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY"):
        (tmp_path / name).write_text(secrets.token_hex(32) + "\n")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    (tmp_path / "url").write_text("postgresql://vibe:p@db.internal/vibe\n")
    return environment | {"DATABASE_URL_FILE": str(tmp_path / "url")}


SHOWN = "from django.conf import settings; print(settings.ENCRYPTION_KEY, settings.DATABASE_URL)"


def test_a_secret_may_be_the_content_of_a_file(filed, tmp_path):
    key, url = started(filed, SHOWN).stdout.split()
    assert (key, url) == ((tmp_path / "ENCRYPTION_KEY").read_text().strip(), "postgresql://vibe:p@db.internal/vibe")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "ENCRYPTION_KEY_FILE names cannot be read (No such file or directory)"),
        (lambda path: path.write_text(" \n"), "ENCRYPTION_KEY_FILE names is empty"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "ENCRYPTION_KEY_FILE names cannot be read (UnicodeDecodeError)"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(filed, tmp_path, spoil, said):
    spoil(tmp_path / "ENCRYPTION_KEY")
    failed = started(filed, SHOWN, check=False)
    assert failed.returncode and said in failed.stderr


def test_a_secret_that_is_given_twice_is_refused_and_neither_shown(filed):
    failed = started({**filed, "ENCRYPTION_KEY": "f" * 64}, SHOWN, check=False)
    assert failed.returncode and "ENCRYPTION_KEY and ENCRYPTION_KEY_FILE are both set" in failed.stderr
    assert "f" * 64 not in failed.stderr


def test_doctor_names_a_secret_that_every_user_of_the_machine_may_read(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_text("-")
    monkeypatch.setenv("ENCRYPTION_KEY_FILE", str(path))
    path.chmod(0o640)
    assert list(configuration.secret_files()) == []
    path.chmod(0o644)
    [finding] = configuration.secret_files()
    assert "ENCRYPTION_KEY_FILE" in finding.what


# Behind a platform


@pytest.mark.parametrize(("port", "bind"), [("", "127.0.0.1:8000"), ("5000", "0.0.0.0:5000")])
def test_serve_listens_where_the_platform_says(settings, port, bind):
    settings.PORT = port
    assert default_bind() == bind


def test_a_port_that_is_none_is_refused(settings):
    settings.PORT = "80 80"
    with pytest.raises(ConfigurationError, match="PORT"):
        default_bind()


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["10.1.2.3", "other.example", "no host at all"])
def test_probes_and_metrics_answer_whatever_the_host(client, settings, host):
    settings.ALLOWED_HOSTS = ["vibe.example"]
    for address in ("/livez", "/readyz", "/metrics"):
        assert client.get(address, headers={"host": host}).status_code in (200, 503), address
    for address in ("/", "/admin/login/", "/api/v1/me"):
        assert client.get(address, headers={"host": host}).status_code == 400, f"the control: {address}"
