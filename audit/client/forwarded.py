"""The addresses that proxies wrote into a request, nearest first.

Two headers carry them: X-Forwarded-For, and Forwarded (RFC 7239). In both every proxy appends on the right, so both are
read from the right: a trusted proxy's entry is parsed correctly whatever the client put to its left, an open quotation
mark included.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

Hop = IPv4Address | IPv6Address | None  # None: an entry that is not an address

MAX_HEADER = 4096  # characters, counted from the right
_MAX_NODE = 96  # an IPv6 address with zone, brackets and port is shorter

_PORT = re.compile(r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")  # node-port of RFC 7239, section 6
_PARAMETER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 7239 requires quotes around a colon or a bracket. Some proxies omit them, which is not ambiguous.
_BARE = r"[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+"
_PAIR = re.compile(rf'[ \t]*(?:({_PARAMETER})=(?:({_BARE})|"((?:[^"\\]|\\.)*)")[ \t]*)?(;|\Z)')


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
