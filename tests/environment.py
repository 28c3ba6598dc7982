"""The environment of the tests, set before the settings are read: a state folder of their own."""

import os
from pathlib import Path

os.environ.setdefault("VIBE_STATE_DIR", str(Path(__file__).resolve().parent.parent / ".vibe" / "test"))
os.environ.setdefault("LOG_LEVEL", "WARNING")
