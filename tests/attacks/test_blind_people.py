"""Attack: comparing the blind values of a dump, between people and inside one."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.attacks.corpus import SENTENCES, WHAT, WHO, World
from vibe.core.crypto.vault import BlindIndex

NAMES = [f"{who} {what}" for who in WHO for what in WHAT] + [f"Name {number}" for number in range(900)]


def indexes(*, one_key: bool = False) -> list[BlindIndex]:
    return [vault.index for vault in World(rows=1, one_key=one_key).vaults.values()]


def shared(given: list[BlindIndex]) -> int:
    """How many blind values of 1,000 equal names, of several people, are equal."""
    tokens = [token for index in given for token in index.tokens("name", NAMES)]
    return len(tokens) - len(set(tokens))


def test_equal_names_of_two_people_do_not_match():
    assert shared(indexes()) == 0


def test_under_one_key_they_would():
    """The negative control."""
    assert shared(indexes(one_key=True)) == 5 * len(NAMES)


def test_a_word_a_place_and_a_name_do_not_match_inside_one_person():
    (index, *_) = indexes()
    tokens = [token for kind in ("word", "place", "name", "speaker") for token in index.tokens(kind, NAMES)]
    assert len(set(tokens)) == len(tokens)


def test_the_numbers_say_nothing_of_the_words():
    """Neither their order nor any bit of theirs goes with the order or length of the words."""
    (index, *_) = indexes()
    names = sorted(NAMES)
    tokens = np.array(index.tokens("name", names), dtype=np.int64)
    assert abs(np.corrcoef(tokens.argsort().argsort(), np.arange(len(names)))[0, 1]) < 0.15
    bits = np.unpackbits(tokens.view(np.uint8).reshape(-1, 8), axis=1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.1


def test_inside_one_person_equality_and_frequency_show():
    """The limit: the most frequent blind word of a person is their most frequent word, and who knows the texts'
    language guesses by it. Stop words are not indexed, which takes away the easiest guesses."""
    (index, *_) = indexes()
    words = Counter(word for sentence in SENTENCES for word in sentence.lower().rstrip(".").split())
    blind = Counter(index.token("word", word) for word in words.elements())
    assert sorted(blind.values()) == sorted(words.values())
    assert blind.most_common(1)[0] == (index.token("word", words.most_common(1)[0][0]), words.most_common(1)[0][1])
