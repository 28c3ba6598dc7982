"""The stored formats are for good: fixed keys give fixed bytes, computed here again from the primitives alone."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.padding import PKCS7

from tests.crypto.conftest import KEY, PERSON, ROW
from vibe.core.crypto.cloak import Cloak
from vibe.core.crypto.seal import OVERHEAD_BYTES, Sealed, derive, generation_of

TEXT = "Ada moved to Lisbon. \N{SHIP}"
NONCE = bytes(range(100, 112))
SEALED = bytes.fromhex(
    "0200016465666768696a6b6c6d6e6f740d14a6220a68c3fcc3b833b9d46e716ce2ced50dfee7eab71f56c2c7758f9a81d3d6cdbdf355ac38"
    "121818835e489ee374730568d065d6b0078a3a73508cd5c8cc2ef782d18ca36d9a8c48135c7e0edce678546c1a8775d5c5a6069ffae0fcb1"
    "d9e113190d44b65165e0fa0f0183e5e08fca9fe1538a63c52aea7f48e4d2a385fc2eea36789cb39e5e2f1bdc0cd58b34159650665f89da1f"
    "9b9b85a315d6189368bcf37e8c545ddbe869f59338db787104fd890304cdb5032a681c9e3cf1ded9b7f16f336ae846bace8f3390aaa2eea4"
    "e7dc1d61763b1ca182fe3817127472a10f7c16305cf0ce28a4700caa54d671a8a724167c6dffca5c3829bab0cf7431a528a969a83d6d03df"
    "d38f6042ff2412"
)
ADDRESS = bytes.fromhex(
    "0012656e637279707465645f6d656d6f7269657300077061796c6f6164"
    "019a1b2c3d4e7f608a7b6c5d4e3f2a1b019a1b2c3d4e7f609a7b6c5d4e3f2a1c0000000000000007"
)
WRAPPED_SECRET = bytes(range(200, 232))
WRAPPED = bytes.fromhex(
    "12cc9fef826734167e6465666768696a6b6c6d6e6ffa58572eb4327e88bf9cbe1fd3851c49124f4e3ddb0ca33726404c27276b6fd5c696f1"
    "49db0287026a47d4daf1d9a554"
)
WRAPPED_IV = bytes(range(100, 116))
WRAPPED_AT = 1_790_000_000
WRAPPED_BY_FERNET = bytes.fromhex(
    "11cc9fef826734167e80000000006ab13b806465666768696a6b6c6d6e6f7071727383b1db2f865b021071f93be62cd262cd11d9d3c1d0946e"
    "e9cab9a1eb568aa7147737dc92d4d67c1c6838a7c9d5da8b295396c1e3bd5a56d342cf8f3e7125d973514911d58accccdfaa1b468c10fe107e"
    "94597075ad712925f9520ac7ac6f78ecf2e88ab687d90530dca196a4afd8b74efe89d341f951da396a738f3cbadfe96c"
)


def expand(secret: bytes, label: str) -> bytes:
    """RFC 5869, 2.3, for one block."""
    return hmac.digest(secret, b"vibe/1/" + label.encode() + b"\x01", "sha256")


def test_the_expansion_is_that_of_rfc_5869():
    """Test case 1 of its appendix A."""
    key = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    made = HKDFExpand(algorithm=SHA256(), length=42, info=bytes.fromhex("f0f1f2f3f4f5f6f7f8f9")).derive(key)
    assert made.hex() == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("seal", "ccb51d5164f465c1f33b0cab7080e0226124f3904b70d0719568bfd67d496f0e"),
        ("index", "93bab28011c9120db9925caa8f10470ee8636d271d006af2c83ce5e1abe3c29a"),
        ("cloak", "42c05adf6af9cf0a5fe332a4a328f7d7d0e6fe467fbd76a92ffa7bc66c1f4f68"),
        ("wrap", "335bef6088d2bbb69b88ef8c9a9dc3202e15510842ef23d663148976165db6fd"),
        ("wrap-2", "a05a43f6c108b8f189e9da9589b52320c0d6e4d69313adda779bea8b712266d8"),
        ("master-id", "0794941a90552918d93841c41f2ed6d4e202f852b7e7f32ac9a667fb0913fe8e"),
    ],
)
def test_each_label_gives_its_key(label, expected):
    assert derive(KEY, label).hex() == expected
    assert derive(KEY, label) == expand(KEY, label)


def test_the_cipher_is_that_of_the_gcm_specification():
    """Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation"."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = (
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    expected = (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    context = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    assert AESGCM(key).encrypt(nonce, bytes.fromhex(plain), context).hex() == expected


def test_an_address_has_its_bytes(address):
    names = struct.pack(">H18sH7s", 18, b"encrypted_memories", 7, b"payload")
    assert address.associated_data() == names + PERSON.bytes + ROW.bytes + (7).to_bytes(8, "big") == ADDRESS


def test_a_sealed_text_has_its_bytes(vault, address, monkeypatch):
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(100, 100 + count)))
    assert vault.seal(TEXT, address).ciphertext == SEALED
    header = struct.pack(">BH", 2, 1)
    gcm = Cipher(AES(expand(KEY, "seal")), GCM(NONCE)).encryptor()
    gcm.authenticate_additional_data(header + ADDRESS)
    body = gcm.update((TEXT.encode() + b"\x80").ljust(256, b"\0")) + gcm.finalize()
    assert header + NONCE + body + gcm.tag == SEALED
    assert len(SEALED) == 256 + OVERHEAD_BYTES
    assert generation_of(SEALED) == 1


def test_a_stored_text_opens(vault, address):
    assert vault.open(Sealed(SEALED), address) == TEXT


def test_a_wrapped_value_has_its_bytes(ring, wrapped_at, monkeypatch):
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(100, 100 + count)))
    assert ring.wrap(WRAPPED_SECRET, wrapped_at).ciphertext == WRAPPED
    header = b"\x12" + hashlib.sha256(expand(KEY, "master-id")).digest()[:8]
    gcm = Cipher(AES(expand(KEY, "wrap-2")), GCM(NONCE)).encryptor()
    gcm.authenticate_additional_data(header + wrapped_at.associated_data())
    assert header + NONCE + gcm.update(WRAPPED_SECRET) + gcm.finalize() + gcm.tag == WRAPPED


def test_a_value_of_the_earlier_form_has_its_bytes(wrapped_at):
    place = wrapped_at.associated_data()
    pad = PKCS7(128).padder()
    padded = pad.update(len(place).to_bytes(2, "big") + place + WRAPPED_SECRET) + pad.finalize()
    signing, encrypting = expand(KEY, "wrap")[:16], expand(KEY, "wrap")[16:]
    cbc = Cipher(AES(encrypting), CBC(WRAPPED_IV)).encryptor()
    token = b"\x80" + struct.pack(">Q", WRAPPED_AT) + WRAPPED_IV + cbc.update(padded) + cbc.finalize()
    master = hashlib.sha256(expand(KEY, "master-id")).digest()[:8]
    assert b"\x11" + master + token + hmac.digest(signing, token, "sha256") == WRAPPED_BY_FERNET


@pytest.mark.parametrize("stored", [WRAPPED, WRAPPED_BY_FERNET])
def test_a_stored_wrapped_value_opens(ring, wrapped_at, stored):
    assert ring.unwrap(Sealed(stored), wrapped_at) == WRAPPED_SECRET


@pytest.mark.parametrize(
    ("kind", "value", "folded", "expected"),
    [("place", "Lisbon", b"lisbon", -366209214592215059), ("word", "lisbon", b"lisbon", -7961332856727054374)],
)
def test_a_blind_value_is_its_number(vault, kind, value, folded, expected):
    assert vault.index.token(kind, value) == expected
    mac = hmac.digest(expand(KEY, "index"), kind.encode() + b"\0" + folded, "sha256")
    assert struct.unpack(">q", mac[:8]) == (expected,)


CORNERS = {
    4: [[-0.28384686, 0.82487720, 0.29213738, -0.39200050], [0.25536978, -0.39317345, 0.20561379, -0.85902500]],
    512: [[0.02178121, 0.06115974, 0.02836757, -0.08021832], [-0.01745929, 0.06000602, -0.00728681, 0.05745534]],
}


@pytest.mark.parametrize("dimensions", sorted(CORNERS))
def test_a_cloak_is_its_rotation(dimensions):
    made = Cloak(KEY, dimensions).apply(np.eye(dimensions, dtype=np.float32))
    assert made[:2, :4] == pytest.approx(np.array(CORNERS[dimensions]), abs=1e-5)


@pytest.mark.parametrize("dimensions", [4, 33, 64])
def test_a_cloak_is_the_orthogonal_factor_of_its_gaussians(dimensions):
    """Q of QR with a positive diagonal is uniform (Mezzadri, Notices of the AMS 54, 2007). One reflection at a time,
    in double precision, from the key stream on."""
    count = dimensions * (dimensions + 1) // 2
    pairs = (count + 1) // 2
    stream = Cipher(AES(KEY), CTR(bytes(16))).encryptor().update(bytes(16 * pairs))
    words = [word >> 11 for (word,) in struct.iter_unpack("<Q", stream)]
    radii = [np.sqrt(-2 * np.log((word + 1) / 2**53)) for word in words[:pairs]]
    angles = [2 * np.pi * word / 2**53 for word in words[pairs:]]
    gaussians = [r * np.cos(a) for r, a in zip(radii, angles, strict=True)]
    gaussians += [r * np.sin(a) for r, a in zip(radii, angles, strict=True)]
    expected, signs, at = np.eye(dimensions), [], 0
    for column in range(dimensions - 1):
        u = np.zeros(dimensions)
        u[column:] = gaussians[at : (at := at + dimensions - column)]
        sign = np.sign(u[column])
        u[column] += sign * np.linalg.norm(u)
        expected = expected @ (np.eye(dimensions) - 2 * np.outer(u, u) / (u @ u))
        signs.append(-sign)
    expected = expected * [*signs, -np.sign(gaussians[at])]
    made = Cloak(KEY, dimensions).apply(np.eye(dimensions, dtype=np.float32))
    assert made == pytest.approx(expected, abs=1e-5)
