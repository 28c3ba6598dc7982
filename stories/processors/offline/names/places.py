"""Places: names that the gazetteer knows, told from people and ordinary words by what stands around them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from stories.processors.offline.names.candidates import TOKEN, Mention, is_capitalised, is_caseless, is_common
from stories.processors.offline.names.gazetteer import (
    GREAT_CITY,
    LARGE_CITY,
    LONGEST_PLACE,
    Place,
    find,
    folded,
    is_ambiguous,
    state_codes,
)
from stories.processors.offline.names.given_names import names_of_the_world
from stories.processors.offline.names.lexicon import NOT_PEOPLE, TITLES
from stories.processors.offline.names.people import LONGEST_NAME, People, either
from stories.processors.offline.names.place_words import (
    ENDINGS,
    INNER,
    KINDS,
    LEADING_KINDS,
    LOWER_CASE_TRAPS,
    ROMANCE_KINDS,
)
from stories.processors.offline.sentences import Sentence
from stories.processors.offline.words import listed

MOST_PLACES = 64
NOT_PLACE_ENDS = listed(
    """inc ltd llc corp company club team university's marathon festival awards cup league band orchestra day week book
    school's mass eve night half show bank airlines"""
)

# Somebody is or goes there: nobody says this of a person.
SURELY = re.compile(
    r"\b(?:in|visit(?:ed|ing)?|explor(?:e|ed|ing)|(?:move[ds]?|moving|trip|flight|fl(?:y|ying|ew)|back|travel(?:s|"
    r"ed|led|"
    r"ing|ling)?|went|go|going|gone|been|drove|drive|driving|relocat(?:e|ed|ing)|heading|head|tour) (?:back |over |up |"
    r"down )?(?:to|from|across|around|through)|based in|near|outside|across|throughout|downtown|leaving|"
    r"left|since) (?:the )?$|\bfrom [^\W\d_]{2,20}(?: [^\W\d_]{2,20})? to $",
    re.IGNORECASE,
)
NOT_IN = re.compile(
    r"\b(?:in (?:the )?(?:love|touch|class|contact|person) with|(?:believed?|interest(?:ed)?|fluent|degree|"
    r"majored|written|wrote|sings?|sang|speaks?|dressed|engineer|works?|saw|watched|role|star(?:s|red)?) in) $",
    re.IGNORECASE,
)
TOWN = re.compile(
    r"\b(?:in|(?:move[ds]?|moving|fl(?:y|ew|ying)|trip|dr(?:ove|ive|iving)|travel\w*|back) (?:to|from)) $",
    re.IGNORECASE,
)
"""Before a name that is a person's in the same transcript, too."""
# Somebody stays or goes there: of names that the gazetteer does not know one mention is enough.
STAY = listed(
    """live lives lived living born raised based stay stays stayed staying slept settled arrive arrives arrived landed
    quay harbor harbour house home flat apartment bakery shop church chapel convent factory hospital school station
    hotel hut cabin village town roof kitchen beach bench camped camping lunch dinner wedding winter summer weekend
    night nights day days week weeks out up back over down"""
)
GO = listed(
    """move moves moved moving drive drove driven fly flies flew flown flying sailed traveled travelled walk walked
    hike ride rode went ran cycled hiked trip train bus ferry boat flight way road back returned bridge steps laps came
    go going gone home"""
)
STAYING = re.compile(
    rf"\b(?:{either(STAY)}|grew up) (?:in|at|near|on|outside|by) $"
    rf"|\b(?:{either(GO)})(?: [a-z]{{2,6}})? (?:(?:to|from|towards?|round|around) "
    r"|(?:over|through|across|along|up|down|past) (?:the )?)$"
    r"|\b(?:sw[aiu]m(?:ming)?|bathed|paddled|sailed|rowed) (?:in|on) (?:the )?$"
    r"|\b(?:near|outside|downtown|visit(?:ed|ing)?|leaving|(?:out|down|over|round) (?:to|by)) (?:the )?$"
    r"|\bfrom [^\W\d_]{2,20}(?: [^\W\d_]{2,20})? to $",
    re.IGNORECASE,
)
CALLED = re.compile(r"\b(?:village|town|city|place|island|hamlet|suburb|beach|valley|mountain) (?:called|named) $")
IN = re.compile(r"\b(?:in|through) $")
MENTIONED = re.compile(r"\b(?:from|round) $", re.IGNORECASE)
BETWEEN = re.compile(r"\b(?:between|along|into|past) (?:the )?$|\bbetween [^\W\d_]{2,20} and $", re.IGNORECASE)
ON = re.compile(r"\b(?:on|at|by|to) $", re.IGNORECASE)
TO_ANOTHER = re.compile(r"\b[A-Z][^\W\d_]{1,20} to $")
PLACED = ((CALLED, 3.0), (STAYING, 2.0), (IN, 2.0), (BETWEEN, 1.5), (MENTIONED, 1.0), (TO_ANOTHER, 1.0), (ON, 0.5))
AFTER_COMMA = re.compile(r",(?: in)? ([A-Z][^\W\d_]{2,20})")
ENOUGH = 2.0
GOING = re.compile(
    r"\b(?:live[ds]?|living|born|grew up|based|stay(?:ed|ing)?|holiday|vacation|move[ds]?|moving|trip|travel\w*|"
    r"went|go|"
    r"going|fl(?:y|ew|ying)|back|from|visit\w*) (?:in |to |from )?$"
)


class Places:
    """The places of one transcript, by name, in the order in which they came up."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        people: People,
        mentioned: Sequence[Mention],
        known: frozenset[str] = frozenset(),
    ) -> None:
        self._people, self._known = people, known
        found: dict[str, None] = {}
        unknown = self._unknown(mentioned)
        by_sentence: dict[int, list[str]] = defaultdict(list)
        for mention in mentioned:
            if mention.text in unknown:
                town = find(folded(mention.text))
                by_sentence[mention.sentence.position].append(town.name if town else mention.text)
        for sentence in sentences:
            for name in sorted((*self.within(sentence.text), *by_sentence[sentence.position]), key=sentence.text.find):
                found[name] = None
        self.all = tuple(without_parts(tuple(found)))[:MOST_PLACES]

    def _unknown(self, mentioned: Sequence[Mention]) -> frozenset[str]:
        """The names that the gazetteer lacks, or has only as a small town, of which the words around them make places.

        Evidence adds up over the transcript, as it does for people.
        """
        weights: dict[str, float] = defaultdict(float)
        for mention in mentioned:
            name = mention.text
            if len(name) <= LONGEST_NAME and not mention.quoted and may_be_place(name):
                weights[name] += place_evidence(mention)
        taken = self._people.words
        return frozenset(
            name
            for name, weight in weights.items()
            if (name in self._known or weight + prior(name) >= ENOUGH)
            and not any(word.lower() in taken for word in name.split())
        )

    def within(self, text: str) -> Iterator[str]:
        """The names of the places of one sentence. The longest name that begins at a word wins."""
        tokens = list(TOKEN.finditer(text))
        index = 0
        while index < len(tokens):
            name, used = self._at(text, tokens, index)
            if name:
                yield name
            index += used

    def _at(self, text: str, tokens: list[re.Match[str]], index: int) -> tuple[str | None, int]:
        first = tokens[index]
        if not is_capitalised(first[0]):
            return without_capital(text, first), 1
        if first[0] in ROMANCE_KINDS and (used := romance_site(text, tokens, index)):
            return text[first.start() : tokens[index + used - 1].end()], used
        run = capital_run(text, tokens, index)
        if kind := site(run):
            return kind, len(run)
        for length in range(min(LONGEST_PLACE, len(tokens) - index), 0, -1):
            last = tokens[index + length - 1]
            if last.end() - first.start() > 60 or not is_capitalised(last[0]):
                continue
            place = find(folded(text[first.start() : last.end()].removesuffix("'s")))
            if place and self._accepts(place, text, tokens, index, length):
                return place.name, length
        return None, 1

    def _accepts(self, place: Place, text: str, tokens: list[re.Match[str]], index: int, length: int) -> bool:
        start, end = tokens[index].start(), tokens[index + length - 1].end()
        name, before = text[start:end].removesuffix("'s"), text[max(0, start - 40) : start]
        is_great = length > 1 and not place.is_city
        if not is_great and adjoins_capital(text, tokens, index, length):
            return False
        surely = bool(SURELY.search(before)) and not NOT_IN.search(before)
        if in_region(text[end : end + 24]):
            return True
        if place.ambiguous or name.lower() in self._people.words:
            if name in self._people.named:
                surely = bool(TOWN.search(before)) and not text[start:end].endswith("'s")
            elif name.lower() in self._people.words:
                return False
            return surely and place.size >= LARGE_CITY
        if length == 1 and is_doubtful(name):
            return surely or before.endswith(" the ") if name.isupper() else False
        return fits(place, length, before, surely=surely)


def without_capital(text: str, token: re.Match[str]) -> str | None:
    """ "we flew to lisbon": only great cities and countries, only after words of going or staying.

    Where nothing has a capital, larger cities too.
    """
    word = token[0]
    if len(word) < 4 or word in LOWER_CASE_TRAPS or not word.isascii():
        return None
    place = find(word)
    if not place or place.ambiguous or place.size < LARGE_CITY or is_common(word):
        return None
    before = text[max(0, token.start() - 40) : token.start()]
    if place.size < GREAT_CITY:
        return place.name if GOING.search(before) and is_caseless(text) else None
    return place.name if GOING.search(before) or (IN.search(before) and is_caseless(text)) else None


def may_be_place(name: str) -> bool:
    """Whether a run of capitals may be a place's name, as far as its words say."""
    words = name.split()
    return (
        len(words) <= 3
        and not any({word.lower().removesuffix("'s"), word.lower().removesuffix("s")} & NOT_PEOPLE for word in words)
        and not is_ambiguous(name)
        and not is_doubtful(words[0])
        and not name.isupper()
        and not re.search(r"(?<!\bMc)(?<!\bMac)[a-z][A-Z]|[A-Z]{2}[a-z]| [A-Z]$", name)
        and words[0] not in TITLES
        and words[-1].lower() not in NOT_PLACE_ENDS
    )


def prior(name: str) -> float:
    """What a name itself says: a small town is one, a given name is rather not."""
    if name.lower().endswith(ENDINGS):
        return 1.5
    return 1.0 if find(folded(name)) else -1.0 if name in names_of_the_world() else 0.0


def place_evidence(mention: Mention) -> float:
    """How much one mention speaks for a place, or (below zero) against."""
    before, after = mention.before, mention.after
    if mention.text.lower().endswith(ENDINGS):
        before = before.removesuffix("the ")
    if after.startswith("'s") or after[1:2].isdigit():
        return -1.0
    weight = next((worth for pattern, worth in PLACED if pattern.search(before)), 0.0)
    if NOT_IN.search(before):
        return 0.0
    if in_region(after[:24]):
        return weight + 2.0
    town = AFTER_COMMA.match(after)
    return weight + 1.0 if town and find(folded(town[1])) else weight


def is_doubtful(name: str) -> bool:
    return is_common(name) or len(name) < 3


def fits(place: Place, length: int, before: str, *, surely: bool) -> bool:
    """Whether what leads up to a name is enough for a place of its size. At the head of a sentence only great ones."""
    if not before.strip(" \"'(") or before.rstrip()[-1] in ".!?:":
        return place.size >= GREAT_CITY
    if place.size >= LARGE_CITY:
        return True
    return surely and (length > 1 or place.size >= LARGE_CITY // 2)


def capital_run(text: str, tokens: list[re.Match[str]], index: int) -> list[str]:
    """The capitalised words from here on with one space between, ordinary words at the head aside."""
    run = [tokens[index][0]]
    for before, token in zip(tokens[index:], tokens[index + 1 : index + LONGEST_PLACE], strict=False):
        if not is_capitalised(token[0]) or text[before.end() : token.start()] != " ":
            break
        run.append(token[0])
    return run


def site(run: list[str]) -> str | None:
    """A named spot: "Hyde Park", "Lake Como"; not "The Park" nor "My University"."""
    if len(run) < 2 or is_common(run[0]):
        return None
    if run[0] in LEADING_KINDS and run[1] not in KINDS:
        return " ".join(run[:3]) if len(run) > 2 and run[2] in KINDS else " ".join(run[:2])
    ends = [place for place, word in enumerate(run) if word in KINDS and place]
    return " ".join(run[: ends[-1] + 1]) if ends else None


def romance_site(text: str, tokens: list[re.Match[str]], index: int) -> int:
    """How many words a spot of a Romance language has: "Jardim da Estrela"; 0 if nothing with a capital follows."""
    used = 1
    for at in range(index + 1, min(index + LONGEST_PLACE + 1, len(tokens))):
        if text[tokens[at - 1].end() : tokens[at].start()] != " ":
            break
        if is_capitalised(tokens[at][0]):
            used = at - index + 1
        elif tokens[at][0] not in INNER:
            break
    return used if used > 1 else 0


def adjoins_capital(text: str, tokens: list[re.Match[str]], index: int, length: int) -> bool:
    """Whether the name is part of a longer one: "Boston" in "Boston Celtics", "York" in "Duchess York"."""
    start, last = tokens[index].start(), index + length
    follows = last < len(tokens) and text[tokens[last - 1].end() : tokens[last].start()] == " "
    leads = index > 0 and text[tokens[index - 1].end() : start] == " "
    return (follows and is_capitalised(tokens[last][0]) and not is_common(tokens[last][0])) or (
        leads and is_capitalised(tokens[index - 1][0]) and not is_common(tokens[index - 1][0])
    )


def in_region(after: str) -> bool:
    """Whether ", Ohio" or ", France" or ", TX" follows."""
    match = re.match(r", ([A-Z][^\W\d_]+(?: [A-Z][^\W\d_]+)?)", after)
    if not match:
        return False
    region = find(folded(match[1])) or find(folded(match[1].split()[0]))
    return match[1] in state_codes() or bool(region and not region.is_city and not region.ambiguous)


def without_parts(names: Sequence[str]) -> list[str]:
    """ "Yosemite" goes where there is "Yosemite National Park"."""
    parts = {name[:at] for name in names for at, character in enumerate(name) if character == " "}
    return [name for name in names if name not in parts]
