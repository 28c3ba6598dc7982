"""django-fernet-encrypted-fields: texts of 500 bytes sealed and opened a second, by the field's own two methods."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings

settings.configure(SECRET_KEY=os.urandom(32).hex(), SALT_KEY=os.urandom(32).hex(), INSTALLED_APPS=[], USE_TZ=True)
django.setup()

from django.db import connection  # noqa: E402
from encrypted_fields.fields import EncryptedTextField  # noqa: E402

TEXTS, ROUNDS = 500, 9

field = EncryptedTextField()
texts = [os.urandom(250).hex() for _ in range(TEXTS)]
tokens = [field.get_db_prep_save(text, connection) for text in texts]
assert [field.from_db_value(token, None, connection) for token in tokens] == texts
best = {"seal": float("inf"), "open": float("inf")}
for _ in range(ROUNDS):
    start = time.perf_counter()
    for text in texts:
        field.get_db_prep_save(text, connection)
    middle = time.perf_counter()
    for token in tokens:
        field.from_db_value(token, None, connection)
    end = time.perf_counter()
    best = {"seal": min(best["seal"], middle - start), "open": min(best["open"], end - middle)}
rates = {f"{name}_per_second": TEXTS / seconds for name, seconds in best.items()}
Path(sys.argv[2]).write_text(json.dumps({**rates, "stored_bytes": len(tokens[0])}))
