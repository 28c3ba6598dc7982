"""Attack: a message that a regular expression, or the reader around it, takes more than linear time for.

"I really really ... really miss her" doubled the work with each word and held a worker for good. Here every pattern of
the product, found by itself, and every reader of people's words are given repeated words, marks and scripts.
"""

from __future__ import annotations

import ast
import importlib
import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import signal
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from accounts.staff.axes_hooks import counted_name
from stories.facts.rules.reading import read_statements
from stories.processors.base import Message, Transcript
from stories.processors.offline.dates.resolving import find_dates
from stories.processors.offline.processor import OfflineProcessor
from stories.processors.offline.sentences import pieces, speech
from stories.processors.openai_compatible.content import objects_in
from stories.search.question import is_first_person, understand
from stories.text.passages import asks, passages
from stories.text.words import words
from tests.attacks.corpus import FULL, tries
from vibe.core.db.health.statements import masked
from vibe.core.folding import fold

ROOT = Path(__file__).parents[2]
PACKAGES = ("stories", "memories", "accounts", "audit", "vibe")
OF_OUR_OWN = {
    "vibe.core.db.backend.schema": "reads the SQL of migrations",
    "vibe.core.db.embedded.files": "reads a path of this machine",
}
BUILT_WHEN_RUN = {"stories/search/question.py"}  # of names, escaped; see the readers below
SEARCHING = {"search", "finditer", "findall", "sub", "subn", "split"}
METHODS = SEARCHING | {"match", "fullmatch"}

SIZE = tries(2_000, 4_000)  # characters, and four times as many
TOO_SHORT = 0.008  # seconds: not worth measuring twice
MOST = 8.0  # linear is 4, quadratic 16
GIVEN_UP = 4.0  # seconds of CPU

SEPARATORS = (" ", "") if not FULL else (" ", ", ", "", ". ", "-", "'", "\n", "  ", " a ", " A ", "\u0301")
ENDS = ("\x00!z",) if not FULL else ("", "\x00!", "\x00!z")  # signs and letters, so that what wants the end fails
SIGNS = (
    " ", "  ", "\n", "\t", ".", ". ", "!", "?", "? ", ",", ", ", "-", "- ", "'", '"', "(", "[", "]", "[]", "[image ",
    "0", "19 ", "2019 ", "1.", "A", "A ", "A. ", "Aa ", "a", "a ", "a-", "A-", "a'", "I ", "I'm ", "x's ", "really ",
    "lyly", "_", "\\", "$", "$a", "=", "a=b;", "/", "@", "%", "https://", "www.", "Mr. ", "é", "e\u0301", "\u0301",
    "\u0301\u0323", "\u0345\u0301", "\u0f73\u0f71", "\u017f", "\u212a", "\u0130", "я ", "你", "你。", "ก", "ا ", "ع",
    "가", "नि", "\U0001f600", "☀", "☀ A", "\u200d", "\u00a0", "\u2028", "\u2019s ", "\u2019", "\ud800", "\x00",
)  # fmt: skip


class GaveUp(Exception):
    pass


def give_up(_number: int, _frame: FrameType | None) -> None:
    raise GaveUp


def seconds(run: Callable[[], object], at_least: float = 0.04) -> float:
    """CPU time of one run, repeated until the clock can tell it; infinite if it has to be stopped."""
    former = signal.signal(signal.SIGVTALRM, give_up)  # a match looks for signals as it goes
    signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP)
    began, runs, spent = time.process_time(), 0, 0.0
    try:
        while runs == 0 or spent < at_least:
            run()
            runs, spent = runs + 1, time.process_time() - began
    except GaveUp:
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)
    return spent / runs


def is_linear(read: Callable[[str], object], text: Callable[[int], str], size: int = SIZE) -> bool:
    """Whether four times the text takes about four times as long. Stops early, so that an exponential one ends."""
    short, long = text(size), text(4 * size)
    if seconds(lambda: read(text(200)), 0) > GIVEN_UP / 2:
        return False
    began = time.perf_counter()
    spent = seconds(lambda: read(long), 0)
    if min(spent, time.perf_counter() - began) < TOO_SHORT:
        return True
    return any(seconds(lambda: read(long)) < MOST * seconds(lambda: read(short)) for _ in range(2))


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def within(name: str, value: object) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        yield from (found for key, each in value.items() for found in within(f"{name}[{key}]", each))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (found for at, each in enumerate(value) for found in within(f"{name}[{at}]", each))


def calls(tree: ast.Module) -> Iterator[tuple[str, str, ast.Call]]:
    """Calls of methods that patterns have: the name called on, the method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            on = node.func.value
            name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else ""
            yield name, node.func.attr, node


@cache
def collected() -> dict[str, tuple[re.Pattern[str], frozenset[str]]]:
    """Every pattern of the product, with the methods that the product calls on it; all where that is unknown."""
    found: dict[str, tuple[re.Pattern[str], frozenset[str]]] = {}
    used: dict[str, set[str]] = defaultdict(set)
    trees = dict(modules())
    for path, tree in trees.items():
        for at, (name, method, call) in enumerate(calls(tree)):
            used[name].add(method)
            if name == "re" and call.args and isinstance(call.args[0], ast.Constant) and dotted(path) not in OF_OUR_OWN:
                found[f"{dotted(path)}:{at}"] = (re.compile(call.args[0].value), frozenset({method}))
    known: set[re.Pattern[str]] = set()
    for path, tree in trees.items():
        uses_re = any(isinstance(node, ast.Import) and "re" in {each.name for each in node.names} for node in tree.body)
        if (uses_re or "rules" in path) and dotted(path) not in OF_OUR_OWN:
            for name, value in vars(importlib.import_module(dotted(path))).items():
                for where, pattern in within(name, value):
                    if pattern not in known and isinstance(pattern.pattern, str):
                        known.add(pattern)
                        found[f"{dotted(path)}:{where}"] = (pattern, frozenset(used.get(name) or METHODS))
    return found


def literals(pattern: re.Pattern[str]) -> set[str]:
    """The words and single signs that a pattern names."""
    return set(_literals(parser.parse(pattern.pattern, pattern.flags)))


def _literals(items: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    word = ""
    for code, value in [*items, (None, None)]:
        if code is codes.LITERAL:
            word += chr(value)
            continue
        if word:
            yield word
        word = ""
        if code is codes.BRANCH:
            yield from (each for branch in value[1] for each in _literals(branch))
        elif code is codes.SUBPATTERN:
            yield from _literals(value[-1])
        elif code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            yield from _literals(value[2])
        elif code in {codes.ASSERT, codes.ASSERT_NOT}:
            yield from _literals(value[1])
        elif code is codes.ATOMIC_GROUP:
            yield from _literals(value)
        elif code is codes.IN:
            yield from (chr(each) for kind, each in value if kind is codes.LITERAL)


def texts(own: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """What a text begins with, what it repeats, and how it ends."""
    own = sorted(own)
    repeated = dict.fromkeys((*SIGNS, *(word + separator for word, separator in product(own, SEPARATORS))))
    yield from product(("",), repeated, ENDS)
    leading = [word + " " for word in own if len(word) > 1][: tries(4, 40)]
    yield from product(('"', "[", "(", "I ", *leading), (" ", "a ", "really "), ENDS)


def methods_of(pattern: re.Pattern[str], methods: frozenset[str]) -> Iterator[Callable[[str], object]]:
    if methods & SEARCHING:
        yield lambda text: sum(1 for _ in pattern.finditer(text))
    if "match" in methods:
        yield pattern.match
    if "fullmatch" in methods:
        yield pattern.fullmatch


def slow_texts(pattern: re.Pattern[str], methods: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    for (start, again, end), read in product(texts(literals(pattern)), list(methods_of(pattern, methods))):
        if not is_linear(read, lambda size: start + again * (size // len(again)) + end):  # noqa: B023
            yield start, again, end


@pytest.mark.parametrize("name", sorted(collected()))
def test_every_pattern_is_linear(name: str) -> None:
    assert next(slow_texts(*collected()[name]), None) is None


def test_no_pattern_is_built_where_it_is_not_found() -> None:
    """Of a text that the call does not spell out; a pattern of a module or of a literal is found by itself."""
    built = {
        path
        for path, tree in modules()
        for name, _, call in calls(tree)
        if name == "re" and not isinstance(call.args[0], ast.Constant)
    }
    assert built == BUILT_WHEN_RUN


BEGAN = datetime(2024, 5, 15, 12, tzinfo=UTC)


def one_message(text: str) -> Transcript:
    return Transcript(text[:1_000], (Message("1", "Ada", text, BEGAN),))


READERS: dict[str, Callable[[str], object]] = {
    "story": lambda text: OfflineProcessor().compose(one_message(text)),
    "sentences": lambda text: list(pieces(speech(text))),
    "times": lambda text: find_dates(text, BEGAN),
    "facts": lambda text: read_statements(text, BEGAN),
    "passages": lambda text: passages(one_message(text).messages[0]),
    "words": words,
    "question": lambda text: understand(text, ("Ada Lovelace", "Ada Byron", "Grace", "a a a"), "Grace"),
    "first person": is_first_person,
    "ends in a question": asks,
    "blind index": fold,
    "name at sign-in": lambda text: counted_name(None, {"username": text}),
    "statement in a log": masked,
    "model's answer": lambda text: list(objects_in(text)),
}


@cache
def spoken_words() -> tuple[str, ...]:
    """One in so many of the words that patterns of the stories name."""
    every = {word for name, (pattern, _) in collected().items() if "stories" in name for word in literals(pattern)}
    return tuple(word + " " for word in sorted(every, key=lambda word: word[::-1])[:: tries(60, 4)])


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_is_linear_over_whatever_is_repeated(reader: str) -> None:
    for again in (*SIGNS, *spoken_words()):
        assert is_linear(READERS[reader], lambda size: again * (size // len(again)) + "!", 1_000), again  # noqa: B023


def test_sentences_that_do_not_end_are_read_in_linear_time() -> None:
    for again in ("Mr. ", "A. ", "a.m. ", "Dr. Ada "):
        assert is_linear(READERS["sentences"], lambda size: again * (size // len(again)), 100_000)  # noqa: B023


def test_an_answer_of_braces_quotes_and_tags_is_read_in_linear_time() -> None:
    for again in ('{"a":', '{"', "{", '"\\"', "[{", "</think>{", "<think>", "{//", '{"text":"a"}', '{"a":[1,'):
        assert is_linear(READERS["model's answer"], lambda size: again * (size // len(again)), 40_000), again  # noqa: B023


def spelled(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in f"{number:05}")


@pytest.mark.parametrize(
    "said",
    ["We walked to Z{} Park today.", "I met my friend B{} and hugged Z{}.", "My sister Z{} came.", "My Z{} was new."],
)
def test_a_story_of_ever_new_names_is_linear(said: str) -> None:
    def transcript(size: int) -> Transcript:
        lines = (said.replace("{}", spelled(number)) for number in range(size // len(said)))
        return Transcript(
            "", tuple(Message(str(at), f"Ada {spelled(at)}", line, BEGAN) for at, line in enumerate(lines))
        )

    made = {size: transcript(size) for size in (200, 20_000, 80_000)}
    sizes = {size: "." * size for size in made}
    assert is_linear(lambda text: OfflineProcessor().compose(made[len(text)]), sizes.__getitem__, 20_000)


def test_a_word_that_two_alternatives_take_would_double_the_work() -> None:
    """The negative control: the pattern as it was."""
    adverbs = r"(?:(?:just|recently|finally|also|really|[a-z]+ly)\s+)*"
    before = re.compile(rf"\s*{adverbs}(?P<verb>[a-z]+)", re.IGNORECASE)
    assert next(slow_texts(re.compile(before.pattern + "$", re.IGNORECASE), frozenset({"match"})), None)


def test_what_is_tried_from_each_sign_anew_would_be_quadratic() -> None:
    """The negative controls of less than exponential work."""
    assert next(slow_texts(re.compile(r"[?]\W*$"), frozenset({"search"})), None)
    marks = "\u0301\u0323"
    assert not is_linear(lambda text: unicodedata.normalize("NFKC", text), lambda size: marks * size)
