"""An issuer on this machine: it publishes keys, misbehaves when it is told to, and signs what it is given."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

PROJECT = "vibe-tests"
ISSUER = f"https://securetoken.google.com/{PROJECT}"


@cache
def rsa_key(name: str) -> RSAPrivateKey:
    """One key a name; making one takes a tenth of a second."""
    return generate_private_key(65537, 1024 if name == "short" else 2048)


def published(*names: str) -> dict[str, Any]:
    """The set of keys of these names, as an issuer publishes it."""
    return {
        "keys": [
            {**RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True), "kid": name, "use": "sig"}
            for name in names
        ]
    }


def claims(uid: str = "ada", **changes: Any) -> dict[str, Any]:
    """What an ID token says; a claim that is changed to None is left out."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": PROJECT,
        "sub": uid,
        "user_id": uid,
        "iat": now,
        "auth_time": now,
        "exp": now + 3600,
        "firebase": {"sign_in_provider": "password"},
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def token(uid: str = "ada", *, kid: str | None = "one", key: str = "one", **changes: Any) -> str:
    """A token signed as Firebase signs."""
    return jwt.encode(claims(uid, **changes), rsa_key(key), algorithm="RS256", headers={"kid": kid} if kid else None)


def unsigned(uid: str = "ada", **changes: Any) -> str:
    """A token of the emulator: no signature."""
    return jwt.encode(claims(uid, **changes), None, algorithm="none")


@dataclass
class Answer:
    """How one request for keys is answered."""

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0  # seconds before anything is sent
    drip: float = 0.0  # seconds between two bytes


class KeyServer:
    """Publishes the keys named in `names`, unless `answer` says otherwise. Counts how often it was asked."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ("one",)
        self.max_age = 3600
        self.answer = Answer()
        self.asked = 0
        self.closed = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self.server.shutdown()
            self.server.server_close()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked += 1
                answer = service.answer
                service.closed.wait(answer.hang)
                body = answer.body if answer.body is not None else published(*service.names)
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                headers = {"Cache-Control": f"public, max-age={service.max_age}, must-revalidate", **answer.headers}
                try:
                    self.send_response(answer.status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for at in range(0, len(sent), 1 if answer.drip else 65_536):
                        self.wfile.write(sent[at : at + (1 if answer.drip else 65_536)])
                        service.closed.wait(answer.drip)
                except OSError:
                    pass  # the client has gone, as it should

            def log_message(self, *_: object) -> None:
                pass

        return Handler
