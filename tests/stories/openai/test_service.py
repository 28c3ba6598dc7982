"""The settings: what is refused at the start, by name, and what is let be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stories.processors.named import CLASSES, class_path
from stories.processors.openai_compatible.service import Service, configured_service
from vibe.core.errors import ConfigurationError

GOOD: Service = replace(
    configured_service(), base_url="https://api.example.com/v1", text_model="teller", embedding_model="vectors"
)


@pytest.mark.parametrize(
    "values",
    [
        {"text_model": ""},
        {"embedding_model": ""},
        {"text_model": "x" * 81},
        {"embedding_dimensions": 4_097},
        {"embedding_dimensions": 0},
        {"stored_dimensions": 63},
        {"stored_dimensions": 1_025},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"deadline": float("inf")},
        {"question_timeout": -1.0},
        {"batch": 0},
        {"concurrency": 0},
        {"daily_tokens": -1},
        {"context_characters": 10},
        {"answer_format": "poem"},
        {"base_url": ""},
        {"base_url": "api.example.com"},
        {"base_url": "ftp://api.example.com"},
        {"base_url": "http://"},
        {"base_url": "http://[::1"},
        {"base_url": "https://host:port/v1"},
        {"base_url": "https://user:secret@api.example.com/v1"},
        {"base_url": "http://api.example.com/v1"},
        {"base_url": "http://8.8.8.8/v1"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_by_name(values):
    [name] = values
    with pytest.raises(ConfigurationError, match=f"OPENAI_{name.upper()}") as refused:
        replace(GOOD, **values).check(text=True, vectors=True)
    assert "secret" not in str(refused.value)
    replace(GOOD, **values).check(text=False, vectors=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://localhost:11434/v1",
        "http://127.0.0.1/v1",
        "http://[::1]:8000/v1",
        "http://10.0.0.7:8000/v1",
        "http://ollama:11434/v1",
        "http://models.internal/v1",
    ],
)
def test_addresses_of_ones_own_may_be_in_the_clear(url):
    replace(GOOD, base_url=url).check(text=True, vectors=True)


def test_only_what_is_in_use_must_be_set():
    replace(GOOD, embedding_model="").check(text=True, vectors=False)
    replace(GOOD, text_model="").check(text=False, vectors=True)


@pytest.mark.parametrize("setting", CLASSES)
def test_short_names_and_paths(setting):
    assert class_path(setting, "openai").startswith("stories.processors.openai_compatible.")
    assert class_path(setting, "my.own.Class") == "my.own.Class"
    with pytest.raises(ConfigurationError, match=setting):
        class_path(setting, "opnai")
