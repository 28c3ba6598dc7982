"""What tells an agent where it gets a token for this server: OAuth 2.0 Protected Resource Metadata (RFC 9728).

Vibe is the protected resource. It issues no tokens; which it accepts is what docs/sign-in.md says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from accounts.authentication.firebase import LOCAL
from vibe.core.errors import ConfigurationError
from vibe.core.from_settings import from_settings

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
SCOPES: Final = ("read", "write")


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """The settings MCP_URL and MCP_AUTHORIZATION_SERVERS. Without authorization servers nothing is served."""

    url: str
    authorization_servers: tuple[str, ...]

    def check(self) -> None:
        """Raise ConfigurationError, naming the setting that is wrong."""
        if bool(self.url) != bool(self.authorization_servers):
            raise ConfigurationError("MCP_URL and MCP_AUTHORIZATION_SERVERS go together. Set both, or neither.")
        for name, urls in (("MCP_URL", [self.url]), ("MCP_AUTHORIZATION_SERVERS", self.authorization_servers)):
            if self.url and not all(map(_is_address, urls)):
                raise ConfigurationError(
                    f"{name} must hold addresses that begin with https://, unless they are on this machine, and have "
                    "no query and no fragment."
                )

    @property
    def metadata_url(self) -> str:
        """Return where the metadata is; empty if none is served."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}" if self.url else ""

    def serves(self, path: str) -> bool:
        """Return whether the metadata is at this path: the well-known one, with the path of MCP_URL or without."""
        return bool(self.url) and path in (WELL_KNOWN, urlsplit(self.metadata_url).path)

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the metadata, as RFC 9728 (section 2) names its members."""
        return {
            "resource": self.url,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
            "resource_name": "Vibe",
        }


@from_settings
def protected_resource() -> ProtectedResource:
    """Return what is served about this server. Raises ConfigurationError."""
    found = ProtectedResource(settings.MCP_URL, tuple(settings.MCP_AUTHORIZATION_SERVERS))
    found.check()
    return found


def _is_address(url: str) -> bool:
    """Return whether a URL may be given to agents, which send tokens there."""
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)
    return secure and bool(parts.hostname) and not parts.query and not parts.fragment
