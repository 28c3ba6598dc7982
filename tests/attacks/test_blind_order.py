"""Attack: reading an order out of a dump. Blind words stored in the order of the clear ones would give away, over many
rows, the place of each in the dictionary; stored behind each other, which words make up which name."""

from __future__ import annotations

import random

from stories.text.passages import PassageText, blind_phrases, blind_words
from tests.attacks.corpus import SENTENCES, WHAT, WHO, World

(VAULT,) = World(people=1, rows=1).vaults.values()


def passages(count: int) -> list[PassageText]:
    chance = random.Random(3)
    said = [" ".join(chance.sample(SENTENCES, 6)) for _ in range(count)]
    return [PassageText(at, text, tuple(text.lower().split()), len(text.split())) for at, text in enumerate(said)]


def told_by_order(rows: list[list[int]], words: list[str]) -> float:
    """The share of pairs of words that stand in rows in alphabetical order. By chance a half."""
    before = {(one, other) for row in rows for at, one in enumerate(row) for other in row[at + 1 :]}
    token = {word: VAULT.index.token("word", word) for word in words}
    pairs = [(token[one], token[other]) for one in words for other in words if one < other]
    seen = [(one, other) for one, other in pairs if ((one, other) in before) != ((other, one) in before)]
    return sum(pair in before for pair in seen) / max(len(seen), 1)


VOCABULARY = sorted({word for sentence in SENTENCES for word in sentence.lower().split()})


def test_the_order_of_blind_words_tells_nothing_of_the_words():
    assert told_by_order([list(each) for each in blind_words(VAULT, passages(60))], VOCABULARY) < 0.65


def test_in_the_order_of_the_words_it_would_tell_all():
    """The negative control."""
    rows = [[VAULT.index.token("word", word) for word in sorted(set(each.words))] for each in passages(60)]
    assert told_by_order(rows, VOCABULARY) == 1.0


def test_the_order_of_blind_names_tells_nothing_of_the_names():
    tokens = blind_phrases(VAULT, "place", [f"{who} and {what}" for who in WHO for what in WHAT])
    assert tokens == sorted(tokens)
