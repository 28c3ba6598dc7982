"""Key services for tests: SoftHSM2 (Debian's softhsm2), and AWS KMS as moto's server imitates it."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "1234"


class TestedService(ABC):
    """A key service with one key, and what its operator does there."""

    __test__ = False
    key: str  # as ENCRYPTION_KEY names it

    @abstractmethod
    def disable(self) -> None:
        """Take the key away from whoever uses it."""

    @abstractmethod
    def away(self) -> Any:
        """Be away in a block."""


class SoftHsm(TestedService):
    """A token in a folder, for all tests of the process: the library reads its configuration once."""

    folder: Path | None = None

    def __init__(self, folder: Path) -> None:
        if not SOFTHSM.exists() or not shutil.which("softhsm2-util"):
            pytest.skip("SoftHSM2 is not installed. Run: apt-get install softhsm2")
        if SoftHsm.folder is None:
            SoftHsm.folder = folder
            (folder / "tokens").mkdir()
            conf = folder / "softhsm2.conf"
            conf.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
            os.environ["SOFTHSM2_CONF"] = str(conf)
            made = ["softhsm2-util", "--init-token", "--free", "--label", "vibe tests", "--pin", PIN, "--so-pin", PIN]
            subprocess.run(made, check=True, capture_output=True)
            (folder / "pin").write_text(f"{PIN}\n")
        self.label = f"master {uuid4()}"
        self.make()
        self.key = (
            f"pkcs11:token=vibe%20tests;object={self.label.replace(' ', '%20')}"
            f"?module-path={SOFTHSM}&pin-source={SoftHsm.folder}/pin"
        )

    def make(self) -> None:
        from pkcs11 import KeyType

        with self.session() as session:
            session.generate_key(KeyType.AES, 256, label=self.label, store=True)

    def disable(self) -> None:
        with self.session() as session:
            session.get_key(label=self.label).destroy()

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session that may change the token, beside that of the product."""
        import pkcs11

        token = pkcs11.lib(str(SOFTHSM)).get_token(token_label="vibe tests")
        try:
            session = token.open(user_pin=PIN, rw=True)
        except pkcs11.UserAlreadyLoggedIn:
            session = token.open(rw=True)
        with session:
            yield session

    @contextmanager
    def away(self) -> Iterator[None]:
        """SoftHSM cannot be taken away from a process that has it: its calls fail as those of a pulled device do."""
        from pkcs11.exceptions import DeviceRemoved

        with mock.patch("accounts.keys.providers.pkcs11.Pkcs11._key", side_effect=DeviceRemoved):
            yield


class Moto(TestedService):
    """A key in a server that imitates AWS KMS."""

    server: Any = None

    def __init__(self) -> None:
        pytest.importorskip("boto3")
        server = pytest.importorskip("moto.server")
        if Moto.server is None:
            Moto.server = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            Moto.server.start()
            _, Moto.port = Moto.server.get_host_and_port()
        os.environ.update(
            AWS_ENDPOINT_URL_KMS=f"http://127.0.0.1:{Moto.port}",
            AWS_ACCESS_KEY_ID="none",
            AWS_SECRET_ACCESS_KEY="none",
        )
        self.key = self.client().create_key()["KeyMetadata"]["Arn"]

    @staticmethod
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("kms", region_name="eu-central-1")

    def disable(self) -> None:
        self.client().disable_key(KeyId=self.key.rpartition("/")[2])

    @contextmanager
    def away(self) -> Iterator[None]:
        from moto.server import ThreadedMotoServer

        Moto.server.stop()
        try:
            yield
        finally:
            Moto.server = ThreadedMotoServer(ip_address="127.0.0.1", port=Moto.port, verbose=False)
            Moto.server.start()


@contextmanager
def disabled_keys_refuse() -> Iterator[None]:
    """moto works with disabled keys; AWS KMS answers DisabledException (API reference, Encrypt and Decrypt)."""
    from moto.core.exceptions import JsonRESTError
    from moto.kms.models import KmsBackend

    def refusing(real: Any) -> Any:
        def work(self: Any, *arguments: Any, **given: Any) -> Any:
            if any(key.key_state == "Disabled" for name, key in self.keys.items() if name in str(given["key_id"])):
                raise JsonRESTError("DisabledException", "The key is disabled.")
            return real(self, *arguments, **given)

        return work

    with (
        mock.patch.object(KmsBackend, "encrypt", refusing(KmsBackend.encrypt)),
        mock.patch.object(KmsBackend, "decrypt", refusing(KmsBackend.decrypt)),
    ):
        yield
