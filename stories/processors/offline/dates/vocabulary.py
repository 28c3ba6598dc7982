"""The words of English dates, as pieces of regular expressions with named groups."""

from __future__ import annotations

import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "several": 4, "four": 4, "five": 5,
          "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15,
          "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}  # fmt: skip
VAGUE = ("few", "several")

# Short names, and the months that are words too (May, March, Sun, Sat), count only with their capital.
MONTH = (r"(?P<month>(?i:january|february|april|june|july|august|september|october|november|december)|March|May|"
         r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)(?![^\W_])")  # fmt: skip
WEEKDAY = r"(?P<weekday>(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:day)\b|(?:Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)\b)"
COUNT = (r"(?P<count>\d{1,4}|(?i:an?(?: few| couple)?(?: of)?|couple(?: of)?|"
         + "|".join(word for word in COUNTS if len(word) > 2 and word != "couple") + r"))")  # fmt: skip
UNIT = r"(?P<unit>day|weekend|week|month|year)"
DAY = r"(?P<day>[0-3]?\d)"
YEAR = r"(?P<year>(?:19|20)\d\d)\b"
SEASON = r"(?P<season>spring|summer|fall|autumn|winter)\b"
ORDINAL = r"(?:st|nd|rd|th)"
# What may follow a phrase that would mean something else before a noun: "the 5th floor", "the week before the fair".
CLOSED = (r"(?=\s*(?:[.,;:!?)\u2014\u2013-]|$)|\s+(?:and|but|so|at|in|to|for|with|after|before|because|when|since|this|"
          r"as|by|i|we|he|she|they|it|my|our)\b)")  # fmt: skip

# One quick look tells that a sentence names no time at all, which holds for most.
TRIGGER = re.compile(
    r"\d|day|night|hour|minute|morning|evening|afternoon|weekend|\bweek|month|year|\bago\b|spring|summer|autumn|winter|\bfall\b|"
    r"christmas|easter|halloween|thanksgiving|tomorrow|" + "|".join(rf"\b{name}" for name in MONTHS + WEEKDAYS),
    re.IGNORECASE,
)


def number(words: str) -> int:
    """The number of "3", "three", "a couple of", "a few"."""
    if words.isdigit():
        return int(words)
    return max(COUNTS.get(word, 0) for word in words.lower().split())


def is_vague(words: str) -> bool:
    return any(word in VAGUE for word in words.lower().split())


def month_number(name: str) -> int:
    return MONTHS.index(name[:3].lower()) + 1


def weekday_number(name: str) -> int:
    return WEEKDAYS.index(name[:3].lower())
