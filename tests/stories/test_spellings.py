"""However a word is spelled when it is written and when it is asked for, the two meet."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.search.filters import Filters
from stories.search.question import understand
from stories.search.services import search_stories
from stories.text import words as words_module
from stories.text.languages import ENGLISH
from stories.text.passages import blind_phrases, speaker_token
from stories.text.words import asked_words, forms, own_words, words
from tests.attacks.corpus import World
from tests.cast import TESTER
from tests.stories.conftest import HashedEmbedder, build_all, external_ids
from vibe.core.folding import fold, spelled_out

(VAULT,) = World(people=1, rows=1).vaults.values()

PAIRS = {
    "Arabic vowel marks": ("كِتَابُهُ", "كتابه"),
    "Arabic hamza": ("أحمد", "احمد"),
    "Arabic hamza on a carrier": ("مؤمن", "مومن"),
    "Arabic madda": ("آمال", "امال"),
    "Arabic alef maksura": ("ليلى", "ليلي"),
    "Arabic tatweel": ("ســـلام", "سلام"),
    "Arabic ta marbuta": ("مدرسة", "مدرسه"),
    "Persian half space": ("نمی\u200cدانم", "نمیدانم"),
    "Persian kaf and yeh": ("کیمیا", "كيميا"),
    "Urdu heh": ("ہندی", "هندي"),
    "Hebrew points": ("יְרוּשָׁלַיִם", "ירושלים"),
    "Hebrew acronym": ("צה״ל", "צהל"),
    "Hebrew acronym, typed": ('צה"ל', "צהל"),
    "Yiddish letters in one": ("װארשע", "ווארשע"),
    "nukta": ("ज़मीन", "जमीन"),
    "nukta in one character": ("\u095bमीन", "जमीन"),
    "Hindi nasal vowel": ("हूँ", "हूं"),
    "Greek tonos": ("Σωκράτης", "ΣΩΚΡΑΤΗΣ"),
    "Greek dialytika": ("προϋπολογισμός", "προυπολογισμος"),
    "Russian yo": ("Алёна", "Алена"),
    "Russian stress": ("за\u0301мок", "замок"),
    "Turkish dotted capital": ("İZMİR", "izmir"),
    "Turkish dotless": ("Işık", "isik"),
    "Polish l": ("Wisła", "WISLA"),
    "Danish o": ("Søren", "Soren"),
    "Danish o in two": ("Søren", "Soeren"),
    "Danish ae": ("Ærø", "aeroe"),
    "Danish a in two": ("Århus", "Aarhus"),
    "German umlaut in two": ("Jörg", "Joerg"),
    "German umlaut in two, asked": ("Joerg", "Jörg"),
    "Croatian dj": ("Đorđe", "Djordje"),
    "Croatian d": ("Đorđe", "Dorde"),
    "Vietnamese": ("Đà Lạt", "da lat"),
    "oe": ("Œuvre", "oeuvre"),
    "sharp s": ("Weiß", "WEISS"),
    "Icelandic": ("Þórður", "Thordur"),
    "soft hyphen": ("Donau\u00adschiff", "Donauschiff"),
    "zero-width space": ("Donau\u200bschiff", "Donauschiff"),
    "word joiner": ("Donau\u2060schiff", "Donauschiff"),
    "typographic apostrophe": ("D\u2019Amico", "D'Amico"),
    "an accent for an apostrophe": ("D´Amico", "D'Amico"),
    "no apostrophe": ("O\u2019Hara", "OHara"),
    "no apostrophe, written": ("OHara", "O'Hara"),
    "part behind an apostrophe": ("O'Hara", "Hara"),
    "no apostrophe of an elided one": ("D'Amico", "DAmico"),
    "French elision": ("l\u2019horloge", "horloge"),
    "Turkish suffix": ("Bursa'da", "Bursa"),
    "Arabic digits": ("شقة ٤٧", "47"),
    "Persian digits": ("۱۹", "19"),
    "Devanagari digits": ("कमरा ३०२", "302"),
    "katakana and hiragana": ("ラーメン", "らーめん"),
    "half-width katakana": ("ｶﾞﾗｽ", "ガラス"),
    "full-width Latin": ("Ｔｏｋｙｏ", "tokyo"),
    "composed and not": ("Zürich", "Zu\u0308rich"),
    "one Chinese character": ("我家有一只狗。", "狗"),
    "one Japanese character": ("新しい靴を買った", "靴"),
    "one Korean syllable": ("우리집이 넓다", "집"),
    "an emoji": ("Finally home 🏡!", "🏡"),
    "an emoji in another colour": ("👋🏿", "👋🏻"),
    "an emoji's form": ("\u2708\ufe0f", "\u2708"),
    "no hyphen": ("a pick-up", "pickup"),
    "no hyphen, written": ("a pickup", "pick-up"),
    "another hyphen": ("pick\u2010up", "pick\u2011up"),
    "an address": ("Write to lee@example.org.", "lee@example.org"),
    "part of an address": ("Write to lee@example.org.", "lee"),
    "between underscores": ("open tax_return_draft", "return"),
}


def meet(written: str, asked: str) -> bool:
    """Whether all words that are asked for stand in what was written."""
    wanted = [set(word) for word in forms(asked)]
    return bool(wanted) and all(word & {fold(form) for form in words(written)} for word in wanted)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_spellings_of_one_word_meet(pair: tuple[str, str]) -> None:
    written, asked = pair
    assert meet(written, asked)
    assert set(asked_words(asked)) & set(words(written))


def test_without_folding_most_would_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    for name in ("fold", "spelled_out"):
        monkeypatch.setattr(words_module, name, lambda value: unicodedata.normalize("NFKC", value).casefold())
    words_module._read.cache_clear()
    words_module._word.cache_clear()
    missed = [name for name, (written, asked) in PAIRS.items() if not set(asked_words(asked)) & set(words(written))]
    words_module._read.cache_clear()
    words_module._word.cache_clear()
    assert len(missed) > len(PAIRS) / 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("мир", "мир\u0438\u0306"), ("краи", "край"), ("Київ", "Киів"), ("ばす", "はす"), ("नदी", "नद"), ("狗", "猫")],
)
def test_what_is_another_word_stays_one(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_unicode_form_makes_no_difference_to_either_spelling(text: str, form: str) -> None:
    assert fold(unicodedata.normalize(form, text)) == fold(text)  # type: ignore[arg-type]
    assert fold(spelled_out(text)) == spelled_out(text)


@pytest.mark.parametrize(
    ("written", "asked"),
    [("Đorđe", "djordje"), ("Şükrü O’Hara", "Sukru OHara"), ("Wisła", "wisla"), ("مدرسة", "مدرسه"), ("ラン", "らん")],
)
def test_names_are_spelled_as_freely(written: str, asked: str) -> None:
    stored = set(blind_phrases(VAULT, "person", [written]))
    assert stored & set(VAULT.index.tokens("person", (asked, spelled_out(asked))))
    assert speaker_token(VAULT, written) == speaker_token(VAULT, fold(written))


@pytest.mark.parametrize(
    ("asked", "name", "spoken"),
    [
        ("Where does Sukru live?", "Şükrü", "Where does I live?"),
        ("Where is Şükrü\u2019s dog?", "Sukru", "Where is my dog?"),
        ("Did OHara call?", "O\u2019Hara", "Did I call?"),
        ("Did o\u2019hara call?", "OHara", "Did I call?"),
        ("Mag Z\u00f6e\u0301 Tee?", "Zoe", "Mag I Tee?"),
    ],
)
def test_a_speaker_is_named_in_any_spelling(asked: str, name: str, spoken: str) -> None:
    question = understand(asked, (name, "Mia"))
    assert (question.speaker, question.spoken) == (name, spoken)


def test_two_spellings_of_one_name_are_one_speaker() -> None:
    assert understand("Where does Şükrü live?", ("Sukru", "Şükrü")).speaker is not None


def test_a_filter_finds_a_name_in_another_spelling(
    ada: UUID, tell: Callable[..., None], use_embedder: Callable[[object], None]
) -> None:
    use_embedder(HashedEmbedder())
    tell(ada, "wisla", [("Ada", "I met my friend Şükrü in Łódź.")])
    tell(ada, "cork", [("Ada", "My brother Seán O’Hara lives in Cork.")])
    build_all(ada)

    def found(**filters: list[str]) -> list[str]:
        given = Filters(**filters)  # type: ignore[arg-type]
        return external_ids(ada, search_stories(user_id=ada, question="?", actor=TESTER, filters=given))

    assert found(places=["lodz"]) == found(people=["sukru"]) == found(people=["SUEKRUE"]) == ["wisla"]
    assert found(people=["Sean OHara"]) == found(people=["ohara"]) == ["cork"]
    assert found(people=["Nobody"]) == []


def test_a_character_finds_the_sentence_that_holds_it(
    ada: UUID, tell: Callable[..., None], use_embedder: Callable[[object], None]
) -> None:
    use_embedder(HashedEmbedder())
    tell(ada, "many", [("Ada", f"我们昨天买了{thing}。") for thing in ("地图", "毛衣", "书桌", "机票", "电脑")])
    tell(ada, "dog", [("Ada", "邻居家的狗很乖。")])
    build_all(ada)
    answer = search_stories(user_id=ada, question="狗", actor=TESTER, limit=2)
    assert external_ids(ada, answer) == ["dog", "many"]
    assert answer.stories[0].why["passages"] > 0


def test_a_character_beside_pairs_is_not_asked_for_by_itself() -> None:
    assert asked_words("我家的狗") == ["我家", "家的", "的狗"]
    assert set(asked_words("我家的狗")) < set(words("我家的狗"))


def test_further_forms_do_not_make_a_text_longer() -> None:
    assert len(forms("Jörg's hand-made", ENGLISH)) == 3
    assert own_words("Jörg") == ["jorg"]
