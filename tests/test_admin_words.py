"""The words of the admin: buttons say what they do and to what, their pages what happens then, nothing is a riddle."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.contrib import admin

from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.confirmed_actions import ConfirmedAction

ROOT = Path(__file__).resolve().parent.parent
DEEDS = [
    (type(its).__name__, deed)
    for its in admin.site._registry.values()
    if isinstance(its, MetadataAdmin)
    for deed in its.deeds
]
# Words that readers of the admin did not understand: plain English or a word of the glossary is in their place.
RIDDLES = re.compile(
    r"\b(?:trail|anew|heed|takeout|deeds?|told|tells?|call(?:ed)? off|shut out|belongs to it|further down|not done|"
    r"asked for\.|brings it back)\b",
    re.IGNORECASE,
)


def strings_of(source: str) -> list[str]:
    """The texts of a module that a reader may see: no docstrings, no names."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    docs = {id(body.value) for body in bodies if isinstance(body, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs and " " in node.value
    ]


def shown() -> dict[str, list[str]]:
    files = [*ROOT.glob("*/admin.py"), *(ROOT / "accounts/admin").glob("*.py"), *(ROOT / "vibe/staff").glob("*.py")]
    texts = {str(path.relative_to(ROOT)): strings_of(path.read_text()) for path in files}
    for path in (ROOT / "vibe/templates/vibe").rglob("*.html"):
        bare = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|<[^>]+>", " ", path.read_text(), flags=re.DOTALL)
        texts[str(path.relative_to(ROOT))] = [bare]
    return texts


@pytest.mark.parametrize(("where", "deed"), DEEDS, ids=[f"{where}-{deed.name}" for where, deed in DEEDS])
def test_a_button_says_what_it_does_and_to_what(where: str, deed: ConfirmedAction):
    assert len(deed.title.split()) >= 2, "a verb and what it is done to"
    assert deed.question.endswith(".")
    assert len(deed.question.split()) >= 5, "what happens then, and to whom"


def test_there_is_no_riddle_in_what_readers_see():
    texts = shown()
    assert len(texts) > 25
    found = {name: RIDDLES.findall(text) for name, each in texts.items() for text in each if RIDDLES.search(text)}
    assert found == {}


def test_control_a_riddle_would_be_found():
    source = '"""It is told."""\nHINT = "Nothing was taken: stories are told offline."\nname = "told"\n'
    assert strings_of(source) == ["Nothing was taken: stories are told offline."]
    assert RIDDLES.search(strings_of(source)[0])
    assert not RIDDLES.search("Untold stories: a trailer")
