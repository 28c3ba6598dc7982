#!/usr/bin/env python
"""The command line of Vibe: `python manage.py help` lists the commands."""

import gc
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")
    if sys.argv[1:2] == ["serve"]:
        os.environ.setdefault("DEBUG", "off")  # like vibe.wsgi: nothing is made up where people are served
        gc.disable()  # until all is loaded: nothing of it is garbage
    if sys.argv[1:2] in (["serve"], ["worker"]) and os.environ.get("LOG_FORMAT") == "json":
        from vibe.core.logs.formatting import JsonLines  # noqa: PLC0415

        sys.stderr = JsonLines(sys.stderr)  # type: ignore[assignment]
    try:
        from vibe.management.command_line import CommandLine  # noqa: PLC0415
    except ImportError:
        sys.exit("Django is not installed in this Python. Run: make install, then: .venv/bin/python manage.py")
    from vibe.core.errors import VibeError  # noqa: PLC0415

    try:
        CommandLine(sys.argv).execute()
    except VibeError as problem:
        sys.exit(f"Error: {problem}")


if __name__ == "__main__":
    main()
