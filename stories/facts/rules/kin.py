"""Patterns of people and pets by name. They presuppose what they say, so they count in a question too."""

from __future__ import annotations

import re
from typing import Final

from stories.facts.rules.framing import BARE, I_AM, I_NOW_HAVE, NAMED, PEOPLE, PETS, SOME

KIN: Final = re.compile(
    rf"\b(?<!late )(?:my|our) (?:{SOME} )*+(?P<of>{PEOPLE}|{PETS}){NAMED}(?:(?:Mrs?|Ms|Dr|Prof|Professor)\.? "
    rf")?(?=\w)(?!(?:late|ex)\b)"
    rf"|\bnew (?P<new>boss|manager|roommate|flatmate|neighbour|neighbor|supervisor)(?: is| called|'s) (?=[A-Z])",
    re.IGNORECASE,
)
IS_MY: Final = re.compile(
    rf"(?:^|(?<=[,:] ))(?P<value>[A-Z][\w'-]{{1,20}}) is my (?:{SOME} )*+(?P<of>(?i:{PEOPLE}))(?=[,.!]|$| now\b)"
)
HER_NAME: Final = re.compile(
    rf"\b(?:(?:my|our) (?:{SOME} )*+|(?:adopted|bought|got) an? (?:[\w-]{{3,15}} )?)(?P<of>{PEOPLE}|"
    rf"{PETS})\b[^.!?,]{{0,40}}, "
    r"(?:and )?(?:(?:her|his|their|its) name(?:'s| is)|(?:she|he)(?:'s| is) called) ",
    re.IGNORECASE,
)
HAVE_KIN: Final = re.compile(
    rf"(?:{I_NOW_HAVE}|(?:I|we) (?:just )?+(?:adopted|bought|keep)|{BARE}\bgot) (?:{SOME} )*+(?:[\w-]{{3,15}} "
    rf")?(?P<of>{PEOPLE}|{PETS})"
    r"(?:,? called|,? named|,|:) (?=\w)",
    re.IGNORECASE,
)
ITS_NAME: Final = re.compile(
    r"(?:his|her|its|their) names? (?:is|are) |(?:he|she|it)(?:'s| is) called |(?:I've|I have|we) called (?:her|"
    r"him|it) ",
    re.IGNORECASE,
)
A_PET: Final = re.compile(
    rf"(?:{I_NOW_HAVE}|(?:(?:I|we)(?: have|'ve)? )?(?:just )?+(?:adopted|bought|got)) (?:an?|the) "
    rf"(?:[\w-]{{3,15}} )?(?:{PETS})\b",
    re.IGNORECASE,
)
A_PARTNER: Final = re.compile(
    rf"{I_AM} (?:seeing|dating) some(?:one|body)(?: new)?,? (?:his|her|their) name(?:'s| is) ", re.IGNORECASE
)
DIED: Final = re.compile(
    r"(?:^|(?<=, ))(?!(?:he|she|they|it|who|dad|mum|mom|my|the|our|his|her|grand\w+|uncle|aunt\w*|everyone)\b)"
    r"(?P<value>[^\W\d_][\w'-]{1,20}(?: [^\W\d_][\w'-]{1,20})?) (?:has )?(?:died|passed away|flew away|ran away|"
    r"was put "
    r"down|is gone)\b"
)
TOGETHER: Final = re.compile(
    r"(?:^|(?<=, ))(?P<value>[^\W\d_][\w'-]{1,20}) and I (?P<did>are together|are dating|are a couple|are "
    r"(?:engaged|married)|got "
    r"(?:engaged|married)|broke up|split up|separated|got divorced)\b"
)
