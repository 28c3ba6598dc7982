"""nginx and Prometheus, configured by docs/operations.md, with `serve` as systemd starts it: DEBUG off, two sockets."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from audit.models import AuditLog
from tests.processes import PROJECT, manage, until, url
from tests.servers import Server, free_port, serving
from vibe.core.db.scopes import as_support

HOST = "vibe.example.com"
TOKEN = "a-token-for-prometheus"
PAGE = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; user {user};
events {{}}
http {{
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{block}
}}
"""


def block_of(kind: str, word: str) -> str:
    """The one block of the page of that kind which has the word."""
    [found] = [each for each in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if word in each]
    return textwrap.dedent(str(found))


def programs(*names: str) -> None:
    if missing := [name for name in names if not shutil.which(name)]:
        pytest.skip(f"{', '.join(missing)} are not installed. Run: apt-get install nginx openssl prometheus")


@pytest.fixture
def server(committed: None, tmp_path: Path) -> Iterator[Server]:
    """At a port and at a Unix socket. Every line that it writes is checked to be JSON."""
    programs("nginx", "openssl")
    environment = {name: os.urandom(32).hex() for name in ("SECRET_KEY", "ENCRYPTION_KEY", "AUDIT_SIGNING_KEY")} | {
        "DEBUG": "off", "ALLOWED_HOSTS": HOST, "BEHIND_TLS_PROXY": "on", "TRUSTED_PROXIES": "127.0.0.1, unix",
        "TRUSTED_PROXY_HEADER": "X-Forwarded-For", "METRICS_TOKEN": TOKEN, "LOG_FORMAT": "json", "LOG_LEVEL": "INFO",
        "VIBE_STATE_DIR": str(tmp_path / "state"), "API_LIMIT_STRANGER": "off",
    }  # fmt: skip
    collected = manage("collectstatic", "--noinput", DATABASE_URL=url(), **environment)
    assert collected.returncode == 0, collected.stderr
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as path:
        path.bind(str(tmp_path / "web.sock"))
        path.listen()
        with serving(url(), tmp_path / "log", "--worker", listeners=[port, path], **environment) as started:
            started.wait_ready()
            yield started
    for line in started.said().splitlines():
        assert isinstance(json.loads(line), dict)


class Proxy:
    """nginx with the page's block, but for ports and the folder of its certificate."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.ports = {"80": free_port(), "443 ssl": free_port()}
        block = block_of("nginx", "proxy_pass")
        for port, ours in self.ports.items():
            block = block.replace(f"listen {port};", f"listen {port.replace(port.split()[0], f'127.0.0.1:{ours}')};")
        block = block.replace("/etc/ssl/vibe", str(folder)).replace("/var/log/nginx", str(folder))
        block = block.replace("http://127.0.0.1:8000", upstream)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, block=block, user=getuser()))
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
        files = ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
        subprocess.run([*request, *files], cwd=folder, check=True, capture_output=True)
        self.folder = folder

    def send(self, method: str, path: str, body: bytes = b"", *, source: str = "127.0.0.1", **headers: str) -> Any:
        """Status, headers and body of a request over TLS, whose certificate is verified."""
        trusted = ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))
        raw = socket.create_connection(("127.0.0.1", self.ports["443 ssl"]), 60, (source, 0))
        asked = http.client.HTTPConnection(HOST)
        asked.sock = trusted.wrap_socket(raw, server_hostname=HOST)
        try:
            asked.request(method, path, body, headers)
            answer = asked.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            asked.close()


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def proxied(folder: Path, upstream: str) -> Iterator[Proxy]:
    folder.mkdir()
    proxy = Proxy(folder, upstream)
    with running(["nginx", "-c", str(folder / "nginx.conf")], folder / "said") as process:

        def answers() -> bool:
            assert process.poll() is None, (folder / "said").read_text()
            with socket.socket() as probe:
                return not probe.connect_ex(("127.0.0.1", proxy.ports["443 ssl"]))

        until(answers)
        yield proxy


def refused_from() -> set[str | None]:
    """The addresses of who was refused at the sign-in."""
    with as_support():
        return set(AuditLog.objects.filter(outcome="refused").values_list("ip", flat=True))


def sign_in(proxy: Proxy, source: str) -> None:
    """With a wrong password, and an address that the client made up."""
    _, headers, page = proxy.send("GET", "/admin/login/")
    cookie = headers["Set-Cookie"].partition(";")[0]
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = b"username=nobody@example.com&password=wrong&csrfmiddlewaretoken=" + token[1]
    sent = {"Cookie": cookie, "Referer": f"https://{HOST}/admin/login/", "X-Forwarded-For": "203.0.113.9"}
    kind = "application/x-www-form-urlencoded"
    status, _, _ = proxy.send("POST", "/admin/login/", form, source=source, **sent, **{"Content-Type": kind})
    assert status == 200, "the form again"


def test_by_the_page(server: Server, tmp_path: Path) -> None:
    """One server for all of it: its start takes longer than the rest."""
    with proxied(tmp_path / "tcp", f"http://127.0.0.1:{server.port}") as proxy:
        status, headers, _ = proxy.send("GET", "/")
        assert status == 200
        assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        assert proxy.send("GET", "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404
        plain = http.client.HTTPConnection("127.0.0.1", proxy.ports["80"], timeout=60)
        plain.request("GET", "/admin/", headers={"Host": HOST})
        redirect = plain.getresponse()
        assert (redirect.status, redirect.headers["Location"]) == (301, f"https://{HOST}/admin/")
        plain.close()

        # Uploads: Vibe refuses these, up to what nginx lets through, and nothing of them is on nginx's disk.
        json_type = {"Content-Type": "application/json"}
        for size in (4_000_000, 15_000_000):
            status, headers, _ = proxy.send("POST", "/api/v1/memories", b" " * size, **json_type)
            assert (status, headers["Content-Type"]) == (401, "application/problem+json")
        assert proxy.send("POST", "/api/v1/memories", b" " * 17_000_000, **json_type)[0] == 413
        assert not [path for name in ("body", "proxy") for path in (proxy.folder / name).rglob("*") if path.is_file()]

        sign_in(proxy, "127.0.0.8")
    with proxied(tmp_path / "unix", f"http://unix:{tmp_path}/web.sock") as proxy:
        sign_in(proxy, "127.0.0.9")
    assert refused_from() == {"127.0.0.1", "127.0.0.8", "127.0.0.9"}, "as they connected, not as one of them claims"
    assert server.ask("/metrics")[0] == 403
    if shutil.which("prometheus"):
        scrape(server, tmp_path)


def scrape(server: Server, folder: Path) -> None:
    """Prometheus reads the figures by the page's job."""
    (folder / "token").write_text(TOKEN)
    job = block_of("yaml", "scrape_configs").replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    job = job.replace("/etc/prometheus/vibe-token", str(folder / "token"))
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n{job}")
    port = free_port()
    options = ["--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "tsdb"]
    command = ["prometheus", *map(str, options), f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, folder / "prometheus.log") as process:

        def value() -> Any:
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=up{{job='vibe'}}", timeout=60) as answer:
                    return json.load(answer)["data"]["result"]
            except HTTPError as starting:
                starting.close()
            except OSError:
                pass
            return None

        [result] = until(value)
        assert result["value"][1] == "1", (folder / "prometheus.log").read_text()
