"""`verify_webhook` of both clients, against what the server signs and the scheme's published example."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from accounts.webhooks.signing import secret_text, signed_headers
from tests.clients.test_typescript import compiled  # noqa: F401
from tests.processes import PATIENCE
from vibe_client import WebhookInvalid, verify_webhook

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
BODY = b'{"type":"story.built","timestamp":"2026-05-12T09:30:00Z","data":{"user_id":"u","story_id":"s"}}'
EXAMPLE = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
EXAMPLE_SECRET, EXAMPLE_BODY, EXAMPLE_TIME = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    b'{"test": 2432232314}',
    1614265330,
)
NOW = int(time.time())
SIGNED = signed_headers([NEW, OLD], "m-1", NOW, BODY)
CASES: dict[str, tuple[bool, str, dict[str, str], bytes, int]] = {
    "by the new secret": (True, secret_text(NEW), SIGNED, BODY, NOW),
    "by the secret of before": (True, secret_text(OLD), SIGNED, BODY, NOW),
    "names in capitals": (True, secret_text(OLD), {k.title(): v for k, v in SIGNED.items()}, BODY, NOW),
    "the published example": (True, EXAMPLE_SECRET, EXAMPLE, EXAMPLE_BODY, EXAMPLE_TIME),
    "another secret": (False, secret_text(bytes(32)), SIGNED, BODY, NOW),
    "an empty secret": (False, "whsec_", signed_headers([b""], "m", NOW, BODY), BODY, NOW),
    "a changed body": (False, secret_text(NEW), SIGNED, BODY.replace(b"built", b"bilt "), NOW),
    "another id": (False, secret_text(NEW), {**SIGNED, "webhook-id": "m-2"}, BODY, NOW),
    "another time": (False, secret_text(NEW), {**SIGNED, "webhook-timestamp": str(NOW - 1)}, BODY, NOW),
    "too old": (False, secret_text(NEW), SIGNED, BODY, NOW + 301),
    "ahead": (False, secret_text(NEW), SIGNED, BODY, NOW - 301),
    "no signature": (False, secret_text(NEW), {**SIGNED, "webhook-signature": ""}, BODY, NOW),
    "a signature of another version": (
        *(False, secret_text(NEW)),
        *({**SIGNED, "webhook-signature": SIGNED["webhook-signature"].replace("v1,", "v2,")}, BODY, NOW),
    ),
    "no headers": (False, secret_text(NEW), {}, BODY, NOW),
}


@pytest.mark.parametrize("case", CASES)
def test_python(case: str) -> None:
    good, secret, headers, body, now = CASES[case]
    if good:
        assert verify_webhook(secret, headers, body, now=now) == json.loads(body)
        assert verify_webhook(secret, headers, body.decode(), now=now) == json.loads(body)
    else:
        with pytest.raises(WebhookInvalid) as refused:
            verify_webhook(secret, headers, body, now=now)
        assert secret not in str(refused.value)


def test_typescript(compiled: Path, tmp_path: Path) -> None:  # noqa: F811
    """All of them in one process of Node."""
    script = compiled / "dist" / "verify.mjs"
    script.write_text(
        "import { verifyWebhook, WebhookInvalid } from './index.js';\n"
        "const found = {};\n"
        "for (const [name, [secret, headers, body, now]] of Object.entries(JSON.parse(process.argv[2]))) {\n"
        "  try { found[name] = JSON.stringify(await verifyWebhook(secret, headers, body, { now })); }\n"
        "  catch (problem) { found[name] = problem instanceof WebhookInvalid ? null : String(problem); }\n"
        "}\n"
        "console.log(JSON.stringify(found));\n"
    )
    given = {name: [secret, headers, body.decode(), now] for name, (_, secret, headers, body, now) in CASES.items()}
    command = ["node", str(script), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    for name, (good, _, _, body, _) in CASES.items():
        assert (json.loads(found[name]) if found[name] else None) == (json.loads(body) if good else None), name
