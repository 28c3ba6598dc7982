"""Which addresses webhooks may go to: public ones, and those of WEBHOOK_NETWORKS.

A host name is looked up once for each request, and the request goes to an address that was checked: a name that gives
another address the next time leads nowhere else.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Self
from urllib.parse import urlsplit

from django.conf import settings

from accounts.models.webhooks import LONGEST_URL
from vibe.core.errors import ConfigurationError, InputError
from vibe.core.from_settings import from_settings

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
GLOBAL_UNICAST: Final = ip_network("2000::/3")
# What Python calls global, and is not for webhooks: special relays, local services, and Azure's own host.
NOT_FOR_US: Final = tuple(
    ip_network(text)
    for text in (
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
        *("2001::/23", "2620:4f:8000::/48", "3fff::/20"),
    )
)
NAT64: Final = ip_network("64:ff9b::/96")
COMPATIBLE: Final = ip_network("::/96")
PORTS: Final = {"https": 443, "http": 80}


class AddressRefused(InputError):
    message = "Webhooks go to public addresses only. Give one, or have its network added to WEBHOOK_NETWORKS."
    code = "webhook-address-refused"


class HostUnknown(InputError):
    message = "The host of the address cannot be found. Check its name."
    code = "webhook-host-unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook goes, as its address says."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an address. Raises InputError for one that is none of https, or of http."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InputError("The address is not a URL.") from None
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url or len(url) > LONGEST_URL:
            raise InputError(f"The address has to be a URL of at most {LONGEST_URL} visible ASCII characters.")
        if parts.scheme not in PORTS or not parts.hostname or port == 0:
            raise InputError("The address has to begin with https:// and name a host.")
        if "@" in parts.netloc or parts.fragment:
            raise InputError("The address may hold no user, no password and no fragment.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme == "https", parts.hostname, port or PORTS[parts.scheme], path)

    def addresses(self, seconds: float) -> list[Ip]:
        """Look the host up, and return its addresses, each of which may be connected to.

        Raises HostUnknown, and AddressRefused if any of them is not allowed.
        """
        found = look_up(self.host, self.port, seconds)
        if not all(is_allowed(ip, secure=self.secure) for ip in found):
            raise AddressRefused
        return found


def look_up(host: str, port: int, seconds: float) -> list[Ip]:
    """Return the addresses of a host. Raises HostUnknown, also when nothing is known in time.

    The system's look-up has no time limit, so it has a thread of its own, which may outlast this.
    """
    answer: SimpleQueue[list[Ip]] = SimpleQueue()
    Thread(target=partial(_look_up, host, port, answer), daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        found = []
    if not found:
        raise HostUnknown
    return found


def _look_up(host: str, port: int, answer: SimpleQueue[list[Ip]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.put([ip_address(str(address[0]).partition("%")[0]) for *_, address in found])
    except (OSError, ValueError):
        answer.put([])


def is_allowed(ip: Ip, *, secure: bool) -> bool:
    """Return whether a webhook may go to an address; by http only to WEBHOOK_NETWORKS."""
    inner = embedded(ip) or ip
    own = any(inner in network for network in networks() if network.version == inner.version)
    return own or (secure and is_public(inner))


def is_public(ip: Ip) -> bool:
    """Return whether an address, which embeds no other, is of the public internet and of one host."""
    if ip.version == 6 and ip not in GLOBAL_UNICAST:
        return False
    special = any(ip in network for network in NOT_FOR_US if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not special


def embedded(ip: Ip) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to: mapped, compatible, by NAT64 or by 6to4. None for others."""
    if not isinstance(ip, IPv6Address):
        return None
    if ip in NAT64 or (ip in COMPATIBLE and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


@from_settings
def networks() -> tuple[Network, ...]:
    """Return WEBHOOK_NETWORKS. Raises ConfigurationError."""
    try:
        return tuple(ip_network(text.strip()) for text in settings.WEBHOOK_NETWORKS)
    except ValueError:
        raise ConfigurationError(
            "WEBHOOK_NETWORKS has to be networks with commas between, such as: 10.20.0.0/16,fd12::/48"
        ) from None
