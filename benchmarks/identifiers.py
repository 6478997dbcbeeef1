"""How fast DOIs are read from cells, beside ``idutils`` on the same values in the same run.

``python benchmarks/identifiers.py [--count 1000000] [--json]``. ``canonical_doi`` does what idutils' pair of functions
does, one value in and a DOI or nothing out, and must not be slower. ``parse`` also writes a note for each repair and a
reason for each refusal; it is shown for cells that are all different, and for a spreadsheet with an output in several
rows, one for each author.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

import idutils
from rich.console import Console
from rich.table import Table

from explorer import identifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# How cells of real files are written, in shares of a hundred: most are bare, some addresses, few anything else.
KINDS: dict[str, tuple[int, str]] = {
    "bare": (38, "10.5555/{word}.{year}.{n}"),
    "upper case": (10, "10.5555/{WORD}-{n}"),
    "old, with brackets": (4, "10.5555/0005-{year}(70){n}-0"),
    "address": (18, "https://doi.org/10.5555/{word}.{n}"),
    "old address": (4, "http://dx.doi.org/10.5555/{word}{n}"),
    "prefix": (8, "doi:10.5555/{word}.{n}"),
    "blank behind": (5, "10.5555/{word}.{n} "),
    "full stop behind": (2, "10.5555/{word}.{n}."),
    "in a citation": (3, "Gulliver, L. ({year}). Travels. doi: 10.5555/{word}.{n}"),
    "another identifier": (2, "{n}"),
    "wrong": (2, "110.5555/{word}{n}"),
    "none": (1, "not yet published"),
    "empty": (3, ""),
}
AUTHORS = 4  # rows of an output in a spreadsheet
WORDS = ("lilliput", "blefuscu", "laputa", "balnibarbi", "glubbdubdrib", "luggnagg", "brobdingnag")


def values(count: int, seed: int = 1726) -> list[str]:
    """Cells of all kinds in random order, hardly any of them twice."""
    chance = random.Random(seed)
    forms = chance.choices([form for _, form in KINDS.values()], [share for share, _ in KINDS.values()], k=count)
    made = []
    for form in forms:
        word = chance.choice(WORDS)
        made.append(
            form.format(word=word, WORD=word.upper(), n=chance.randrange(10**7), year=chance.randrange(1726, 2027))
        )
    return made


def with_idutils(value: str) -> str | None:
    """The canonical DOI by idutils: is it one, and then its normal form."""
    return idutils.normalize_doi(value) if idutils.is_doi(value) else None


def timed(read: Callable[[str], Any], cells: Sequence[str], rounds: int) -> float:
    """Seconds of CPU for all cells, the best of some rounds; nothing is remembered from round to round."""
    spent = []
    for _ in range(rounds):
        identifiers._parse_remembered.cache_clear()  # noqa: SLF001
        began = time.process_time()
        for cell in cells:
            read(cell)
        spent.append(time.process_time() - began)
    return min(spent)


def with_parse(value: str) -> str | None:
    """The canonical DOI, after all notes and reasons were written."""
    return identifiers.parse("doi", value).value


def measure(count: int, rounds: int = 3) -> dict[str, Any]:
    """Values a second of each, and the ratio of canonical_doi to idutils."""
    cells = values(count)
    in_rows = [cell for cell in cells[: count // AUTHORS] for _ in range(AUTHORS)]
    ours, theirs = timed(identifiers.canonical_doi, cells, rounds), timed(with_idutils, cells, rounds)
    return {
        "values": count,
        "canonical_doi_per_second": round(count / ours),
        "idutils_per_second": round(count / theirs),
        "ratio": round(theirs / ours, 2),
        "parse_per_second": round(count / timed(with_parse, cells, 1)),
        "parse_of_rows_per_second": round(len(in_rows) / timed(with_parse, in_rows, 1)),
        "canonical_doi_read": sum(identifiers.canonical_doi(cell) is not None for cell in cells),
        "idutils_read": sum(with_idutils(cell) is not None for cell in cells),
    }


def main() -> int:
    """Prints the figures; status 1 if ours is the slower one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.count)
    if options.json:
        print(json.dumps(figures))
    else:
        table = Table("", "DOIs read", "values a second", title=f"DOIs in {figures['values']:,} cells")
        table.add_row("canonical_doi", f"{figures['canonical_doi_read']:,}", f"{figures['canonical_doi_per_second']:,}")
        table.add_row("parse, all cells different", "", f"{figures['parse_per_second']:,}")
        table.add_row(f"parse, {AUTHORS} rows an output", "", f"{figures['parse_of_rows_per_second']:,}")
        table.add_row("idutils", f"{figures['idutils_read']:,}", f"{figures['idutils_per_second']:,}")
        table.caption = f"canonical_doi is {figures['ratio']} times as fast as idutils"
        Console().print(table)
    return 0 if figures["ratio"] >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
