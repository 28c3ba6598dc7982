"""What a clause says was done or will be done: its tense, its verb, and the words from there on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from stories.processors.offline.verbs import DOINGS, IDLE, STATES, WEAK, is_past
from stories.processors.offline.words import listed

Kind = Literal["deed", "dated deed", "plan", "dated plan"]

ADVERBS = (r"(?:(?:just|recently|finally|also|actually|really|even|already|once|then|both|all|now|definitely|"
           r"probably|soon|still|again|[a-z]+ly)\s+)*")  # fmt: skip
DENIED = re.compile(r"\s*'?(?:\w+\s+){0,2}(?:\w*n't|not|never|no longer|cannot)\b", re.IGNORECASE)
BE = r"(?:'m|'re|'s|am|are|is)"
NOUN_AHEAD = r"(?:an?|the|my|our|this|that|his|her|their|some|another|one|it|bed|work|school|church|town)\b"
PLANNED = re.compile(
    rf"\s*{ADVERBS}(?:(?P<firm>{BE}\s+{ADVERBS}(?:going to|planning to|planning on|about to)|(?:{BE}\s+)?(?:gonna|"
    rf"planning "
    rf"on|planning to)|plans? to|decided to)|(?P<loose>will|'ll|shall|{BE}\s+{ADVERBS}(?:hoping to|looking to|"
    rf"excited to|"
    rf"supposed to)|have to|has to|need to|want to|wanna|hope to|"
    rf"can't wait to))\s+{ADVERBS}(?!{NOUN_AHEAD})(?P<verb>[a-z]+)",
    re.IGNORECASE,
)
PERFECT = re.compile(rf"\s*(?:'ve|'s|have|has|had)\s+{ADVERBS}(?P<verb>[a-z]+)", re.IGNORECASE)
UNDER_WAY = re.compile(rf"\s*(?:{BE}|will be|'ll be|was|were)?\s*{ADVERBS}(?P<verb>[a-z]{{2,}}in[g'])", re.IGNORECASE)
SIMPLE = re.compile(rf"\s*{ADVERBS}(?P<verb>[a-z]+)", re.IGNORECASE)
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


def predicate_of(says: str, *, has_subject: bool) -> Predicate | None:
    """What is done in the words after a subject, or in a clause without one; None for states, denials and the rest."""
    if DENIED.match(says):
        return None
    if planned := PLANNED.match(says):
        verb = planned["verb"].lower()
        kind: Kind = "plan" if planned["firm"] and verb not in IDLE else "dated plan"
        return Predicate(kind, verb, planned.start("firm" if planned["firm"] else "loose"))
    if (perfect := PERFECT.match(says)) and is_past(perfect["verb"].lower()):
        return done(perfect["verb"].lower(), perfect.start("verb"))
    simple = SIMPLE.match(says)
    verb = simple["verb"].lower() if simple else ""
    if simple and is_past(verb) and verb not in ("was", "were"):
        known = has_subject or verb in DOINGS or verb in ("had", "saw", "found", "spent")
        return done(verb, simple.start("verb")) if known else None
    if (under_way := UNDER_WAY.match(says)) and (
        has_subject or under_way["verb"].lower() in ("going", "meeting", "having")
    ):
        if under_way["verb"].lower() in MUSING:
            return None
        start = len(says) - len(says.lstrip())
        if under_way["verb"].lower() in ARRANGING:
            return Predicate("plan", "under way", start)
        return Predicate("dated deed" if re.match(r"\s*w(?:as|ere)\b", says) else "dated plan", "under way", start)
    if simple and has_subject and verb in ("was", "were") and SOMEWHERE.match(says, simple.end()):
        return Predicate("dated deed", verb, simple.start("verb"))
    if simple and has_subject and verb in APPOINTED:
        return Predicate("dated plan", verb, simple.start("verb"))
    return None


def done(verb: str, start: int) -> Predicate | None:
    """A past deed. Verbs that no list knows count only with a time."""
    if verb in STATES:
        return None
    return Predicate("deed" if verb in DOINGS and verb not in WEAK else "dated deed", verb, start)
