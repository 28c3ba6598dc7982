"""The role of an author whose role is not given: the rule of docs/api.md, in any spelling."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memories.models import Memory
from memories.roles import NAMED, Role, role_of

AUTHORS = {
    Role.USER: "user User USER human Human: me [user] user_1 User-2 *me* You I <|user|> the-user ｕｓｅｒ",
    Role.ASSISTANT: (
        "assistant ASSISTANT ai A.I. ＡＩ bot Bot: model companion AI-companion ai_assistant <|assistant|> chatbot "
        "Chat-Bot gpt GPT-4o gpt4 gpt-4.1-mini ChatGPT chatgpt-5 language_model my-companion"
    ),
    Role.SYSTEM: "system System: SYSTEM developer system_prompt system-message",
    Role.TOOL: "tool Tool function function_call tool-result tool_response Function-Call-Output",
    Role.OTHER: "Bob Maria Usher userland Aidan Abbot Talbot Botticelli Modella Mei toolmaker ??? 42 李 call the",
}
TOLD = [(author, role) for role, authors in AUTHORS.items() for author in authors.split()]


@pytest.mark.parametrize(("author", "role"), TOLD)
def test_an_author_of_a_known_name_has_its_role(author, role):
    assert role_of(author, "Ada Tavares") == role
    assert role_of(author) == role


@pytest.mark.parametrize("author", ["Ada", "ada", "ADA", "Tavares", "Ada Tavares", "tavares, ada", " Ada:", "ＡＤＡ"])
def test_the_persons_own_name_or_part_of_it_is_the_user(author):
    assert role_of(author, "Ada Tavares") == Role.USER
    assert role_of(author, "Jonas Solheim") == Role.OTHER


def test_a_name_that_holds_more_than_the_persons_is_somebody_else():
    assert role_of("Ada Byron", "Ada Tavares") == Role.OTHER
    assert role_of("Ada's bot", "Ada Tavares") == Role.OTHER


@pytest.mark.parametrize("author", ["Ai", "AI", "ai"])
def test_a_person_who_is_called_like_a_role_is_the_user(author):
    assert role_of(author, "Ai Tanaka") == Role.USER
    assert role_of(author, "Ada Tavares") == Role.ASSISTANT


@given(
    st.sampled_from([(name, role) for role, names in NAMED.items() for name in names]),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["{}", "{}:", "[{}]", " {} ", "**{}**", "{} 1", "{}_2", "«{}»"]),
)
def test_case_form_marks_and_numbers_do_not_count(named, form, case, written):
    name, role = named
    assert role_of(written.format(case(unicodedata.normalize(form, name)))) == role


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_name_has_a_role(author, own_name):
    assert role_of(author, own_name) in Role


def test_the_column_holds_every_role():
    assert max(map(len, Role.values)) <= Memory._meta.get_field("role").max_length
