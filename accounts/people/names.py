"""Names of people, as servers and commands give them: `uid:` a Firebase UID, `id:` an id, `email:` an address.

A Firebase UID may be any text, a UUID or an email address among others. So a name says its kind, and one without that
could be an id is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from vibe.core.errors import InputError

KINDS: Final = ("uid", "id", "email")


class NameAmbiguous(InputError):
    message = "The person's name could be of two kinds. Write uid: before a Firebase UID, id: before an id."
    code = "person-ambiguous"


@dataclass(frozen=True, slots=True)
class Name:
    """A name without its kind's prefix. `kind` is empty for a name that was given without one."""

    kind: str
    value: str


def read_name(text: str) -> Name:
    """Return kind and value of a name. Raises NameAmbiguous for what could be an id, and does not say that it is."""
    kind, colon, value = text.partition(":")
    if colon and kind in KINDS:
        return Name(kind, value)
    if is_uuid(text):
        raise NameAmbiguous
    return Name("", text)


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
