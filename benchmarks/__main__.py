"""``python -m benchmarks [--quick] [NAME …]``: all measurements, one after the other, and at the end a line of each.

A benchmark is a file here with a function ``main``; it prints its own figures, and its status says whether what it
promises was held. Each is a process of its own. ``--quick`` measures less, to see that all of them work: its figures
mean little. Status 1 if a promise was not held.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
# How each is told to measure less.
QUICK: dict[str, tuple[str, ...]] = {
    "attention": ("--scale", "0.02"),
    "identifiers": ("--count", "100000"),
    "spreadsheet": ("--rows", "20000"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark, run. Seconds; ``status`` 0: what it promises was held."""

    name: str
    status: int
    seconds: float

    def __str__(self) -> str:
        said = "held" if self.status == 0 else f"NOT HELD (status {self.status}; its figures stand above)"
        return f"{self.name:<14} {self.seconds:>7.0f} s   {said}"


def names() -> list[str]:
    """All benchmarks, by name."""
    files = (each for each in sorted(FOLDER.glob("*.py")) if each.stem != "__main__")
    return [each.stem for each in files if "\ndef main(" in each.read_text("utf-8")]


def run(name: str, *, quick: bool) -> Result:
    """Runs one benchmark; what it prints is seen at once."""
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    options = QUICK.get(name, ("--quick",)) if quick else ()
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", *options], check=False)  # noqa: S603 - our own files
    return Result(name, done.returncode, time.monotonic() - began)


def main() -> int:
    """Runs those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures, and says what was held.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names())}; without any: all")
    parser.add_argument("--quick", action="store_true", help="measure less; the figures then mean little")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    results = [run(name, quick=options.quick) for name in options.names or names()]
    print("\n=== all" + (", measured quickly" if options.quick else ""), *results, sep="\n")
    return int(any(each.status for each in results))


if __name__ == "__main__":
    sys.exit(main())
