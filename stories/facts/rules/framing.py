"""What frames are made of: in them people say what is true of themselves, each with what follows from it.

A frame is matched where a clause begins, and its value is read behind it. None matches a negation, a question or a
condition by itself; `sentences` leaves those out before.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from stories.facts.rules import values
from stories.facts.rules.words import OCCUPATIONS, POSSESSIONS
from stories.facts.statements import Kind

HOLDS, HELD, ENDED, MOVED = Kind.HOLDS, Kind.HELD, Kind.ENDED, Kind.MOVED


class Said(NamedTuple):
    """What follows: an attribute, and its value: what a reader finds, a group of the match, or the text itself."""

    attribute: str
    kind: Kind
    value: values.Reader | str


class Frame(NamedTuple):
    """`opens` are the letters that it can begin with. `dated` frames need a day that is to come."""

    opens: str
    pattern: re.Pattern[str]
    says: tuple[Said, ...]
    dated: bool = False


ADVERB: Final = (
    r"(?: (?:now|currently|still|actually|also|really|just|finally|officially|recently|already|even|both|always|never|"
    r"absolutely|totally|truly|super|kind of|sort of|quite|very|so|well|do|basically|only|ever|mostly|usually|proudly|"
    r"originally|only just|no longer|mildly|severely|deathly|terribly|highly|pretty|in fact))"
)
SURELY: Final = ADVERB.replace("|never", "").replace("|no longer", "").replace("|ever", "").replace("|well", "")
I_AM: Final = rf"(?:I'm|I am|im){SURELY}{{0,3}}+"
I_DO: Final = rf"I{SURELY}{{0,3}}+"
I_HAVE: Final = rf"(?:I've|I have|ive){SURELY}{{0,2}}+"
I_NOW_HAVE: Final = rf"(?:(?:I|we){SURELY}{{0,2}}+ (?:have|got|own)|(?:I've|we've|I have|we have)(?: got)?+)"
ANY: Final = "abcdefghijklmnopqrstuvwxyz"
"""Every letter, of a frame that may begin with any word."""
BARE: Final = r"(?<!and )(?<!but )(?<!, )(?<!so )(?<!or )"
"""Before what may stand without its "I": at the head of a sentence, for elsewhere it may be of somebody else."""
SOMEBODY: Final = (
    r"(?!(?:he|she|they|it|you|who|that|this|every\w{1,9}|nobody|some\w{1,9}|mum|mom|dad|my|his|her|the|please)\b)"
    r"(?P<value>[^\W\d_]{2,20})"
)
DID: Final = r"(?:(?:I|we)(?: have|'ve)?+(?: (?:just|finally|recently|already|also|have))?+ )?+"
NO_MORE: Final = r"(?:I'm|I am|im) (?:not|no longer)"
PEOPLE: Final = (
    r"husband|wife|missus|boyfriend|girlfriend|partner|spouse|fianc[eé]e?|mother|mom|mum|mama|father|dad|papa|grandmother|"
    r"grandma|granny|nana|oma|abuela|grandfather|grandpa|granddad|opa|abuelo|sisters?|brothers?|sons?|daughters?|"
    r"child|kids?|children|aunt|uncle|cousin|niece|nephew|ex(?:-wife|-husband)?|friends?|twins|supervisor|colleague|coworker|co-worker|boss|manager|"
    r"neighbou?r|roommate|roomie|flatmate|housemate"
)
PETS: Final = (
    r"dogs?|puppy|cats?|kitten|rabbits?|bunny|hamster|parrots?|horse|pony|turtle|tortoise|budgie|goldfish|snake|lizard|"
    r"gecko|ferret|hen|goat|donkey|guinea pig|hedgehog|kittens?"
)
SOME: Final = (
    r"(?:older|younger|little|big|elder|eldest|youngest|oldest|twin|best|close|good|old|new|other|two|three|four|a|an)"
)
TENS: Final = "(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
NAMED: Final = r"(?:'s name is|s' names are| is called| is named| are called| are named|,? called|,? named|,|:)?+ "


def frame(opens: str, pattern: str, *says: tuple[str, Kind, values.Reader | str], dated: bool = False) -> Frame:
    """Return a frame; case does not count in its pattern."""
    return Frame(opens, re.compile(pattern, re.IGNORECASE), tuple(Said(*each) for each in says), dated)


TRADE: Final = values.among(OCCUPATIONS, last=True, before=re.compile(r" (?:at|in|for|with|from|by|on|of|living)\b"))
THING: Final = values.among(POSSESSIONS, last=True, before=re.compile(r" (?:on|in|from|for|with|at)\b"))
MEETING: Final = (
    r"(?:[\w'-]{2,15} ){0,2}?(?:operation|surgery|scan|exam|test|interview|audition|check-?up|viewing|hearing|"
    r"x-ray|mri|vaccination|defence|defense)s?"
)
DATE: Final = (
    r"(?P<value>(?:the )?\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6} \d{1,2}(?!\d)(?:st|nd|rd|th)?)"
)
