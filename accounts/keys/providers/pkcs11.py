"""A key of a PKCS#11 token, such as an HSM, by its URI (RFC 7512). The key is AES-256, and wraps by CKM_AES_GCM."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from cryptography.exceptions import InvalidTag

from accounts.keys.errors import KeyServiceRefuses, KeyServiceUnavailable
from vibe.core.crypto.seal import KEY_BYTES, NONCE_BYTES
from vibe.core.errors import ConfigurationError

ATTRIBUTES: Final = frozenset({"token", "object", "id", "module-path", "pin-source", "pin-value"})
REFUSALS: Final = frozenset({
    "AttributeTypeInvalid", "FunctionRejected", "KeyHandleInvalid", "KeyTypeInconsistent", "MechanismInvalid",
    "MultipleObjectsReturned", "MultipleTokensReturned", "NoSuchKey", "NoSuchToken", "PinExpired", "PinIncorrect",
    "PinInvalid", "PinLenRange", "PinLocked", "UserNotLoggedIn", "UserPinNotInitialized",
})  # fmt: skip
NOT_OURS: Final = frozenset({"EncryptedDataInvalid", "EncryptedDataLenRange", "GeneralError"})  # the last is SoftHSM's
USAGE: Final = (
    "It is: pkcs11:token=NAME;object=NAME?module-path=FILE&pin-source=FILE, percent-encoded, with id=BYTES instead of "
    "or beside object: docs/key-services.md"
)

_initialized_by: dict[str, int] = {}  # the process that initialized each library


class Pkcs11:
    """Wraps keys inside a token. It is called by one thread at a time, in a session that is opened when needed.

    The key is looked up for each call, so that one that was taken away there is noticed.
    """

    def __init__(self, uri: str, *, setting: str) -> None:
        self._attributes = parse_uri(uri, setting)
        named = [f"{each}={self._attributes[each]}" for each in ("token", "object", "id") if each in self._attributes]
        self.name = f"pkcs11:{';'.join(named)}"
        if not find_spec("pkcs11"):
            raise ConfigurationError(f"{setting} names a key of PKCS#11. Run: pip install python-pkcs11")
        self._pin = read_pin(self._attributes, setting)
        self._session: Any = None
        self._process = 0
        self._calling = threading.Lock()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key, as nonce, ciphertext and tag. Raises KeyServiceUnavailable."""
        nonce = os.urandom(NONCE_BYTES)
        with self._calling:
            return nonce + self._ask("encrypt", key, nonce, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a key. Raises InvalidTag or KeyServiceUnavailable."""
        with self._calling:
            return self._ask("decrypt", wrapped[NONCE_BYTES:], wrapped[:NONCE_BYTES], context)

    def _ask(self, operation: str, value: bytes, nonce: bytes, context: bytes) -> bytes:
        from pkcs11 import GCMParams, Mechanism  # noqa: PLC0415  installed where it is used
        from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415

        try:
            work = getattr(self._key(), operation)
            return bytes(work(value, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, context)))
        except PKCS11Error as problem:
            code = type(problem).__name__
        self._close()
        if operation == "decrypt" and code in NOT_OURS:
            self._ask("encrypt", bytes(KEY_BYTES), os.urandom(NONCE_BYTES), context)  # raises if the token is away
            raise InvalidTag
        refused = KeyServiceRefuses if code in REFUSALS else KeyServiceUnavailable
        raise refused(f"The PKCS#11 token answers {operation} with {code} for {self.name}.")

    def _key(self) -> Any:
        """Return the key, in a session of this process."""
        from pkcs11 import KeyType, ObjectClass  # noqa: PLC0415

        if self._session is None or self._process != os.getpid():
            self._session, self._process = self._open(), os.getpid()
        number = self._attributes.get("id")
        return self._session.get_key(
            object_class=ObjectClass.SECRET_KEY,
            key_type=KeyType.AES,
            label=self._attributes.get("object"),
            id=bytes.fromhex(number) if number else None,
        )

    def _open(self) -> Any:
        from pkcs11.exceptions import UserAlreadyLoggedIn  # noqa: PLC0415

        token = library(self._attributes["module-path"]).get_token(token_label=self._attributes["token"])
        try:
            return token.open(user_pin=self._pin)
        except UserAlreadyLoggedIn:  # by another key of the same token
            return token.open()

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._process == os.getpid():
            with suppress(RuntimeError):  # of PKCS#11: it may be closed already
                session.close()


def library(path: str) -> Any:
    """Return a PKCS#11 library, initialized in this process: a fork does not hand that on."""
    import pkcs11  # noqa: PLC0415

    found = pkcs11.lib(path)
    if _initialized_by.setdefault(path, os.getpid()) != os.getpid():
        found.reinitialize()
        _initialized_by[path] = os.getpid()
    return found


def parse_uri(uri: str, setting: str) -> dict[str, str]:
    """Return the attributes of a URI, an id in hexadecimal. Raises ConfigurationError, and never shows a value."""
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    pairs = [each.partition("=")[::2] for each in (*path.split(";"), *query.split("&")) if each]
    found = {name: unquote_to_bytes(value).hex() if name == "id" else unquote(value) for name, value in pairs}
    unknown = sorted(found.keys() - ATTRIBUTES)
    if unknown or len(found) < len(pairs):
        raise ConfigurationError(f"{setting} is a PKCS#11 URI with attributes unknown or given twice. {USAGE}")
    if not (found.get("token") and found.get("module-path") and (found.get("object") or found.get("id"))):
        raise ConfigurationError(f"{setting} is a PKCS#11 URI without token, module-path, or object. {USAGE}")
    if not Path(found["module-path"]).is_file():
        raise ConfigurationError(f"The module-path of {setting} is no file. {USAGE}")
    return found


def read_pin(attributes: dict[str, str], setting: str) -> str:
    """Return the PIN, from its file or the URI itself. Raises ConfigurationError."""
    source = attributes.get("pin-source", "").removeprefix("file:")
    if not source:
        pin = attributes.get("pin-value", "")
    else:
        try:
            pin = Path(source).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigurationError(
                f"The file that pin-source of {setting} names cannot be read ({type(problem).__name__}): {source}"
            ) from None
    if not pin:
        raise ConfigurationError(f"{setting} is a PKCS#11 URI without a PIN, or its file is empty. {USAGE}")
    return pin
