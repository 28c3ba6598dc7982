"""Networks and headers of trusted proxies, from the settings."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from audit.client.address import Network, parse_networks, proxy_header
from audit.errors import NetworkListInvalid
from vibe.core.from_settings import from_settings

UNIX: Final = "unix"


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
