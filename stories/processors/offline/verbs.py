"""What English verbs tell of time and of doing. No tagger: lists of irregular forms, and endings for the rest."""

from __future__ import annotations

import re

from stories.processors.offline.words import listed

# Past forms (simple past and participle) that do not end in -ed.
IRREGULAR_PAST = listed(
    """was were been had did done went gone got gotten made took taken came saw seen met told said bought brought built
    began begun broke broken caught chose chosen cut drew drawn drove driven ate eaten fell fallen felt flew flown
    forgot forgotten found fought gave given grew grown heard held hid hidden hit hurt kept knew known laid led left
    lent lost meant paid put read rode ridden ran rung rang sang sung sat sold sent set shook shot showed shown slept
    spoke spoken spent stood stole stolen struck swam swum taught thought threw thrown understood woke won wore worn
    wrote written became ended quit dove learnt dreamt burnt sought lit split spread froze frozen knit hosted"""
)
# Words in -ed that are no past forms.
NOT_PAST = listed("need feed speed bleed breed seed weed deed indeed hundred red bed shed sacred naked wicked "
                     "embed exceed proceed succeed agreed ted fred med wed kindred")  # fmt: skip

# States of mind and being: no event, even when dated.
STATES = listed(
    """felt thought knew wanted needed hoped loved liked hated enjoyed missed believed meant understood seemed looked
    guessed wished wondered cared agreed heard figured supposed remembered forgot realized realised appreciated
    preferred feared trusted known tried said told asked mentioned talked noticed"""
)
# Weak verbs: an event only when it is dated.
WEAK = listed(
    """was were been had did done got kept put let stayed lived used worked saw seen said spent gave given came held
    showed helped added become turned grew set stood sat slept ate wore continued allowed inspired brought taken
    led left found made read watched played called showed stopped kept pushed reminded struggled dealt"""
)
# Doings that are worth a line without a date.
DOINGS = listed(
    """went bought built joined moved visited finished won lost applied adopted painted graduated quit passed launched
    opened attended organized organised hosted volunteered travelled traveled married divorced proposed enrolled
    registered completed ran hiked baked cooked wrote published recorded performed presented competed donated signed
    started began created designed discovered explored climbed flew drove camped celebrated scored hired founded
    retired resigned accepted auditioned interviewed injured broke sprained crashed fixed repaired planted rescued
    met invited booked ordered sold rented renovated submitted delivered ended taught caught swam rode raised earned
    landed received participated entered switched upgraded set cleaned released photographed gave tried took made got
    came sent collaborated filmed exhibited signed scheduled planned decided promised"""
)
# Base forms of verbs after "will", "going to" and the like that say nothing will happen.
IDLE = listed("be have love like know see need want think feel keep remember let help always never definitely hope "
                 "miss support say tell try check get check do make continue stay look hear share")  # fmt: skip

AHEAD = re.compile(
    r"\b(?:will|won't|shall|going to|gonna|about to|planning|plan to|plans? for|can't wait|looking forward|hop(?:e|"
    r"ing) "
    r"to|upcoming|coming up|scheduled|booked|have to|need to|want to|wanna|should|let's|see you|meet you|thinking of|"
    r"thinking about|tomorrow|due)\b|\w'll\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W\d_]+")


def is_past(word: str) -> bool:
    """Whether a lower-case word is, or may be, a past form."""
    return (
        word in IRREGULAR_PAST
        or (word[:2] == "re" and word[2:] in IRREGULAR_PAST)
        or (len(word) > 3 and word.endswith("ed") and word not in NOT_PAST)
    )


def looks_ahead(text: str) -> bool:
    """Whether a sentence speaks of what is to come: it says so, or nothing in it is past."""
    if AHEAD.search(text):
        return True
    return not any(is_past(word.lower()) for word in WORD.findall(text))
