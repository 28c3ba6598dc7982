"""The address in the audit row is one that a trusted proxy, or the connection itself, vouches for."""

import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.client import MAX_HEADER, ClientAddress, clean_user_agent, client_address, parse_networks
from audit.errors import NetworkListInvalid
from tests.audit.header_sets import TRUSTED, HeaderSet, header_sets

PROXY, CLIENT = "10.0.0.1", "198.51.100.7"


def resolved(
    peer: str = PROXY, forwarded_for: list[str] | None = None, forwarded: list[str] | None = None
) -> str | None:
    return client_address(peer=peer, forwarded_for=forwarded_for or [], forwarded=forwarded or [], trusted=TRUSTED).ip


def wrong(resolver: Callable[[HeaderSet], str | None], cases: list[HeaderSet]) -> list[HeaderSet]:
    return [case for case in cases if resolver(case) != case.answer]


CASES = header_sets(8000)


def test_every_generated_header_set_gives_the_address_it_was_built_from() -> None:
    assert wrong(lambda case: resolved(case.peer, case.forwarded_for, case.forwarded), CASES) == []


def test_the_generated_header_sets_cover_every_story() -> None:
    stories = Counter(case.story for case in CASES)
    assert len(stories) == 16
    assert min(stories.values()) > 300


@pytest.mark.parametrize("side", [0, -1], ids=["leftmost", "rightmost"])
def test_control_believing_one_end_of_the_header_fails(side: int) -> None:
    def naive(case: HeaderSet) -> str | None:
        entries = ",".join(case.forwarded_for).split(",")
        return entries[side].strip() or case.peer

    assert len(wrong(naive, CASES)) > len(CASES) / 4


def test_control_trusting_every_peer_fails() -> None:
    everyone = (ip_network("0.0.0.0/0"), ip_network("::/0"))

    def naive(case: HeaderSet) -> str | None:
        return client_address(
            peer=case.peer, forwarded_for=case.forwarded_for, forwarded=case.forwarded, trusted=everyone
        ).ip

    assert len(wrong(naive, CASES)) > len(CASES) / 8


def test_control_skipping_junk_fails() -> None:
    def naive(case: HeaderSet) -> str | None:
        readable = [e.strip() for e in ",".join(case.forwarded_for).split(",") if _is_address(e.strip())]
        return resolved(case.peer, [",".join(readable)] if readable else [], case.forwarded)

    assert wrong(naive, CASES)


def test_control_preferring_one_header_fails() -> None:
    def naive(case: HeaderSet) -> str | None:
        return resolved(case.peer, [] if case.forwarded else case.forwarded_for, case.forwarded)

    assert wrong(naive, CASES)


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def test_a_stranger_on_the_line_is_the_client_whatever_it_claims() -> None:
    assert resolved(CLIENT, [PROXY, "9.9.9.9"], ["for=9.9.9.9"]) == CLIENT


@pytest.mark.parametrize(
    ("peer", "ip", "kept"),
    [
        ("", None, ""),
        ("unix:\x00", None, "unix:"),
        ("::ffff:198.51.100.7", CLIENT, CLIENT),
        ("fe80::1%eth0", "fe80::1", "fe80::1"),
    ],
)
def test_peers_without_address_and_with_odd_ones(peer: str, ip: str | None, kept: str) -> None:
    found = client_address(peer=peer, forwarded_for=["9.9.9.9"], forwarded=[], trusted=TRUSTED)
    assert found == ClientAddress(ip=ip, peer=kept, forwarded_for="9.9.9.9", forwarded="")


@pytest.mark.parametrize(
    "element",
    [
        'for="[2001:db8::9]:4711"',
        'For="[2001:DB8::9]"',
        "for=2001:db8::9",
        'proto=http ; for="[2001:db8::9]" ;by=203.0.113.43;',
        r'for="\[2001:db8::\9]";host="\",for=9.9.9.9"',
        ';;for="[2001:db8::9%25eth0]:_obfuscated"',
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(element: str) -> None:
    assert resolved(forwarded=[f"for=9.9.9.9, {element}"]) == "2001:db8::9"


@pytest.mark.parametrize(
    "element",
    ["for=unknown", "for=_gazonk", "proto=https", "", "for=1.1.1.1;for=1.1.1.1", 'for="1.1.1.1', "for 1.1.1.1"],
)
def test_nothing_left_of_an_unreadable_hop_is_believed(element: str) -> None:
    assert resolved(forwarded=["for=9.9.9.9", element]) == PROXY


@pytest.mark.parametrize("forged", ['for="', 'for=9.9.9.9;x="', 'for="9.9.9.9\\', '"' * 99, "\\" * 99, ',",",'])
def test_an_open_quotation_mark_does_not_hide_the_client(forged: str) -> None:
    assert resolved(forwarded=[f'{forged}, for="{CLIENT}";host="x"']) == CLIENT


def test_an_empty_entry_is_a_hop_and_ends_the_walk() -> None:
    assert resolved(forwarded_for=["9.9.9.9, "]) == PROXY
    assert resolved(forwarded_for=["9.9.9.9", ""]) == PROXY


def test_the_second_header_can_hide_the_client_but_not_replace_it() -> None:
    assert resolved(forwarded_for=[CLIENT], forwarded=["for=9.9.9.9"]) == PROXY
    assert resolved(forwarded_for=[CLIENT], forwarded=[""]) == PROXY
    assert resolved(forwarded_for=[f"9.9.9.9,{CLIENT}"], forwarded=[f"for={CLIENT}"]) == CLIENT


@pytest.mark.parametrize("spaces", range(8))
def test_an_address_cut_in_half_by_the_bound_is_not_believed(spaces: int) -> None:
    entry = ",10.1.1.1" * (MAX_HEADER // 9 - 1)
    header = "219.9.9.9" + entry
    assert resolved(forwarded_for=[header]) == "219.9.9.9"
    padded = header + " " * (MAX_HEADER - len(header) + 1 + spaces)
    assert resolved(forwarded_for=[padded]) == "10.1.1.1"


def test_a_huge_header_is_cheap_and_its_true_end_is_kept() -> None:
    started = time.process_time()
    found = client_address(peer=PROXY, forwarded_for=["9.9.9.9," * 10**6, CLIENT], forwarded=[], trusted=TRUSTED)
    assert time.process_time() - started < 1
    assert found.ip == CLIENT
    assert len(found.forwarded_for) == 512
    assert found.forwarded_for.endswith(CLIENT)


@given(st.text(max_size=40), st.lists(st.text(max_size=80), max_size=4), st.lists(st.text(max_size=80), max_size=4))
def test_any_text_gives_an_address_or_none_and_printable_evidence(
    peer: str, forwarded_for: list[str], forwarded: list[str]
) -> None:
    found = client_address(peer=peer, forwarded_for=forwarded_for, forwarded=forwarded, trusted=TRUSTED)
    assert found.ip is None or ip_address(found.ip)
    assert (found.peer + found.forwarded_for + found.forwarded).isprintable()


@given(st.text(alphabet='for=";,\\_[]:%. \t19a', max_size=120))
def test_whatever_a_client_sends_first_the_proxys_word_stands(forged: str) -> None:
    assert resolved(forwarded=[f'{forged}, for="{CLIENT}"']) == CLIENT
    assert resolved(forwarded_for=[f"{forged}, {CLIENT}"]) == CLIENT


@given(st.text() | st.binary())
def test_a_user_agent_is_printable_bounded_and_stays_as_it_is(raw: str | bytes) -> None:
    clean = clean_user_agent(raw)
    assert clean.isprintable()
    assert len(clean) <= 512
    assert clean_user_agent(clean) == clean
    clean.encode()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("curl/8.5", "curl/8.5"),
        ("a\x00b\r\nc\u202ed\ud800e\u2028", "abcde"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        ("  ", ""),
        ("x" * 10**6, "x" * 512),
        ("\U0001f600" * 600, "\U0001f600" * 512),
        ("\U0001f600".encode() * 600, "\U0001f600" * 512),
    ],
)
def test_user_agents(raw: str | bytes, clean: str) -> None:
    assert clean_user_agent(raw) == clean


def test_networks_are_read_and_mapped_ones_become_ipv4() -> None:
    assert parse_networks("") == ()
    assert parse_networks(" 10.0.0.0/8,\n192.0.2.1 2001:db8::/32, ::ffff:172.16.0.0/108,") == (
        ip_network("10.0.0.0/8"),
        ip_network("192.0.2.1/32"),
        ip_network("2001:db8::/32"),
        ip_network("172.16.0.0/12"),
    )


@pytest.mark.parametrize(
    "bad", ["10.0.0.1/8", "proxy.internal", "10.0.0.0/33", "0.0.0.0/0", "::/0", "::ffff:0:0/96", "fe80::%eth0/64"]
)
def test_a_bad_network_is_named_by_position_and_not_by_value(bad: str) -> None:
    with pytest.raises(NetworkListInvalid, match="Entry 2 ") as caught:
        parse_networks(f"127.0.0.1, {bad}, 10.0.0.0/8")
    assert isinstance(caught.value, ValueError)
    assert bad not in str(caught.value)
