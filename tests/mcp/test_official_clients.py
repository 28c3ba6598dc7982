"""The official inspector and the official TypeScript client work with the server, in a process of Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.authentication import local_tokens
from accounts.people.services.people import Profile, ensure_person
from tests.api.conftest import Api
from tests.building import build_conversation
from tests.cast import TESTER
from tests.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("committed")
PACKAGES = ("@modelcontextprotocol/inspector@2.12.0", "@modelcontextprotocol/sdk@1.32.2")
SCRIPT = Path(__file__).with_name("official_client.mjs")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two packages."""
    if not shutil.which("npm"):
        pytest.skip("no Node.js: npm is not there")
    folder = tmp_path_factory.mktemp("mcp")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {' and '.join(PACKAGES)}")
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture
def story() -> str:
    """The address of a story of Ada's."""
    ada = ensure_person(profile=Profile("ada", name="Ada Tavares"), actor=TESTER)
    said = {"author": "Ada", "text": "My dog is called Bruno.", "conversation": {"external_id": "chat-1"}}
    build_conversation(ada, UUID(Api("ada").post("/memories", said).json()["conversation_id"]))
    return f"vibe://stories/{Api('ada').get('/stories').json()['items'][0]['id']}"


def run(folder: Path, *command: str) -> Any:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_typescript_client(installed: Path, served: str, story: str, settings: Any) -> None:
    settings.MCP_URL, settings.MCP_AUTHORIZATION_SERVERS = served, ["https://login.example.com"]
    told = run(installed, "node", SCRIPT.name, served, local_tokens.issue(uid="ada"))
    assert told["refused"] == 401
    assert told["servers"] == ["https://login.example.com"]
    assert {"context", "remember", "search_memories", "forget_memory"} <= {*told["tools"]}
    assert told["kept"] in told["found"]
    assert told["wrong"] is True
    assert story in told["listed"]
    assert told["listed"][0].endswith(told["read"])
    assert told["templates"] == ["vibe://stories/{story_id}"]


def test_the_inspector(installed: Path, served: str, story: str) -> None:
    token = local_tokens.issue(uid="ada")
    inspector = ("node_modules/.bin/mcp-inspector", "--cli", served, "--transport", "http")
    inspector += ("--header", f"Authorization: Bearer {token}", "--method")
    tools = run(installed, *inspector, "tools/list")["tools"]
    assert all(each["description"] and each["inputSchema"]["additionalProperties"] is False for each in tools)
    called = run(installed, *inspector, "tools/call", "--tool-name", "list_facts")
    assert [each["value"] for each in called["structuredContent"]["items"]] == ["Bruno"]
    assert [each["uri"] for each in run(installed, *inspector, "resources/list")["resources"]] == [story]
    [content] = run(installed, *inspector, "resources/read", "--uri", story)["contents"]
    assert story.endswith(json.loads(content["text"])["id"])
