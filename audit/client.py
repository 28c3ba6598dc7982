"""The client address of a request: the one that can be trusted, and the headers that claim others.

Two headers carry addresses: X-Forwarded-For, and Forwarded (RFC 7239). In both every proxy appends on the right, so
both are read from the right: a trusted proxy's entry is parsed correctly whatever the client put to its left, an open
quotation mark included. Networks and headers of trusted proxies come from the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from django.conf import settings

from audit.errors import NetworkListInvalid
from vibe.core.from_settings import from_settings

Hop = IPv4Address | IPv6Address | None  # None: an entry that is not an address

MAX_HEADER = 4096  # characters, counted from the right
_MAX_NODE = 96  # an IPv6 address with zone, brackets and port is shorter

_PORT = re.compile(r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")  # node-port of RFC 7239, section 6
_PARAMETER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 7239 requires quotes around a colon or a bracket. Some proxies omit them, which is not ambiguous.
_BARE = r"[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+"
_PAIR = re.compile(rf'[ \t]*(?:({_PARAMETER})=(?:({_BARE})|"((?:[^"\\]|\\.)*)")[ \t]*)?(;|\Z)')

Network = IPv4Network | IPv6Network

FORWARDED_FOR = "X-Forwarded-For"
FORWARDED = "Forwarded"
MAX_USER_AGENT = 512  # characters
MAX_RAW_HEADER = 512  # characters
_MAX_PEER = 64  # characters
_BYTES_PER_CHARACTER = 4  # at most, in UTF-8

UNIX: Final = "unix"


def parse_node(text: str) -> Hop:
    """Parse one address, with or without brackets, port and zone; return None for anything else.

    Ports and zones are dropped: both are meaningful only to the machine that saw them. An IPv4-mapped IPv6 address
    becomes the IPv4 address, so that one client has one spelling.
    """
    text = text.strip(" \t")
    if len(text) > _MAX_NODE:
        return None
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        well_formed = bool(bracket) and ":" in host and (not port or _PORT.fullmatch(port))
        return _address(host) if well_formed else None
    host, colon, port = text.partition(":")
    if colon and ":" not in port:
        return _address(host) if _PORT.fullmatch(colon + port) else None
    return _address(text)


def forwarded_for_hops(values: Sequence[str]) -> Iterator[Hop]:
    """Yield the hops of X-Forwarded-For from right to left; repeated header lines count as one list.

    An empty entry counts as a hop without an address: a proxy that had none to append wrote it, and what is to its left
    may come from the client.
    """
    text, whole = _rightmost(values)
    entries = text.split(",") if values else []
    for position in range(len(entries) - 1, -1, -1):
        yield parse_node(entries[position]) if position or whole else None


def forwarded_hops(values: Sequence[str]) -> Iterator[Hop]:
    """Yield the hops of Forwarded from right to left; obfuscated and unknown ones are None (RFC 7239, section 6)."""
    text, whole = _rightmost(values)
    if not values:
        return
    for start, element in _elements_from_right(text):
        yield _element_node(element) if start or whole else None


def _rightmost(values: Sequence[str]) -> tuple[str, bool]:
    """Return the header's right end, and whether it is complete. If not, its first entry may be cut off."""
    joined = ",".join(values)
    return joined[-MAX_HEADER:], len(joined) <= MAX_HEADER


def _elements_from_right(text: str) -> Iterator[tuple[int, str]]:
    """Split at commas outside quotation marks, from the end, which a proxy wrote and so is well formed."""
    end, quoted = len(text), False
    for position in range(len(text) - 1, -1, -1):
        character = text[position]
        if character == '"' and not _escaped(text, position):
            quoted = not quoted
        elif character == "," and not quoted:
            yield position + 1, text[position + 1 : end]
            end = position
    yield 0, text[:end]


def _escaped(text: str, position: int) -> bool:
    before = text[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _element_node(element: str) -> Hop:
    """Return the address after `for=` in one element; None if it has none, two, or is malformed."""
    node: str | None = None
    position, more = 0, True
    while more:
        pair = _PAIR.match(element, position)
        if pair is None:
            return None
        name, bare, quoted, end = pair.groups()
        if name is not None and name.lower() == "for":
            if node is not None:
                return None
            node = bare if bare is not None else re.sub(r"\\(.)", r"\1", quoted)
        position, more = pair.end(), end == ";"
    return None if node is None else parse_node(node)


def _address(text: str) -> Hop:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """The client address of a request.

    `ip` is the nearest address that no trusted proxy owns, or the farthest trusted one if nothing beyond it can be
    trusted; None if the peer has no address (a Unix socket). `peer` is the other end of the connection.
    `forwarded_for` and `forwarded` are the headers as received, cleaned and cut to their right end: evidence, not fact.
    """

    ip: str | None
    peer: str
    forwarded_for: str
    forwarded: str


def client_address(
    *,
    peer: str,
    forwarded_for: Sequence[str],
    forwarded: Sequence[str],
    trusted: Sequence[Network],
    header: str | None = None,
    trust_socket: bool = False,
) -> ClientAddress:
    """Find the client's address from the peer and the headers X-Forwarded-For and Forwarded (RFC 7239).

    Each header is the list of its lines in the order received; a header that was not sent is an empty list. The walk
    starts at the peer and goes from right to left for as long as the address in hand belongs to a trusted proxy. It
    ends at the first entry that is not an address: no trusted proxy vouches for what is to its left.

    When both headers were sent, a step is taken only where they agree. A proxy usually writes one of them and passes
    the other through, so one of the two may come from the client, and the request does not show which. If `header`
    names the one that the proxies write, the other is ignored: a client that sends it can then no longer hide behind
    the proxy's address. With `trust_socket`, a peer at a Unix socket counts as a trusted proxy.
    """
    start = parse_node(peer)
    found = _walk(
        start,
        forwarded_for if header != FORWARDED else (),
        forwarded if header != FORWARDED_FOR else (),
        trusted,
        trust_socket=trust_socket and (not peer or peer.startswith("unix:")),
    )
    return ClientAddress(
        ip=None if found is None else str(found),
        peer=_printable(peer[:_MAX_PEER]) if start is None else str(start),
        forwarded_for=_right_end(forwarded_for),
        forwarded=_right_end(forwarded),
    )


def clean_user_agent(raw: str | bytes) -> str:
    """Return at most 512 printable characters of a User-Agent header.

    Control and formatting characters, line separators and lone surrogates are removed; bytes that are not UTF-8
    become U+FFFD. The header is cut before it is parsed, so a huge one costs no more than a long one.
    """
    if isinstance(raw, bytes):
        raw = raw[: MAX_USER_AGENT * _BYTES_PER_CHARACTER].decode("utf-8", errors="replace")
    return _printable(raw[: MAX_USER_AGENT * _BYTES_PER_CHARACTER])[:MAX_USER_AGENT].strip()


def parse_networks(text: str, *, besides: str = "") -> tuple[Network, ...]:
    """Parse addresses and CIDR networks separated by commas or white space, but for the word `besides`.

    Raises NetworkListInvalid with the position of the first bad entry, counted from 1: one that is not a network, that
    has bits set behind its mask (10.0.0.1/8 may mean the host or the network), or that contains every address.
    """
    entries = [entry for entry in re.split(r"[,\s]+", text) if entry]
    return tuple(_network(entry, position) for position, entry in enumerate(entries, start=1) if entry != besides)


def proxy_header(text: str) -> str | None:
    """Parse the name of the header that the trusted proxies write; return None, for both, if it is empty.

    Raises NetworkListInvalid for any other name.
    """
    names = {"": None, "x-forwarded-for": FORWARDED_FOR, "forwarded": FORWARDED}
    try:
        return names[text.strip().lower()]
    except KeyError:
        raise NetworkListInvalid(f"The header of trusted proxies is {FORWARDED_FOR} or {FORWARDED}.") from None


def _walk(
    start: Hop,
    forwarded_for: Sequence[str],
    forwarded: Sequence[str],
    trusted: Sequence[Network],
    *,
    trust_socket: bool,
) -> Hop:
    headers = []
    if forwarded_for:
        headers.append(forwarded_for_hops(forwarded_for))
    if forwarded:
        headers.append(forwarded_hops(forwarded))
    address = start
    for hops in zip(*headers, strict=False):
        agreed = hops[0] if len(set(hops)) == 1 else None
        if agreed is None or not (trust_socket if address is None else _is_trusted(address, trusted)):
            break
        address = agreed
    return address


def _is_trusted(address: Hop, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _network(entry: str, position: int) -> Network:
    try:
        network = _unmapped(ip_network(entry))
    except ValueError:
        raise NetworkListInvalid(
            f"Entry {position} is no network. Write addresses or CIDR networks such as 10.0.0.0/8 or 2001:db8::/32, "
            "with no bits set behind the mask."
        ) from None
    if network.prefixlen == 0:
        raise NetworkListInvalid(
            f"Entry {position} holds every address there is, so every client could write its own. "
            "Name the proxies' networks."
        )
    return network


def _unmapped(network: Network) -> Network:
    """Turn ::ffff:10.0.0.0/104 into 10.0.0.0/8, as is done with addresses before they are compared."""
    if isinstance(network, IPv4Network):
        return network
    first: IPv6Address = network.network_address
    if first.scope_id is not None:
        raise ValueError("a zone names an interface, not a network")
    mapped: IPv4Address | None = first.ipv4_mapped
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def _right_end(values: Sequence[str]) -> str:
    return _printable(", ".join(values)[-MAX_RAW_HEADER:])


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())


@from_settings
def trusted_proxies() -> tuple[Network, ...]:
    """Return the networks of TRUSTED_PROXIES. Raises NetworkListInvalid, naming the setting."""
    return networks_of("TRUSTED_PROXIES", besides=UNIX)


@from_settings
def trusts_sockets() -> bool:
    """Return whether TRUSTED_PROXIES names whoever connects to a Unix socket."""
    return UNIX in settings.TRUSTED_PROXIES.replace(",", " ").split()


@from_settings
def trusted_header() -> str | None:
    """Return the header that the proxies write, by TRUSTED_PROXY_HEADER. Raises NetworkListInvalid."""
    try:
        return proxy_header(settings.TRUSTED_PROXY_HEADER)
    except NetworkListInvalid as problem:
        raise NetworkListInvalid(f"TRUSTED_PROXY_HEADER: {problem}") from None


def networks_of(setting: str, *, besides: str = "") -> tuple[Network, ...]:
    """Read a setting that lists networks, and the word `besides`. Raises NetworkListInvalid, naming the setting."""
    try:
        return parse_networks(getattr(settings, setting), besides=besides)
    except NetworkListInvalid as problem:
        raise NetworkListInvalid(f"{setting}: {problem}") from None
