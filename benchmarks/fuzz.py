"""A million inputs for every parser of bytes from outside; what comes out is a value or a typed error.

    python -m benchmarks.fuzz [--inputs 1000000] [--only "import line"] [--guided]

Inputs are nearly right ones with a few things done to them (tests/attacks/parsers.py). `--guided` lets atheris choose
them by what code they reach; it is not among the project's packages: `pip install atheris`. Exit code 1 for a crash,
whose input is printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from random import Random
from typing import Any

from benchmarks.harness import show

SHOWN = 5  # crashes of a parser that are printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--only", help="one parser, by name")
    parser.add_argument("--guided", action="store_true", help="by atheris")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    os.environ.update(DJANGO_SETTINGS_MODULE="vibe.settings", DEBUG="on", VIBE_STATE_DIR=tempfile.mkdtemp())
    if options.guided and options.only:
        guided(options.only, options.inputs)
    set_up()
    from tests.attacks.parsers import PARSERS

    names = [options.only] if options.only else list(PARSERS)
    if options.guided:
        result = {name: guided_apart(name, options.inputs) for name in names}
    else:
        result = {name: mutated_inputs(name, options.inputs, options.seed) for name in names}
    show({"inputs_each": options.inputs, "seed": options.seed, "parsers": result})
    sys.exit(any(each["crashes"] for each in result.values()))


def set_up() -> None:
    """What the parsers import needs settings."""
    import django

    django.setup()


def mutated_inputs(name: str, count: int, seed: int) -> dict[str, Any]:
    """So many inputs of our own making."""
    from tests.attacks.parsers import PARSERS, mutated

    parser, chance, crashes = PARSERS[name], Random(f"{seed} {name}"), 0
    start = time.perf_counter()
    for _ in range(count):
        given = mutated(chance, parser.seeds)
        if problem := parser.crash(given):
            crashes += 1
            if crashes <= SHOWN:
                print(f"{name}: {type(problem).__name__}: {given!r}", file=sys.stderr)
    return {"crashes": crashes, "inputs_a_second": count / (time.perf_counter() - start)}


def guided_apart(name: str, count: int) -> dict[str, Any]:
    """The same by atheris, in a process of its own, which it never gives back."""
    command = [sys.executable, "-m", "benchmarks.fuzz", "--guided", "--only", name, "--inputs", str(count)]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"{name}: {done.stderr[-3000:]}", file=sys.stderr)
    return {"crashes": int(bool(done.returncode)), "inputs_a_second": count / (time.perf_counter() - start)}


def guided(name: str, count: int) -> None:
    """Never returns: atheris ends the process, with a code of its own for a crash."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    packages = ["audit", "memories", "vibe.core.crypto", "vibe.core.db.configured", "stories.processors", "json"]
    with atheris.instrument_imports(include=packages):
        set_up()
        from tests.attacks.parsers import PARSERS
    parser = PARSERS[name]

    def one(given: bytes) -> None:
        if problem := parser.crash(given):
            raise problem

    folder = tempfile.mkdtemp()
    for number, seed in enumerate(parser.seeds):
        with open(f"{folder}/{number}", "wb") as file:  # noqa: PTH123
            file.write(seed)
    atheris.Setup([sys.argv[0], f"-runs={count}", "-max_len=4096", "-verbosity=0", folder], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
