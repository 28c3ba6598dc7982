"""The language of a message brings its own stems and stop words; a wrong guess hides nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import languages
from scripts.make_stop_words import main as make_stop_words
from stories.processors.embedding import OfflineEmbedder
from stories.search import question as question_module
from stories.search.services import search_stories
from stories.text import passages
from stories.text import words as words_module
from stories.text.languages import ENGLISH, STEMMERS, language_of, tongue_of
from stories.text.words import asked_words, forms, stop_words, words
from tests.cast import TESTER
from tests.stories.conftest import HashedEmbedder, build_all, external_ids

SAID = {
    "I left my keys at the office": ENGLISH,
    "Ich habe meinen Schirm im Zug vergessen": "german",
    "Mi prima trabaja en una panadería": "spanish",
    "Mon oncle répare des vélos anciens": "french",
    "Ho comprato due biglietti per il concerto": "italian",
    "Ontem comprei uma bicicleta nova": "portuguese",
    "Mijn broer werkt in een ziekenhuis": "dutch",
    "Jag köpte en ny cykel igår": "swedish",
    "Ostin eilen uuden polkupyörän": "finnish",
    "Kupiłem wczoraj nowy rower": "polish",
    "Tegnap vettem egy új biciklit": "hungarian",
    "Dün yeni bir bisiklet aldım": "turkish",
    "Вчера я купил новый велосипед": "russian",
    "Αγόρασα ένα καινούργιο ποδήλατο χθες": "greek",
    "اشتريت دراجة جديدة أمس": "arabic",
    "मैंने कल नई साइकिल खरीदी": "hindi",
}


@pytest.mark.parametrize("text", SAID)
def test_the_language_of_a_message_of_five_words(text: str) -> None:
    assert language_of(text) == SAID[text]


@pytest.mark.parametrize(
    ("text", "tongue"),
    [
        ("Ich habe meinen Schirm im Zug vergessen", "german"),
        ("我把雨伞忘在火车上了", "chinese"),
        ("電車に傘を忘れました", "japanese"),
        ("サーバー", "japanese"),
        ("기차에 우산을 두고 왔어요", "hangul"),
        ("שכחתי את המטריה ברכבת", "hebrew"),
        ("ฉันลืมร่มไว้บนรถไฟ", "thai"),
        ("Я забув парасольку в поїзді", "uk"),
        ("Tôi để quên cái ô trên tàu hỏa", "vi"),
        ("I met 小林 at the station on Monday", ENGLISH),
        ("昨日 Anna と会った", "japanese"),
        ("I left my umbrella on the train 🙂", ENGLISH),
    ],
)
def test_the_tongue_of_a_text_is_that_of_most_of_its_letters(text: str, tongue: str) -> None:
    assert tongue_of(text) == tongue


@given(st.text(max_size=50))
def test_any_text_has_a_tongue(text: str) -> None:
    assert tongue_of(text)


@pytest.mark.parametrize("text", ["", " ", "?", "🙂", "12", "昨日 Anna と会った", "איפה המפתח", "ok", "\x00", "xq zzv"])
def test_what_tells_no_language_counts_as_english(text: str) -> None:
    assert language_of(text) == ENGLISH


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Wir haben drei neue Stühle gekauft", "Welchen Stuhl haben wir?"),
        ("Купили новые стулья вчера", "Какой стул мы купили?"),
        ("Compramos muchas flores para la boda", "¿Qué flor compramos?"),
        ("Los niños jugaban en el parque", "¿Dónde juegan los niños?"),
        ("تركت مفاتيح السيارة هنا", "أين المفاتيح؟"),
        ("نسيت حقيبتي في القطار", "أين الحقيبة؟"),
    ],
)
def test_forms_of_one_word_meet_in_their_language(said: str, asked: str) -> None:
    assert set(asked_words(asked)) & set(words(said))


def test_stems_of_the_language_bring_together_what_english_ones_do_not() -> None:
    assert not set(words("новые стулья", ENGLISH)) & set(words("новый", ENGLISH))
    assert set(words("новые стулья", "russian")) & set(words("новый", "russian"))


@given(st.text(max_size=200), st.sampled_from(sorted(set(STEMMERS.values()))), st.sampled_from(["english", "german"]))
def test_a_language_guessed_wrong_hides_no_word(text: str, guessed: str, right: str) -> None:
    """Both give a word its English form, whatever else they give it."""
    assert [word[0] for word in forms(text, guessed)] == [word[0] for word in forms(text, right)]


def test_stop_words_of_the_question_s_language_are_not_asked_for() -> None:
    assert asked_words("Wo ist denn mein Regenschirm?") == ["regenschirm"]
    assert set(words("Wo ist denn mein Regenschirm?")) > {"ist", "mein", "regenschirm"}


def test_one_stop_word_alone_may_be_a_word_of_another_language() -> None:
    assert "die" in asked_words("Did grandpa die?", "german")


@pytest.mark.parametrize("language", sorted(stop_words()))
def test_a_question_of_stop_words_alone_keeps_them(language: str) -> None:
    listed = stop_words()[language]
    assert language in STEMMERS.values()
    assert asked_words(" ".join(listed[:4]), language) != []


@pytest.mark.parametrize(
    "question",
    ["wo ist das denn nun", "où est-ce que c'est", "de la que el en y", "to be or not to be", "и в не на я",
     "Where is 猫 and Αθήνα?", "🏡", "的", "?!", "x" * 100_000, "猫" * 100_000, "é" * 100_000, "a-" * 50_000,
     "o'" * 50_000, "\u0301" * 100_000, "मेरी " * 20_000],
)  # fmt: skip
def test_any_question_finds_as_many_as_there_are(
    ada_told: UUID, question: str, use_embedder: Callable[[object], None]
) -> None:
    use_embedder(HashedEmbedder())
    assert len(search_stories(user_id=ada_told, question=question, actor=TESTER, limit=5).stories) == 2


def test_names_and_numbers_are_found_across_languages(
    ada: UUID, tell: Callable[..., None], use_embedder: Callable[[object], None]
) -> None:
    use_embedder(HashedEmbedder())
    tell(ada, "arzt", [("Ada", "Doktor Wieczorek sagt, ich soll 47 Tabletten nehmen.")])
    tell(ada, "flat", [("Ada", "The flat has a blue door and a cold kitchen.")])
    build_all(ada)
    for question in ("What did doctor Wieczorek say?", "Who told me to take 47 pills?"):
        answer = search_stories(user_id=ada, question=question, actor=TESTER)
        assert external_ids(ada, answer)[0] == "arzt"


def found(language: str) -> dict[str, float]:
    """Recall at three of the notes in a language among messages in English, by the language asked in."""
    notes = [note for note in languages.notes() if note.language == language]
    measured = languages.asked(language, notes, languages.english_messages(120))
    return {asked: each["recall@3"] for asked, each in measured.items()}


@pytest.mark.parametrize("language", ["de", "ja"])
def test_notes_are_found_in_their_language_and_in_english(db: None, language: str) -> None:
    """All of `python -m benchmarks.languages` is in docs/search.md."""
    recall = found(language)
    assert recall["own language"] >= 0.9
    assert recall["English"] >= 0.7


def test_without_knowing_their_language_they_would_not_be(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: no mark tells the languages apart."""
    monkeypatch.setattr(passages, "tongue_marks", lambda _tongue: [])
    recall = found("ja")
    assert recall["own language"] >= 0.9
    assert recall["English"] < 0.5


def test_a_question_whose_language_is_guessed_wrong_finds_as_many_and_its_words(
    ada_told: UUID, use_embedder: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_module, "tongue_of", lambda _text: "finnish")
    answer = search_stories(user_id=ada_told, question="Who dropped the piano?", actor=TESTER, limit=5)
    assert external_ids(ada_told, answer) == ["lisbon", "marathon"]


def test_what_is_in_a_script_that_the_model_does_not_know_is_found_by_its_words_alone() -> None:
    known, unknown, mostly_known = OfflineEmbedder().embed(["the key", "चाबी गमले के नीचे है", "the key of चाबी is here"])
    assert known.any() and mostly_known.any()
    assert not unknown.any()


def test_the_two_stop_word_rule_is_what_keeps_the_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: were any listed word dropped, it would be hidden."""
    monkeypatch.setattr(words_module, "INTERJECTIONS", frozenset({"die"}))
    assert "die" not in asked_words("Did grandpa die?", "german")


def test_the_list_is_made_of_snowball_s_files(tmp_path: Path) -> None:
    for language, listed in {
        "german": " | a comment\nund  | and\naber\n",
        "english": "the\n",
        "klingon": "je\n",
    }.items():
        (tmp_path / "algorithms" / language).mkdir(parents=True)
        (tmp_path / "algorithms" / language / "stop.txt").write_text(listed, encoding="utf-8")
    make_stop_words(tmp_path, tmp_path / "made.txt")
    lines = (tmp_path / "made.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["german\taber und"]
