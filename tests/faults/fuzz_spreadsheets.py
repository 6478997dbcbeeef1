"""Spoils spreadsheets at random and reads them: each must end in a report or in a clear refusal, and soon.

PYTHONPATH=plugins python -m tests.faults.fuzz_spreadsheets --count 10000 --seed 1
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from explorer import report
from explorer.hierarchy import read_groups
from explorer.sources import Plan, SourceError
from explorer.sources.spreadsheet import SpreadsheetSource
from explorer.tables import TableRefused

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "spreadsheets"
SLOWEST = 10.0  # seconds that any of these small files may take
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp850", "mac_roman", "utf-7")
PIECES = (
    b'"',
    b'""',
    b"\0",
    b"\r",
    b"\n",
    b"\r\r\n",
    b";",
    b",",
    b"\t",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x8a",
    b"\xc3",
    b"PK\x03\x04",
    b"=1+1",
    "🧪é\u202e\u2028".encode(),
    b"DOI",
    b"Author",
    b"10.5555/",
    b" josiah@lilliput.example",
    b"\x1a",
    b"sep=;\n",
)

Spoiler = Callable[[bytes, random.Random], bytes]


def flip(content: bytes, dice: random.Random) -> bytes:
    """Some bytes become others."""
    spoilt = bytearray(content)
    for _ in range(dice.randint(1, 20)):
        if spoilt:
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
    return bytes(spoilt)


def cut(content: bytes, dice: random.Random) -> bytes:
    """The file ends too soon, or a piece of it is gone."""
    start, end = sorted(dice.choices(range(len(content) + 1), k=2))
    return content[:end] if dice.random() < 0.5 else content[:start] + content[end:]


def insert(content: bytes, dice: random.Random) -> bytes:
    """Pieces that mean something stand where they should not."""
    for _ in range(dice.randint(1, 8)):
        at = dice.randint(0, len(content))
        content = content[:at] + dice.choice(PIECES) * dice.choice((1, 1, 1, 2, 50)) + content[at:]
    return content


def mix(content: bytes, dice: random.Random) -> bytes:
    """Lines in several encodings."""
    lines = content.decode("utf-8", "replace").splitlines(keepends=True)
    return b"".join(line.encode(dice.choice(ENCODINGS), "replace") for line in lines)


def encode(content: bytes, dice: random.Random) -> bytes:
    """The whole file in another encoding."""
    return content.decode("utf-8", "replace").encode(dice.choice(ENCODINGS), "replace")


def repeat(content: bytes, dice: random.Random) -> bytes:
    """Pieces of the file again and again, as in a file that was put together badly."""
    start, end = sorted(dice.choices(range(len(content) + 1), k=2))
    return content[:end] + content[start:end] * dice.randint(1, 30) + content[end:]


SPOILERS: tuple[Spoiler, ...] = (flip, cut, insert, mix, encode, repeat)


def spoilt(content: bytes, dice: random.Random) -> bytes:
    """The content after one to three accidents."""
    for spoiler in dice.choices(SPOILERS, k=dice.randint(1, 3)):
        content = spoiler(content, dice)
    return content


def attempt(publications: Path, groups: Path | None) -> str:
    """Reads, checks and reports; says how it ended. Anything but a ``SourceError`` is a fault and goes through."""
    source = SpreadsheetSource(publications, groups, hash_key=b"secret")
    findings = list(source.check())
    plan = Plan("full")
    try:
        rows = sum(
            len(page.records)
            for part in source.parts(plan)
            if part.scope == "outputs"
            for page in source.read(part, plan, None)
        )
        found = source.report()
    except SourceError as refused:
        if not str(refused) or all(finding.ok for finding in findings):
            raise AssertionError(f"A refusal that says nothing, or that check does not show: {refused}") from refused
        return "refused"
    if rows != found.uploaded or found.uploaded != found.valid + found.rejected:
        raise AssertionError(f"{rows} rows were read, but the report says {found}")
    told = report.as_text(found) + report.as_csv(found) + str(report.as_json(found)) + str(findings)
    if "josiah@lilliput.example" in told:
        raise AssertionError("A mail address stands in the report.")
    return "read" if found.valid else "read, no row valid"


def run(count: int, seed: int) -> Counter[str]:
    """Spoils and reads ``count`` files, the same ones for the same seed; counts how they ended."""
    files = sorted(FIXTURES.glob("*.csv"))
    hierarchy = (FIXTURES / "hierarchy.csv").read_bytes()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        publications, groups = Path(folder, "publications.csv"), Path(folder, "groups.csv")
        for number in range(count):
            dice = random.Random(f"{seed}/{number}")
            content = spoilt(dice.choice(files).read_bytes(), dice)
            publications.write_bytes(content)
            groups.write_bytes(hierarchy if dice.random() < 0.7 else spoilt(hierarchy, dice))
            began = time.monotonic()
            try:
                ends[attempt(publications, groups if dice.random() < 0.8 else None)] += 1
                _groups_alone(content)
            except Exception as fault:
                raise AssertionError(f"File {number} of seed {seed}: {content!r}") from fault
            if (took := time.monotonic() - began) > SLOWEST:
                raise AssertionError(f"File {number} of seed {seed} took {took:.0f} seconds: {content!r}")
    return ends


def _groups_alone(content: bytes) -> None:
    try:
        hierarchy = read_groups(content)
    except TableRefused as refused:
        if not str(refused):
            raise AssertionError("A refusal that says nothing.") from refused
    else:
        if bool(hierarchy.departments) == bool(hierarchy.problems):
            raise AssertionError(f"Departments and problems at once, or neither: {hierarchy}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for end, how_often in run(arguments.count, arguments.seed).most_common():
        print(f"{how_often:>8,} {end}")  # noqa: T201 (what the command is for)
