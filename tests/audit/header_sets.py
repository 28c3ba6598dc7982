"""Requests whose right answer is known because they were built from it.

A story is made first: who the client is, which trusted proxies it passed, what each proxy wrote. The headers follow
from the story. Nothing here reads a header.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from random import Random

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("192.0.2.64/26"), ip_network("2001:db8:face::/48"))
JUNK = (
    *("unknown", "_hidden", "_", "", " ", "-", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4:"),
    *(
        "1.2.3.4:port",
        "1.2.3.4:123456",
        "[1.2.3.4]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[]",
        "::g",
        "1:2:3",
        "10.0.0.0/8",
    ),
    *("\u0661.2.3.4", "fe80::1%", "1.2.3.4 5.6.7.8", "\x00", "\ud800", "'", "for=9.9.9.9", "a" * 5000),
)
BROKEN_QUOTES = (
    'for="',
    'for=9.9.9.9;x="',
    'for="9.9.9.9\\',
    '"',
    'for="9.9.9.9"x',
    "for=9.9.9.9;for=8.8.8.8",
    'x="\\"',
)


@dataclass(frozen=True)
class HeaderSet:
    peer: str
    forwarded_for: list[str]
    forwarded: list[str]
    answer: str
    story: str


def header_sets(count: int, seed: int = 20261122) -> list[HeaderSet]:
    random = Random(seed)
    return [_header_set(random) for _ in range(count)]


def _header_set(random: Random) -> HeaderSet:
    proxies = [_proxy(random) for _ in range(random.randrange(4))]
    internal = bool(proxies) and random.random() < 0.1
    client = _proxy(random) if internal else _stranger(random)
    hops = [client, *proxies]  # client first, peer last
    peer, seen = hops[-1], hops[:-1]
    mode = random.choice(("x-forwarded-for", "forwarded", "both", "other header forged"))
    forged = [] if internal else [_forged(random) for _ in range(random.choice((0, 0, 1, 2, 3)))]
    # A proxy that cannot or will not name its own peer ends what can be known at itself.
    mute = random.randrange(len(seen)) if seen and random.random() < 0.25 else None
    answer = client if mute is None else hops[mute + 1]

    plain = [_spelt(random, address) for address in seen]
    tagged = [_element(random, address) for address in seen]
    if mute is not None:
        plain[mute] = random.choice(JUNK)
        tagged[mute] = random.choice(("for=unknown", "for=_hidden", 'for="_x:_y"', "proto=https", "", 'for=""'))
    forwarded_for = _lines(random, [*forged, *plain]) if mode != "forwarded" else []
    lies = [f"for={_quoted(entry)}" if entry not in BROKEN_QUOTES else entry for entry in forged]
    forwarded = _lines(random, [*lies, *tagged]) if mode in ("forwarded", "both") else []
    if mode == "other header forged":
        forwarded = _lines(random, [f"for=9.9.9.{random.randrange(256)}" for _ in range(random.randint(1, 3))])
        answer = peer
    return HeaderSet(str(peer), forwarded_for, forwarded, str(answer), f"{mode}, {len(proxies)} proxies")


def _stranger(random: Random) -> IPv4Address | IPv6Address:
    if random.random() < 0.5:
        return IPv4Address(random.choice((0x05000000, 0xC6336400, 0xAC100000)) + random.randrange(256))
    return IPv6Address((0x20010DB80BAD << 80) + random.getrandbits(64))


def _proxy(random: Random) -> IPv4Address | IPv6Address:
    return random.choice(
        (
            IPv4Address(0x0A000000 + random.getrandbits(24)),
            IPv4Address(0xC0000240 + random.randrange(64)),
            IPv6Address((0x20010DB8FACE << 80) + random.getrandbits(80)),
        )
    )


def _forged(random: Random) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(JUNK)
    if kind == 1:
        return random.choice(BROKEN_QUOTES)
    return str(_proxy(random) if kind == 2 else _stranger(random))


def _spelt(random: Random, address: IPv4Address | IPv6Address) -> str:
    """Spell an address in one of the ways proxies do."""
    port = random.randrange(65536)
    if isinstance(address, IPv4Address):
        mapped = f"::ffff:{address}"
        return random.choice((str(address), f"{address}:{port}", f" {address}\t", mapped, f"[{mapped}]:{port}"))
    text = random.choice((str(address), address.exploded, address.exploded.upper()))
    return random.choice((text, f"[{text}]", f"[{text}]:{port}", f"{text}%eth0", f"[{text}%en1]:{port}"))


def _element(random: Random, address: IPv4Address | IPv6Address) -> str:
    node = _spelt(random, address).strip()
    bare = isinstance(address, IPv4Address) and ":" not in node and random.random() < 0.5
    pair = random.choice(("for", "For", "FOR")) + "=" + (node if bare else _quoted(node, random))
    others = random.sample(["proto=https", 'by="[2001:db8::7]:80"', 'host="a,b;c=\\"d"', 'ext="for=9.9.9.9"'], k=2)
    pairs = [pair, *others[: random.randrange(3)]]
    random.shuffle(pairs)
    return random.choice((";", "; ")).join(pairs)


def _quoted(node: str, random: Random | None = None) -> str:
    escaped = node.replace("\\", "\\\\").replace('"', '\\"')
    if random and random.random() < 0.2:
        escaped = "\\" + escaped
    return f'"{escaped}"'


def _lines(random: Random, entries: list[str]) -> list[str]:
    """Write a list as header lines: proxies append to the last line or add one of their own."""
    lines: list[str] = []
    for entry in entries:
        if lines and random.random() < 0.7:
            lines[-1] += random.choice((",", ", ", " , ")) + entry
        else:
            lines.append(entry)
    return lines
