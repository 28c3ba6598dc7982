"""What a clause says was done or will be done: its tense, its verb, and the words from there on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from stories.processors.offline.verbs import DOINGS, IDLE, STATES, WEAK, is_past
from stories.processors.offline.words import listed

Kind = Literal["deed", "dated deed", "plan", "dated plan"]

# Each word in one way only: a word that two alternatives took, repeated, would double the work every time.
ADVERBS = r"(?:(?>(?:just|also|even|already|once|then|both|all|now|soon|still|again)\b|[a-z]+ly)\s+)*"
DENIED = re.compile(r"\s*'?(?:\w+\s+){0,2}(?:\w*n't|not|never|no longer|cannot)\b", re.IGNORECASE)
BE = r"(?:'m|'re|'s|am|are|is)"
NOUN_AHEAD = r"(?:an?|the|my|our|this|that|his|her|their|some|another|one|it|bed|work|school|church|town)\b"
PLANNED = re.compile(
    rf"\s*{ADVERBS}(?:(?P<firm>{BE}\s+{ADVERBS}(?:going to|planning to|planning on|about to)|(?:{BE}\s+)?(?:gonna|"
    rf"planning "
    rf"on|planning to)|plans? to)|(?P<loose>will|'ll|shall|{BE}\s+{ADVERBS}(?:hoping to|looking to|"
    rf"excited to|"
    rf"supposed to)|have to|has to|need to|want to|wanna|hope to|"
    rf"can't wait to))\s+{ADVERBS}(?!{NOUN_AHEAD})(?P<verb>[a-z]+)",
    re.IGNORECASE,
)
PERFECT = re.compile(rf"\s*(?:'ve|'s|have|has|had)\s+{ADVERBS}(?P<verb>[a-z]+)", re.IGNORECASE)
UNDER_WAY = re.compile(
    rf"\s*(?:(?:{BE}|will be|'ll be|was|were)\s*)?{ADVERBS}(?P<verb>[a-z]{{2,}}in[g'])", re.IGNORECASE
)
SIMPLE = re.compile(rf"\s*{ADVERBS}(?P<verb>[a-z]+)", re.IGNORECASE)
WAS = re.compile(r"\s*w(?:as|ere)\b", re.IGNORECASE)
SOMEWHERE = re.compile(r"\s+(?:in|at|on|with|back|born|there|an?|the|my|our|part)\b", re.IGNORECASE)
# Present forms that tell of an appointment, once a time to come is named.
APPOINTED = listed("have has got leave leaves start starts begin begins fly flies move moves graduate graduates finish "
                      "finishes meet turn turns is are open opens launch launches")  # fmt: skip

ARRANGING = listed("planning organizing organising arranging")
# Under way in the mind only.
MUSING = listed("thinking remembering feeling wondering hoping loving enjoying wishing missing trying looking being "
                   "getting dealing struggling doing saying talking telling considering dreaming")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicate:
    """`kind` says whether it is an event by itself or only with a time; `start` is an offset in what was given."""

    kind: Kind
    verb: str = field(repr=False)
    start: int

    @property
    def ahead(self) -> bool:
        return self.kind in ("plan", "dated plan")

    @property
    def needs_time(self) -> bool:
        return self.kind in ("dated deed", "dated plan")


# A reading that does not apply, as against one that applies and finds no event.
NO_MATCH = Predicate("deed", "", -1)


def predicate_of(says: str, *, has_subject: bool) -> Predicate | None:
    """What is done in the words after a subject, or in a clause without one; None for states, denials and the rest."""
    if DENIED.match(says):
        return None
    for reading in (planned, perfect, simple_past, under_way, appointed):
        found = reading(says, has_subject)
        if found is not NO_MATCH:
            return found
    return None


def planned(says: str, _has_subject: bool) -> Predicate | None:
    found = PLANNED.match(says)
    if not found:
        return NO_MATCH
    verb = found["verb"].lower()
    doing = SIMPLE.match(says, found.end())
    if verb == "be" and doing and doing["verb"].lower() in MUSING:
        return None
    kind: Kind = "plan" if found["firm"] and verb not in IDLE else "dated plan"
    return Predicate(kind, verb, found.start("firm" if found["firm"] else "loose"))


def perfect(says: str, _has_subject: bool) -> Predicate | None:
    found = PERFECT.match(says)
    return done(found["verb"].lower(), found.start("verb")) if found and is_past(found["verb"].lower()) else NO_MATCH


def simple_past(says: str, has_subject: bool) -> Predicate | None:
    """ "Went to the dentist" needs no subject; of other verbs one cannot be sure without."""
    found = SIMPLE.match(says)
    verb = found["verb"].lower() if found else ""
    if not found or not is_past(verb) or verb in ("was", "were"):
        return NO_MATCH
    known = has_subject or verb in DOINGS or verb in ("had", "saw", "found", "spent")
    return done(verb, found.start("verb")) if known else None


def under_way(says: str, has_subject: bool) -> Predicate | None:
    found = UNDER_WAY.match(says)
    verb = found["verb"].lower() if found else ""
    if not found or not (has_subject or verb in ("going", "meeting", "having")):
        return NO_MATCH
    start = len(says) - len(says.lstrip())
    kind: Kind = "dated deed" if WAS.match(says) else "plan" if verb in ARRANGING else "dated plan"
    return None if verb in MUSING else Predicate(kind, verb, start)


def appointed(says: str, has_subject: bool) -> Predicate | None:
    """ "I was at the fair" and "I have an exam": events once a time is named."""
    found = SIMPLE.match(says)
    verb = found["verb"].lower() if found else ""
    if not found or not has_subject:
        return NO_MATCH
    if verb in ("was", "were"):
        return Predicate("dated deed", verb, found.start("verb")) if SOMEWHERE.match(says, found.end()) else None
    return Predicate("dated plan", verb, found.start("verb")) if verb in APPOINTED else None


def done(verb: str, start: int) -> Predicate | None:
    """A past deed. Verbs that no list knows count only with a time."""
    if verb in STATES:
        return None
    return Predicate("deed" if verb in DOINGS and verb not in WEAK else "dated deed", verb, start)
