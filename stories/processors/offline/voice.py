"""First person into third: only where nothing but the head of a sentence has to change."""

from __future__ import annotations

import re

from stories.processors.offline.verbs import is_past
from stories.processors.offline.words import listed

# Words of the first or second person in the rest of a sentence: then it stays a quotation.
PERSONAL = re.compile(
    r"\b(?:i|i'\w+|me|my|mine|myself|we|we'\w+|us|our|ours|ourselves|you|you'\w+|your|yours|let's)\b", re.IGNORECASE
)
HEADS = (("'m ", " is "), ("'ve ", " has "), ("'ll ", " will "), (" am ", " is "), (" have ", " has "),
         (" was ", " was "), (" will ", " will "), (" had ", " had "))  # fmt: skip
PRESENT = listed("love like enjoy work live play run teach want need hope plan think believe dream prefer own study "
                    "volunteer write read paint cook bake sing dance hike swim train")  # fmt: skip
ADVERB = re.compile(
    r" (?:just|recently|finally|also|actually|really|even|already|once|still|always|often|[a-z]+ly)(?= )"
)
LEAD_IN = re.compile(
    r"(?:(?:yeah|yes|yep|yup|no|nah|well|oh|so|and|but|also|plus|hey|hi|hello|thanks|thank you|thanks a lot|wow|"
    r"haha|lol|"
    r"btw|by the way|actually|anyway|sure|totally|absolutely|definitely|exactly|of course|honestly|guess what|aww?|"
    r"ok|okay|"
    r"hmm|um|uh|gosh|ooh|yay|right|true|for sure|as for me|you know|you know what)"
    r"(?:,? [A-Z][\w'-]+(?=[,!.]))?(?:[,!.;:-]+ *| - )|(?:so|and|but|also|plus|well) )",
    re.IGNORECASE,
)


def without_lead_in(text: str) -> str:
    """ "Yeah, Ada, I went." as "I went."; at most three such openings go."""
    for _ in range(3):
        lead = LEAD_IN.match(text)
        if not lead or lead.end() >= len(text):
            break
        text = text[lead.end() :].lstrip(" ,-!.")
    return text[:1].upper() + text[1:]


def third(verb: str) -> str:
    """The form of a present verb after "she": goes, flies, runs; "have" and "am" are their own."""
    irregular = {"have": "has", "am": "is", "are": "is", "'m": "is", "'re": "is", "'s": "is", "do": "does"}
    if verb in irregular:
        return irregular[verb]
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else verb + "s"


def in_third_person(text: str, name: str) -> str | None:
    """ "I just moved to Oslo." as "Ada just moved to Oslo."; None if that would not be safe."""
    if not text.startswith(("I ", "I'")) or PERSONAL.search(text[2:]):
        return None
    rest = text[1:]
    for first, other in HEADS:
        if rest.startswith(first):
            return name + other + rest[len(first) :]
    adverb = ADVERB.match(rest)
    kept = adverb[0] if adverb else ""
    verb, _, tail = rest[len(kept) + 1 :].partition(" ")
    if is_past(verb):
        return f"{name}{kept} {verb} {tail}"
    if verb in PRESENT and tail:
        return f"{name}{kept} {third(verb)} {tail}"
    return None


THEIRS = {
    "i": "they", "me": "them", "my": "their", "mine": "theirs", "myself": "themselves", "we": "they", "us": "them",
    "our": "their", "ours": "theirs", "ourselves": "themselves", "i'm": "they're", "i've": "they've", "i'll": "they'll",
    "i'd": "they'd", "we're": "they're", "we've": "they've", "we'll": "they'll", "we'd": "they'd",
}  # fmt: skip
FIRST_PERSON = re.compile(rf"\b(?:{'|'.join(sorted(THEIRS, key=len, reverse=True))})(?![\w'])", re.IGNORECASE)


def of_them(words: str) -> str:
    """ "lost my job" as "lost their job": English has no other word for one whose pronoun was not told."""
    return FIRST_PERSON.sub(lambda found: THEIRS[found[0].lower()], words)
