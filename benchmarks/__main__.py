"""Every measurement, one after the other, each in a process of its own: `make bench`."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import benchmarks

NOT_MEASUREMENTS = {"__main__", "harness", "openings", "retrieval"}  # the last needs data that is not part of this
OPTIONS = {"live": ["--short"]}  # the whole takes hours


def main() -> int:
    """Run all; the exit code says whether all ran, not how they came out."""
    failed = []
    for module in sorted(each.name for each in pkgutil.iter_modules(benchmarks.__path__)):
        if module in NOT_MEASUREMENTS:
            continue
        print(f"# {module}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{module}", *OPTIONS.get(module, [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(module)
    if failed:
        print(f"Did not run: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
