"""Which provider holds a master key shows in how the key is written."""

from __future__ import annotations

from django.conf import settings

from accounts.keys.providers.aws_kms import AwsKms
from accounts.keys.providers.pkcs11 import Pkcs11
from accounts.keys.providers.service_key import KeyService, ServiceKey
from vibe.core.crypto.master import MasterKey, WrappingKey
from vibe.core.errors import ConfigurationError


def read_master_key(text: str, *, setting: str) -> WrappingKey:
    """Read a key: 64 hexadecimal digits, the ARN of a key in AWS KMS, or a PKCS#11 URI. Raises ConfigurationError."""
    if text.startswith("arn:"):
        return of_service(AwsKms(text, setting=setting))
    if text.startswith("pkcs11:"):
        return of_service(Pkcs11(text, setting=setting))
    return MasterKey.from_hex(text, setting=setting)


def of_service(service: KeyService) -> ServiceKey:
    """Return the key of a service. Raises ConfigurationError."""
    if not 1 <= settings.KEY_CACHE_SECONDS <= 86_400:
        raise ConfigurationError("KEY_CACHE_SECONDS is not between 1 and 86400. Leave it out for 300.")
    return ServiceKey(service, cache_seconds=settings.KEY_CACHE_SECONDS)
