"""A key of AWS KMS, by its ARN. Credentials come from boto3's own places: the environment, a role, a profile."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from accounts.keys.errors import KeyServiceRefuses, KeyServiceUnavailable
from vibe.core.errors import ConfigurationError

ARN: Final = re.compile(r"arn:aws[a-z-]{0,20}:kms:(?P<region>[a-z0-9-]{1,30}):[0-9]{12}:key/[A-Za-z0-9-]{1,128}")
CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 1.5
ATTEMPTS: Final = 2
REFUSALS: Final = frozenset({
    "AccessDeniedException", "DisabledException", "InvalidKeyUsageException", "KMSInvalidStateException",
    "NotFoundException", "UnrecognizedClientException",
})  # fmt: skip
NOT_OURS: Final = frozenset({"IncorrectKeyException", "InvalidCiphertextException", "ValidationException"})


class AwsKms:
    """Wraps keys with Encrypt and Decrypt (github.com/boto/boto3, client "kms")."""

    def __init__(self, arn: str, *, setting: str) -> None:
        found = ARN.fullmatch(arn)
        if not found:
            raise ConfigurationError(
                f"{setting} begins with arn: and is not the ARN of a key in AWS KMS: "
                "arn:aws:kms:REGION:ACCOUNT:key/ID (an alias could come to mean another key)."
            )
        if not find_spec("boto3"):
            raise ConfigurationError(f"{setting} names a key in AWS KMS. Run: pip install boto3")
        self.name = arn
        self._region = found["region"]

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key. Raises KeyServiceUnavailable."""
        answer = self._ask("encrypt", Plaintext=key, EncryptionContext={"vibe": context.hex()})
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a key. Raises InvalidTag or KeyServiceUnavailable."""
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext={"vibe": context.hex()})
        return bytes(answer["Plaintext"])

    def _ask(self, operation: str, **given: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  installed where it is used

        try:
            answer: dict[str, Any] = getattr(client_of(os.getpid(), self._region), operation)(KeyId=self.name, **given)
        except ClientError as problem:
            code = str(problem.response.get("Error", {}).get("Code", ""))
            if code in NOT_OURS:
                raise InvalidTag from None
            refused = KeyServiceRefuses if code in REFUSALS else KeyServiceUnavailable
            raise refused(f"AWS KMS answers {operation} with {code} for {self.name}.") from None
        except BotoCoreError as problem:
            raise KeyServiceUnavailable(
                f"AWS KMS was not asked to {operation} ({type(problem).__name__}) for {self.name}."
            ) from None
        if answer.get("KeyId") != self.name:
            raise KeyServiceRefuses(f"AWS KMS answers {operation} with another key than {self.name}.")
        return answer


@lru_cache(maxsize=8)
def client_of(_process: int, region: str) -> Any:
    """Return a client of this process: a forked one must not share its connections."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return boto3.session.Session().client("kms", region_name=region, config=config)
