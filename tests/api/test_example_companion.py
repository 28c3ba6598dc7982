"""docs/example_companion.py talks with a person, through a server of ours and a chat service that is played."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.authentication import local_tokens
from tests.api.test_guide import server
from tests.stories.openai.fake_service import FakeService, story_answer

__all__ = ["server"]
PATH = Path(__file__).resolve().parents[2] / "docs" / "example_companion.py"


@pytest.fixture
def chat() -> Iterator[FakeService]:
    """A chat service that says how many messages it was sent."""
    fake = FakeService()
    fake.right = lambda _, body: story_answer(f"That makes {len(body['messages'])}.")  # type: ignore[method-assign]
    yield fake
    fake.close()


@pytest.fixture
def example() -> Any:
    spec = importlib.util.spec_from_file_location("example_companion", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_asks_for_context_answers_and_remembers_both(
    server: str, chat: FakeService, example: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name, value in {
        "VIBE_URL": server,
        "VIBE_TOKEN": local_tokens.issue(uid="sample-ada"),
        "OPENAI_BASE_URL": chat.url,
        "OPENAI_API_KEY": "sk-example",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", ["My cat is called Miso.\n", "\n", "What is my cat called?\n"])
    example.main()
    assert capsys.readouterr().out == "Nova: That makes 2.\nNova: That makes 5.\n"
    first, second = (each["messages"] for each in chat.requests)
    assert [each["role"] for each in first] == ["system", "user"]
    assert "pet: Miso" in second[1]["content"]
    assert second[2:] == [
        {"role": "user", "content": "My cat is called Miso."},
        {"role": "assistant", "content": "That makes 2."},
        {"role": "user", "content": "What is my cat called?"},
    ]
    assert chat.headers[0]["authorization"] == "Bearer sk-example"
    monkeypatch.setenv("CONVERSATION", "another")
    monkeypatch.setattr("sys.stdin", ["How is Miso?"])
    example.main()
    assert "My cat is called Miso." in chat.requests[2]["messages"][1]["content"], "another conversation knows of it"


def test_it_is_about_sixty_lines() -> None:
    assert len([line for line in PATH.read_text().splitlines() if line.strip()]) <= 65
