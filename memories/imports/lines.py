"""Parsing of conversations from JSON Lines, with a reason for each bad line. docs/import.md describes the format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.companions import LONGEST_COMPANION
from accounts.export.import_readers import READERS
from accounts.people.services.people import Profile
from memories.metadata import Metadata, check_metadata
from memories.payload import Payload, offset_of
from memories.roles import Role
from vibe.core.errors import InputError
from vibe.core.strict_json import MalformedJson, check_value

LONGEST_ID = 200
LONGEST_UID = 128
LONGEST_EMAIL = 254
LONGEST_NAME = 500
LONGEST_TITLE = 1000
LONGEST_DESCRIPTION = 10_000
LONGEST_TEXT = 500_000
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_IDS = 1000  # of one message
EXPORTED = "vibe."  # prefix of the types of lines in an export; see docs/export.md
CONVERSATION = "vibe.conversation"
EXPORT_BEGINS, EXPORT_PROFILE = "vibe.export", "vibe.profile"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
KINDS: dict[type, str] = {dict: "an object", list: "a list"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an imported conversation."""

    id: str
    payload: Payload
    sent_at: datetime
    also: tuple[str, ...] = ()  # its further ids
    role: Role | None = None  # that of its author, if not given
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """One line: the owner, the conversation and its messages."""

    number: int
    profile: Profile = field(repr=False)
    external_id: str
    title: str | None = field(repr=False)
    description: str | None = field(repr=False)
    started_at: datetime
    messages: tuple[Message, ...] = field(repr=False)
    is_archived: bool = False
    companion: str | None = field(default=None, repr=False)
    unit: str = "line"
    """What `number` counts: lines, or conversations of a file that is one list of them."""
    keeps_existing: bool = False
    """Whether messages that are here already, with other content, stay as they are; otherwise they are an error."""

    def bad(self, reason: str) -> BadLine:
        """Return the error that refuses this line."""
        return BadLine(self.number, reason, self.unit)


@dataclass(frozen=True, slots=True)
class ArchiveLine:
    """A line of an export other than a conversation. `profile` is the owner, on the line that names them."""

    number: int
    kind: str
    values: dict[str, Any] = field(repr=False)
    profile: Profile | None = field(default=None, repr=False)


class BadLine(InputError):
    message = "A line that cannot be taken, by number and reason. It never quotes the line."
    code = "bad-line"

    def __init__(self, number: int, reason: str, unit: str = "line") -> None:
        super().__init__(f"{unit} {number}: {reason}")
        self.number = number


class NamesAnother(BadLine):
    message = "A file of one person holds a line of another."
    code = "names-another"


def read_lines(source: IO[bytes], limit: int) -> Iterator[tuple[int, bytes | BadLine]]:
    """Yield the non-blank lines with their numbers. A line over `limit` bytes is skipped, never held in memory."""
    number = 0
    while line := source.readline(limit + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if len(line) > limit and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = source.readline(limit)
            yield number, BadLine(number, f"longer than {limit:,} bytes (IMPORT_LINE_LIMIT)")
        elif line.strip():
            yield number, line


def parse(number: int, line: bytes, owner: Profile | None = None) -> ConversationLine | ArchiveLine:
    """Parse one line. Raises BadLine; NamesAnother if an owner is given and the line is of somebody else."""
    return LineParser(number, owner).parse(line)


class LineParser:
    """A parser of one line. Every error names the line and the field; `where` is the path to the field's parent."""

    def __init__(self, number: int, owner: Profile | None = None) -> None:
        self.number = number
        self.owner = owner

    def fail(self, reason: str) -> NoReturn:
        raise BadLine(self.number, reason) from None

    def parse(self, line: bytes) -> ConversationLine | ArchiveLine:
        root = self.document(line)
        kind = root.get("type")
        if isinstance(kind, str) and kind.startswith(EXPORTED) and kind != CONVERSATION:
            return self.of_archive(kind, root)
        user = self.owner if root.get("user") is None and self.owner else self.member(root, "user", dict)
        conversation = self.member(root, "conversation", dict)
        messages = self.messages(self.member(root, "messages", list), may_be_none=kind == CONVERSATION)
        return ConversationLine(
            number=self.number,
            profile=user if isinstance(user, Profile) else self.profile(user, "user"),
            external_id=self.text(conversation, "conversation", "id", LONGEST_ID),
            title=self.optional(conversation, "conversation", "title", LONGEST_TITLE),
            description=self.optional(conversation, "conversation", "description", LONGEST_DESCRIPTION),
            started_at=self.started_at(conversation, messages),
            messages=messages,
            is_archived=conversation.get("archived") is True,
            companion=self.optional(conversation, "conversation", "companion", LONGEST_COMPANION),
        )

    def of_archive(self, kind: str, root: dict[str, Any]) -> ArchiveLine:
        if kind == EXPORT_PROFILE:
            return ArchiveLine(self.number, kind, {}, self.profile(root, "profile"))
        if kind in READERS:
            try:
                check_value(root)
            except MalformedJson:
                self.fail("holds a NUL character, half a surrogate pair or a number that is none, or nests too deep")
        return ArchiveLine(self.number, kind, root)

    def profile(self, parent: dict[str, Any], where: str) -> Profile:
        uid = self.text(parent, where, "firebase_uid", LONGEST_UID)
        if self.owner and uid != self.owner.firebase_uid:
            raise NamesAnother(self.number, f"{where}.firebase_uid is of another person. Nothing of the file was taken")
        email, name = self.email(parent, where), self.optional(parent, where, "name", LONGEST_NAME)
        return self.owner or Profile(uid, email, name)

    def document(self, line: bytes) -> dict[str, Any]:
        try:
            root = json.loads(line.decode())
        except UnicodeDecodeError as problem:
            self.fail(f"not UTF-8 (at byte {problem.start})")
        except json.JSONDecodeError as problem:
            self.fail(f"not JSON ({problem.msg} at character {problem.pos})")
        except (RecursionError, ValueError):
            self.fail("not JSON that can be read (nested too deep, or a number too long)")
        return root if isinstance(root, dict) else self.fail("not a JSON object")

    def member(self, parent: dict[str, Any], name: str, kind: type) -> Any:
        value = parent.get(name)
        return value if isinstance(value, kind) else self.fail(f"{name} is missing or not {KINDS[kind]}")

    def messages(self, given: list[Any], *, may_be_none: bool) -> tuple[Message, ...]:
        if not given and not may_be_none:
            self.fail("messages is empty")
        read = tuple(self.message(f"messages[{position}]", message) for position, message in enumerate(given))
        seen: set[str] = set()
        for position, message in enumerate(read):
            if message.id in seen:
                self.fail(f"messages[{position}].id is there twice")
            seen.add(message.id)
        return read

    def message(self, where: str, given: Any) -> Message:
        if not isinstance(given, dict):
            self.fail(f"{where} is not an object")
        sent_at = self.local_time(given, where, "sent_at")
        return Message(
            self.text(given, where, "id", LONGEST_ID),
            Payload(
                self.text(given, where, "author", LONGEST_ID),
                self.optional(given, where, "text", LONGEST_TEXT) or "",
                self.metadata(given, where),
                offset_of(sent_at),
            ),
            in_utc(sent_at),
            self.further_ids(given, where),
            self.role(given, where),
            None if given.get("expires_at") is None else self.time(given, where, "expires_at"),
        )

    def role(self, given: dict[str, Any], where: str) -> Role | None:
        role = given.get("role")
        if role in (None, ""):
            return None
        return Role(role) if role in Role else self.fail(f"{where}.role must be one of {', '.join(Role.values)}")

    def metadata(self, given: dict[str, Any], where: str) -> Metadata:
        try:
            return check_metadata({} if given.get("metadata") is None else given["metadata"])
        except ValueError as problem:
            self.fail(f"{where}.metadata {problem}")

    def further_ids(self, given: dict[str, Any], where: str) -> tuple[str, ...]:
        ids = given.get("ids")
        if ids is None:
            return ()
        if not isinstance(ids, list) or len(ids) > MOST_IDS:
            self.fail(f"{where}.ids is not a list of at most {MOST_IDS} ids")
        read = [self.text({"ids": each}, where, "ids", LONGEST_ID) for each in ids]
        return tuple(dict.fromkeys(each for each in read if each != given["id"]))

    def started_at(self, conversation: dict[str, Any], messages: tuple[Message, ...]) -> datetime:
        if conversation.get("started_at") is None and messages:
            return min(message.sent_at for message in messages)
        return self.time(conversation, "conversation", "started_at")

    def email(self, parent: dict[str, Any], where: str) -> str | None:
        email = self.optional(parent, where, "email", LONGEST_EMAIL)
        try:
            if email:
                validate_email(email)
        except ValidationError:
            self.fail(f"{where}.email is not an email address")
        return email

    def optional(self, parent: dict[str, Any], where: str, name: str, longest: int) -> str | None:
        return None if parent.get(name) in (None, "") else self.text(parent, where, name, longest)

    def text(self, parent: dict[str, Any], where: str, name: str, longest: int) -> str:
        value = parent.get(name)
        if not isinstance(value, str) or not value:
            self.fail(f"{where}.{name} is missing, empty or not a text")
        if len(value) > longest:
            self.fail(f"{where}.{name} is longer than {longest:,} characters")
        if "\0" in value:
            self.fail(f"{where}.{name} contains a NUL character")
        if not value.isascii() and not encodable(value):
            self.fail(f"{where}.{name} contains a lone surrogate")
        return value

    def time(self, parent: dict[str, Any], where: str, name: str) -> datetime:
        return in_utc(self.local_time(parent, where, name))

    def local_time(self, parent: dict[str, Any], where: str, name: str) -> datetime:
        try:
            time = datetime.fromisoformat(parent.get(name))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            self.fail(f"{where}.{name} is not an ISO 8601 time")
        if time.tzinfo is None:
            self.fail(f"{where}.{name} has no time zone")
        try:
            there = EARLIEST <= in_utc(time) < LATEST
        except OverflowError:
            there = False
        return time if there else self.fail(f"{where}.{name} is not between 1900 and 2200")


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC."""
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def encodable(value: str) -> bool:
    """Return whether a text can be encoded as UTF-8: JSON allows half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
