"""The tree is that of RFC 6962: checked against its definition written out again, and against published vectors."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.proof.merkle import (
    EMPTY_ROOT,
    inclusion_proof,
    node_hash,
    root,
    verify_inclusion,
)


def leaf_hash(content: bytes) -> bytes:
    return sha256(b"\x00" + content).digest()


# The reference leaves and roots of the Certificate Transparency project.
CONTENTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
LEAVES = [leaf_hash(content) for content in CONTENTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}


def defined_root(contents: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not contents:
        return sha256().digest()
    if len(contents) == 1:
        return sha256(b"\x00" + contents[0]).digest()
    k = _largest_power_below(len(contents))
    return sha256(b"\x01" + defined_root(contents[:k]) + defined_root(contents[k:])).digest()


def defined_path(m: int, contents: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(contents) == 1:
        return []
    k = _largest_power_below(len(contents))
    if m < k:
        return [*defined_path(m, contents[:k]), defined_root(contents[k:])]
    return [*defined_path(m - k, contents[k:]), defined_root(contents[:k])]


def _largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def numbered(size: int) -> tuple[list[bytes], list[bytes]]:
    contents = [str(n).encode() for n in range(size)]
    return contents, [leaf_hash(content) for content in contents]


def test_published_roots() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]
    assert [root(LEAVES[:size]).hex() for size in range(9)] == ROOTS
    assert [defined_root(CONTENTS[:size]).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    assert [part.hex() for part in inclusion_proof(LEAVES[:size], index)] == INCLUSION[index, size]


def test_the_root_is_the_defined_one_at_every_size() -> None:
    contents, leaves = numbered(130)
    for size in range(131):
        assert root(leaves[:size]) == defined_root(contents[:size])


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_is_proved_where_it_is_and_nowhere_else(size: int) -> None:
    contents, leaves = numbered(size)
    top = root(leaves)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert proof == defined_path(index, contents)
        places = [place for place in range(-1, size + 2) if verify_inclusion(leaves[index], place, size, proof, top)]
        assert places == [index]


@given(st.integers(1, 60), st.data())
def test_an_altered_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    _, leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    alter = data.draw(st.sampled_from([_flip, _drop, _extend, _shorten, _extend_front]))
    top = root(leaves)
    inclusion = alter(inclusion_proof(leaves, index))
    if inclusion is not None:
        assert not verify_inclusion(leaves[index], index, size, inclusion, top)


def _flip(proof: list[bytes]) -> list[bytes] | None:
    return [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]] if proof else None


def _drop(proof: list[bytes]) -> list[bytes] | None:
    return proof[:-1] if proof else None


def _extend(proof: list[bytes]) -> list[bytes] | None:
    return [*proof, EMPTY_ROOT]


def _extend_front(proof: list[bytes]) -> list[bytes] | None:
    return [EMPTY_ROOT, *proof]


def _shorten(proof: list[bytes]) -> list[bytes] | None:
    return [proof[0][:-1], *proof[1:]] if proof else None


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = LEAVES[:2]
    assert root([leaf_hash(left + right)]) != root([left, right])


def test_control_without_prefixes_a_node_passes_for_a_leaf() -> None:
    def plain_root(contents: Sequence[bytes], digest: Callable[[bytes], bytes]) -> bytes:
        return digest(contents[0]) if len(contents) == 1 else digest(digest(contents[0]) + digest(contents[1]))

    def plain(data: bytes) -> bytes:
        return sha256(data).digest()

    assert plain_root([plain(b"a") + plain(b"b")], plain) == plain_root([b"a", b"b"], plain)
    assert node_hash(plain(b"a"), plain(b"b")) != plain(plain(b"a") + plain(b"b"))


def test_what_is_not_there_cannot_be_proved() -> None:
    for index in (-1, 8):
        with pytest.raises(IndexError):
            inclusion_proof(LEAVES, index)
    assert not verify_inclusion(LEAVES[0], 0, 0, [], EMPTY_ROOT)
