"""The environment of the tests, set before the settings are read: a state folder of their own, no waiting."""

import os
from pathlib import Path

os.environ["VIBE_STATE_DIR"] = os.environ.get("VIBE_STATE_DIR") or str(
    Path(__file__).resolve().parent.parent / ".vibe" / "test"
)
os.environ.setdefault("LOG_LEVEL", "WARNING")
# A story is due at once, not a minute after what was said.
os.environ.setdefault("STORY_QUIET_SECONDS", "0")
