"""Every parser of bytes that come from outside, with what it may raise, and inputs that are nearly right.

Adding one is adding an entry. `test_fuzz.py` tries each shortly, `python -m benchmarks.fuzz` a million times.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from random import Random
from unittest.mock import patch
from uuid import UUID

import jwt
from django.conf import settings

from accounts.authentication import tokens
from accounts.authentication.errors import TokenInvalid
from accounts.authentication.tokens import Claims, Issuer
from audit.client import clean_user_agent, client_address, parse_networks
from audit.errors import CheckpointMalformed
from audit.proof.checkpoint import Checkpoint, SignedCheckpoint
from audit.proof.signing import SigningKey
from audit.proof.wire import FIELDS, read_row
from audit.sealing.witness import checkpoint_lines, drop_partial_line, newest_checkpoint
from memories.imports.lines import BadLine, parse, read_lines
from stories.processors.base import Message, Transcript
from stories.processors.openai_compatible.envelope import read_answer
from stories.processors.openai_compatible.errors import BadAnswer
from stories.processors.openai_compatible.schema import read_story
from vibe.core.crypto.errors import SealError
from vibe.core.crypto.master import MasterKey, MasterRing
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.configured import database
from vibe.core.errors import ConfigurationError, InputError, VibeError
from vibe.core.http.cursors import Listing, cipher
from vibe.core.http.responses import parse_etags
from vibe.core.strict_json import MalformedJson, read_json

CANARY = "xylocanary"
HERE = Address("encrypted_memories", "payload", UUID(int=1), UUID(int=2), 3)
VAULT = Vault(UUID(int=1), {1: bytes(range(32)), 2: bytes(32)})
RING = MasterRing(MasterKey(bytes(range(7, 39))))
PROXIES = parse_networks("10.0.0.0/8 192.0.2.0/24 2001:db8::/32")
AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Parser:
    """What reads, what it may raise beside giving a value, and what its inputs look like."""

    read: Callable[[bytes], object]
    raises: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def crash(self, given: bytes) -> Exception | None:
        """What came out of it that should not: an untyped error, or a typed one that shows the input."""
        try:
            self.read(given)
        except self.raises as problem:
            return AssertionError("an error that shows the input") if CANARY in str(problem) else None
        except Exception as problem:
            return problem
        return None


def text(given: bytes) -> str:
    """Bytes as a text that may hold anything a text can hold."""
    return given.decode("utf-8", "surrogateescape")


def headers(given: bytes) -> list[str]:
    """As WSGI hands them over: one character a byte; several lines are several headers."""
    return given.decode("latin-1").split("\n")


def both_headers(given: bytes) -> object:
    first, _, second = given.decode("latin-1").partition("\0")
    return client_address(peer="10.0.0.1", forwarded_for=[first], forwarded=[second], trusted=PROXIES)


def import_file(given: bytes) -> None:
    for number, line in read_lines(io.BytesIO(given), 400):
        if not isinstance(line, BadLine):
            parse(number, line)


def checkpoint_file(given: bytes) -> None:
    file = io.BytesIO(given)
    drop_partial_line(file)
    newest_checkpoint(file)


def checkpoint_log(given: bytes) -> None:
    for line in checkpoint_lines(io.StringIO(given.decode(errors="replace"))):
        SignedCheckpoint.from_line(line)


def wire_row(given: bytes) -> None:
    """A row of the trail whose details somebody wrote who may write to the database."""
    fields = [
        given,
        bytes(16),
        bytes(8),
        b"staff",
        b"",
        None,
        b"x",
        b"",
        b"ok",
        b"",
        None,
        b"",
        b"",
        bytes(32),
        bytes(8),
    ]
    row = b"\0\x0f" + b"".join(
        b"\xff\xff\xff\xff" if each is None else len(each).to_bytes(4, "big") + each for each in fields
    )
    read = read_row(row, FIELDS)
    assert read is not None
    read.leaf()


@cache
def transcript() -> tuple[Transcript, dict[int, Message]]:
    said = (Message("m1", "Ada", "I moved to Lisbon.", AT), Message("m2", "Mia", "When?", AT))
    return Transcript("Moving", said), dict(enumerate(said, start=1))


def answer(given: bytes) -> object:
    return read_story([text(given)], *transcript())


CLAIMS = {
    "iss": "https://issuer.example/p",
    "aud": "p",
    "sub": "ada",
    "exp": 4_000_000_000,
    "iat": 1_700_000_000,
    "auth_time": 1_700_000_000,
    "email": f"{CANARY}@example.com",
    "email_verified": True,
    "name": CANARY,
}
TOKEN = jwt.encode(CLAIMS, None, "none").encode()  # unsigned, so that what is inside is read at all
ISSUER = Issuer("issuer", CLAIMS["iss"], CLAIMS["aud"], "none", None, 30)


def id_token(given: bytes) -> object:
    with patch.object(tokens, "configured_issuer", lambda: ISSUER):
        return tokens.verify(text(given))


def claims(given: bytes) -> object:
    """Of a token whose signature holds."""
    try:
        said = json.loads(given)
    except (ValueError, RecursionError):
        return None
    return Claims.read("issuer", said) if isinstance(said, dict) else None


def cursor(given: bytes) -> object:
    """As it is given, and sealed by us around what is given."""
    listing = Listing(UUID(int=1), "memories")
    sealed = cipher(settings.SECRET_KEY).encrypt(bytes(12), given[:24].ljust(24, b"\xff"), listing.bound())
    listing.position(base64.urlsafe_b64encode(bytes(12) + sealed).decode())
    return listing.position(text(given))


def checkpoint_seed() -> bytes:
    key = SigningKey.from_hex("3" * 63 + "1")
    made = Checkpoint.following(None, root=bytes(32), count=3, at=AT, key_id=key.id)
    return made.sign(key).to_line().encode() + b"\n"


LINE = json.dumps(
    {
        "user": {"firebase_uid": "ada", "email": "ada@example.com", "name": CANARY},
        "conversation": {"id": "c1", "title": CANARY, "started_at": "2026-05-12T09:30:00Z"},
        "messages": [{"id": "m1", "author": CANARY, "text": CANARY, "sent_at": "2026-05-12T09:30:00+02:00"}],
    }
).encode()
STORY = json.dumps(
    {
        "title": "Moving",
        "text": CANARY,
        "people": ["Ada"],
        "places": ["Lisbon"],
        "events": [{"who": "Ada", "what": "moved", "when": "2026-05-12", "precision": "day", "message": 1}],
    }
).encode()
FORWARDED_FOR = (
    *(b"203.0.113.7, 10.0.0.2", b"[2001:db8::1]:443, 10.1.1.1:80", b"::ffff:10.0.0.1\n198.51.100.1"),
    b"fe80::1%eth0, 10.0.0.1",
)
FORWARDED = (
    *(b'for=203.0.113.7;proto=https, for="[2001:db8::1]:443"', b'for=_hidden, for="10.0.0.1:80";by=unknown'),
    b'for="a\\"b", for=10.0.0.1',
)

PARSERS = {
    "sealed value": Parser(
        lambda given: VAULT.open(Sealed(given), HERE), (SealError,), (VAULT.seal(CANARY, HERE).ciphertext,)
    ),
    "wrapped key": Parser(
        lambda given: RING.unwrap(Sealed(given), HERE), (SealError,), (RING.wrap(CANARY.encode(), HERE).ciphertext,)
    ),
    "import line": Parser(lambda given: parse(1, given), (BadLine,), (LINE,)),
    "import file": Parser(import_file, (BadLine,), (LINE + b"\n\n" + LINE, b"\xef\xbb\xbf" + LINE + b"\r\n")),
    "X-Forwarded-For": Parser(
        lambda given: client_address(peer="10.0.0.1", forwarded_for=headers(given), forwarded=[], trusted=PROXIES),
        (),
        FORWARDED_FOR,
    ),
    "Forwarded": Parser(
        lambda given: client_address(peer="10.0.0.1", forwarded_for=[], forwarded=headers(given), trusted=PROXIES),
        (),
        FORWARDED,
    ),
    "both headers": Parser(
        both_headers, (), tuple(a + b"\0" + b for a, b in zip(FORWARDED_FOR, FORWARDED, strict=False))
    ),
    "peer address": Parser(
        lambda given: client_address(peer=text(given), forwarded_for=[], forwarded=[], trusted=PROXIES),
        (),
        (b"10.0.0.1", b"2001:db8::1", b""),
    ),
    "User-Agent": Parser(clean_user_agent, (), (b"Mozilla/5.0 (X11) \xf0\x9f\x98\x80", b"\xff\xfe" * 40)),
    "checkpoint line": Parser(
        lambda given: SignedCheckpoint.from_line(text(given)), (CheckpointMalformed,), (checkpoint_seed(),)
    ),
    "checkpoint file": Parser(
        checkpoint_file, (CheckpointMalformed,), (checkpoint_seed() * 2, checkpoint_seed() + b"{")
    ),
    "checkpoints in a log": Parser(checkpoint_log, (CheckpointMalformed,), (b"Nov 22 vibe: " + checkpoint_seed(),)),
    "details of the trail": Parser(
        wire_row,
        (),
        (b'{"passages": 3}', b"{}", b'{"revisions": {"stories": {"a": 2}}}', b'{"a": [1, null, true, "x"]}'),
    ),
    "a service's answer": Parser(read_answer, (BadAnswer,), (b'{"usage": {"total_tokens": 7}, "data": []}', STORY)),
    "a model's story": Parser(answer, (BadAnswer,), (STORY,)),
    "ID token": Parser(id_token, (TokenInvalid,), (TOKEN, jwt.encode(CLAIMS, "1" * 32, "HS256").encode())),
    "claims of a token": Parser(
        claims, (TokenInvalid,), (json.dumps(CLAIMS).encode(), json.dumps({**CLAIMS, "auth_time": 10**12}).encode())
    ),
    "cursor": Parser(cursor, (InputError,), (b"A" * 76, b"-_" * 38)),
    "body of a request": Parser(partial(read_json, most=1_000), (MalformedJson,), (LINE, STORY)),
    "If-Match": Parser(
        lambda given: parse_etags(given.decode("latin-1")), (VibeError,), (b'"3-7"', b'W/"a", "b"', b"*")
    ),
    "DATABASE_URL": Parser(
        lambda given: database(text(given)),
        (ConfigurationError,),
        (
            b"postgres://user:p%40ss@host:5432/name",
            b"postgres://u@%2Frun/db?host=/run&port=1",
            b"postgresql://[::1]:5432/x",
        ),
    ),
    "TRUSTED_PROXIES": Parser(
        lambda given: parse_networks(text(given)),
        (ConfigurationError,),
        (b"10.0.0.0/8, ::1/128", b"::ffff:10.0.0.0/104"),
    ),
}

ODD = (
    *(b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\r\n", b'"', b"\\", b"\\u0000"),
    *(
        b"\\ud800",
        b"[" * 3000,
        b"{" * 50,
        b'{"a":' * 2000,
        b"9" * 400,
        b"1" * 5000,
        b"-0",
        b"1e999",
        b"NaN",
        b"Infinity",
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"0001-01-01T00:00:00-23:59",
        b"9999-12-31T23:59:59+23:59",
        b"::",
        b"%",
        b",",
    ),
    *(b";", b"=", b"[", b"]", b"@", b"/", b"?", b" ", b"\t", "é".encode(), "İ".encode(), "\U0001f600".encode()),
)


def mutated(chance: Random, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with a few things done to it."""
    given = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(given) + 1)
        to = min(len(given), at + chance.choice((1, 1, 2, 4, 16, 64)))
        match chance.randrange(7):
            case 0 if given:
                given[at % len(given)] ^= 1 << chance.randrange(8)
            case 1:
                given[at:at] = chance.choice(ODD)
            case 2:
                given[at:to] = chance.choice(ODD)
            case 3:
                del given[at:to]
            case 4:
                given[at:at] = given[at:to] * chance.choice((1, 2, 8))
            case 5:
                given[at:] = chance.choice(seeds)[at:to]
            case _:
                given[at:at] = chance.randbytes(chance.choice((1, 4, 16)))
    return bytes(given)
