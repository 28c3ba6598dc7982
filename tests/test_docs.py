"""The docs are true: every setting and command is described, every link leads somewhere, no command is invented."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SETTINGS = (ROOT / "vibe" / "settings.py").read_text(encoding="utf-8")
READ = set(re.findall(r"""(?:env\.\w+|secret)\(\s*"([A-Z_]+)\"""", SETTINGS))
PARTS = ("accounts", "audit", "memories", "stories", "vibe")
COMMANDS = {path.stem for part in PARTS for path in (ROOT / part).glob("**/management/commands/*.py")} - {"__init__"}
DJANGO = {"migrate", "makemigrations", "createsuperuser", "shell", "check", "help", "procrastinate", "test", "dumpdata"}
DJANGO |= {"collectstatic", "showmigrations", "sqlmigrate"}


def described_settings() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE))


def test_the_settings_are_found():
    assert {"DATABASE_URL", "ENCRYPTION_KEY", "SECRET_KEY", "DEBUG", "VIBE_STATE_DIR"} <= READ


def test_every_setting_is_described_and_none_is_invented():
    assert described_settings() == READ


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_described(command):
    assert re.search(rf"\b{command}\b", TEXT)


def test_no_command_is_invented():
    named = set(re.findall(r"manage\.py ([a-z][a-z_]+)", TEXT))
    assert named <= COMMANDS | DJANGO


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_make_targets_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", TEXT, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_the_units_of_systemd_are_hardened(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed. Run: apt-get install systemd")
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"vibe\.service`\n\n```ini\n(.*?)```", text, re.DOTALL)
    assert found
    loosened = re.sub(r"^(?:Protect|Private|Restrict|SystemCall|Capab|NoNew).*\n", "", found[1], flags=re.MULTILINE)
    assert exposure(tmp_path / "vibe.service", found[1]) <= 3.0
    assert exposure(tmp_path / "loose.service", loosened) > 3.0, "the control"


def exposure(unit: Path, text: str) -> float:
    """What `systemd-analyze security` counts of a unit, from 0 to 10."""
    unit.write_text(text)
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    return float(found[1])
