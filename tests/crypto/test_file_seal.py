"""The seal over files: what it says of itself holds, and what was done to a file is noticed."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vibe.core.crypto import file_seal
from vibe.core.crypto.errors import FormatUnknown, SealBroken
from vibe.core.crypto.file_seal import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES, FileSeal

KEY, OF = bytes(range(32)), b"exports of a person"
KNOWN = "2100000000000000000000000000000000ffbd836692525819e906906610a3c4e0bea0905f0c8efcfacb860e7bba7cded9b17d"
KNOWN_LONG = "a391618f21b547646ee23d4224592f4d494f6a73513d2f5617f384e31b63f9f8"
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]


def sealed(content, key=KEY, of=OF, step=10_000):
    pieces = (content[at : at + step] for at in range(0, len(content), step))
    return b"".join(FileSeal(key).seal(pieces, of))


def opened(stored, key=KEY, of=OF):
    return b"".join(FileSeal(key).open(io.BytesIO(stored), of))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens(size):
    content = os.urandom(size)
    stored = sealed(content)
    assert opened(stored) == content
    chunks = max(1, -(-size // CHUNK_BYTES))
    assert len(stored) == HEADER_BYTES + size + 16 * chunks


def by_hand(content, salt, key=KEY, of=OF):
    """The stored form from its description, by other code: HKDF-Expand with HMAC, and AES-GCM alone."""
    info = b"vibe/1/file/" + salt.hex().encode()
    file_key = hmac.digest(key, info + b"\x01", hashlib.sha256)
    header = b"\x21" + salt
    parts = [content[at : at + 65_536] for at in range(0, len(content), 65_536)] or [b""]
    return header + b"".join(
        AESGCM(file_key).encrypt(
            number.to_bytes(11, "big") + (b"\1" if number == len(parts) - 1 else b"\0"), part, header + of
        )
        for number, part in enumerate(parts)
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_stored_form_is_the_one_described(size, monkeypatch):
    salt, content = bytes(range(100, 116)), bytes(number % 251 for number in range(size))
    monkeypatch.setattr(file_seal.os, "urandom", lambda length: salt[:length])
    assert sealed(content) == by_hand(content, salt)


def test_a_known_answer(monkeypatch):
    """Written down once, so that no later change of either side goes unseen."""
    monkeypatch.setattr(file_seal.os, "urandom", bytes)
    assert sealed(b"I moved to Lisbon.").hex() == KNOWN
    assert hashlib.sha256(sealed(bytes(200_000))).hexdigest() == KNOWN_LONG


def chunks_of(stored):
    body = stored[HEADER_BYTES:]
    return stored[:HEADER_BYTES], [body[at : at + SEALED_CHUNK_BYTES] for at in range(0, len(body), SEALED_CHUNK_BYTES)]


FOUR = bytes(number % 249 for number in range(3 * CHUNK_BYTES + 100))
DONE_TO_IT = {
    "last chunk left out": lambda head, chunks: [head, *chunks[:-1]],
    "cut in a chunk": lambda head, chunks: [head, *chunks[:-1], chunks[-1][:-1]],
    "cut to less than a tag": lambda head, chunks: [head, *chunks[:-1], chunks[-1][:5]],
    "nothing but the header": lambda head, _: [head],
    "middle chunk left out": lambda head, chunks: [head, chunks[0], *chunks[2:]],
    "first chunk left out": lambda head, chunks: [head, *chunks[1:]],
    "exchanged": lambda head, chunks: [head, chunks[1], chunks[0], *chunks[2:]],
    "doubled": lambda head, chunks: [head, chunks[0], *chunks],
    "last chunk doubled": lambda head, chunks: [head, *chunks, chunks[-1]],
    "a byte more": lambda head, chunks: [head, *chunks, b"\0"],
    "another file's chunk": lambda head, chunks: [head, chunks_of(sealed(FOUR))[1][0], *chunks[1:]],
    "another file's salt": lambda _, chunks: [sealed(b"x")[:HEADER_BYTES], *chunks],
}


@pytest.mark.parametrize("what", DONE_TO_IT)
def test_a_file_that_was_meddled_with_does_not_open(what):
    head, chunks = chunks_of(sealed(FOUR))
    assert len(chunks) == 4
    with pytest.raises(SealBroken):
        opened(b"".join(DONE_TO_IT[what](head, chunks)))


def test_no_flipped_bit_is_taken():
    stored = sealed(b"short")
    for place in range(len(stored) * 8):
        flipped = bytearray(stored)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((SealBroken, FormatUnknown)):
            opened(bytes(flipped))


def test_another_key_and_another_use_do_not_open_it():
    stored = sealed(b"short")
    for wrong in ({"key": bytes(32)}, {"of": b"exports of another"}):
        with pytest.raises(SealBroken):
            opened(stored, **wrong)


@pytest.mark.parametrize("stored", [b"", b"\x21", b"\x22" + bytes(40), b"I moved to Lisbon, as plain text."])
def test_what_is_no_sealed_file_is_said_to_be_none(stored):
    with pytest.raises(FormatUnknown):
        opened(stored)


def test_two_sealings_of_one_content_have_nothing_in_common():
    assert sealed(b"the same")[1:] != sealed(b"the same")[1:]


def test_a_chunk_is_given_only_when_it_is_proved_and_before_the_next_is_read():
    head, chunks = chunks_of(sealed(FOUR))
    broken = FileSeal(KEY).open(io.BytesIO(b"".join([head, *chunks[:2], bytes(SEALED_CHUNK_BYTES), chunks[3]])), OF)
    assert next(broken) + next(broken) == FOUR[: 2 * CHUNK_BYTES]
    with pytest.raises(SealBroken):
        next(broken)


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "sealed"
    tracemalloc.start()
    with path.open("wb") as target:
        target.writelines(FileSeal(KEY).seal((bytes(50_000) for _ in range(640)), OF))
    with path.open("rb") as source:
        assert sum(map(len, FileSeal(KEY).open(source, OF))) == 32_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_without_the_final_mark_a_cut_file_would_open(monkeypatch):
    """The negative control: with the mark of the last chunk left out of the nonce, a cut goes unseen."""
    monkeypatch.setattr(file_seal, "nonce", lambda number, **_: number.to_bytes(12, "big"))
    head, chunks = chunks_of(sealed(FOUR))
    assert opened(b"".join([head, *chunks[:-1]])) == FOUR[: 3 * CHUNK_BYTES]


def test_without_numbers_exchanged_chunks_would_open(monkeypatch):
    """The other negative control."""
    monkeypatch.setattr(file_seal, "nonce", lambda _, last: bytes(11) + bytes([last]))
    head, chunks = chunks_of(sealed(FOUR))
    assert len(opened(b"".join([head, chunks[1], chunks[0], *chunks[2:]]))) == len(FOUR)
