"""What facts are about: a closed vocabulary. An attribute has one value at a time, or several."""

from __future__ import annotations

from typing import Final

from stories.processors.offline.words import listed

SINGLE: Final = listed(
    # who they are
    "name nickname pronouns age birthday gender nationality religion zodiac height "
    # where they are
    "home hometown address phone email "
    # what they do
    "occupation employer studies school "
    # with whom they live
    "relationship partner "
    # how they are
    "diet smoking alcohol weight blood_type "
    # one of each kind
    "favorite"
)
"""A new value ends the one before."""
MANY: Final = listed(
    # family and others, by name
    "mother father sister brother son daughter child grandmother grandfather aunt uncle cousin niece nephew "
    "friend colleague boss neighbour roommate ex pet "
    # how they are
    "allergy condition medication "
    # what they like and can
    "likes dislikes hobby skill language instrument sport "
    # what they have
    "car bike possession "
    # what is to come, and what the companion is to do
    "appointment trip plan goal instruction other"
)
"""Values stand beside each other."""
ATTRIBUTES: Final = SINGLE | MANY
OPPOSITE: Final = {"likes": "dislikes", "dislikes": "likes"}
"""To hold a value here ends it there."""
GIVEN_UP: Final = listed(
    "hobby instrument sport language medication goal car bike possession likes appointment trip plan employer pet"
)
"""What "I gave up the choir", "we sold the Fiat" may end: the attribute of such a statement is `other`."""
DATED: Final = frozenset({"appointment", "trip", "plan"})
"""They have a day, and are over after it."""
