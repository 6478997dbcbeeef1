"""How fast identifiers are read: DOIs from cells, beside ``idutils`` on the same values, and any kind from OAI-PMH.

``python benchmarks/identifiers.py [--count 1000000] [--json]``. ``parse`` must not be slower than idutils' pair of
functions, is it one and what is its normal form, on cells that are all different. Two more rows say what a whole cell
costs, with each note of a repair and each reason of a refusal written, and what ``find`` costs on the values that
repositories put into ``dc:identifier`` and ``dc:relation``. Seconds of CPU; the middle of several rounds, taken in turn.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
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
from explorer.identifiers import cells

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
# What repositories write where an identifier may stand, in shares of a hundred.
FIELDS: dict[str, tuple[int, str]] = {
    "page": (22, "https://eprints.{word}.example/id/eprint/{n}/"),
    "file": (18, "http://eprints.{word}.example/{n}/1/thesis-{year}.pdf"),
    "citation": (
        14,
        "Gulliver, Lemuel ({year}) Travels into several remote nations of the world. Journal of {word}, 12 (3). pp. 1-20.",
    ),
    "citation with a DOI": (
        6,
        "Gulliver, L. ({year}) Travels. Journal of {word}, 12 (3). https://doi.org/10.5555/{word}.{n}",
    ),
    "DOI": (10, "10.5555/{word}.{year}.{n}"),
    "address of a DOI": (8, "https://doi.org/10.5555/{word}.{n}"),
    "DOI of a relation": (3, "info:eu-repo/semantics/altIdentifier/doi/10.5555/{word}.{n}"),
    "Handle": (8, "http://hdl.handle.net/20.500.99999/{n}"),
    "ISSN": (5, "1234-5679"),
    "ISBN": (2, "978-0-00-000002-6"),
    "OAI identifier": (2, "oai:eprints.{word}.example:{n}"),
    "URN": (1, "urn:nbn:de:0000-{n}"),
    "sentence": (1, "Proceedings of the Academy of {word}"),
}
WORDS = ("lilliput", "blefuscu", "laputa", "balnibarbi", "glubbdubdrib", "luggnagg", "brobdingnag")


def values(kinds: dict[str, tuple[int, str]], count: int, seed: int = 1726) -> list[str]:
    """Values of all kinds in random order, hardly any of them twice."""
    chance = random.Random(seed)
    forms = chance.choices([form for _, form in kinds.values()], [share for share, _ in kinds.values()], k=count)
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


def with_parse(value: str) -> str | None:
    """The canonical DOI, as ``parse`` has it."""
    return identifiers.parse("doi", value).value


def with_reasons(value: str) -> tuple[object, object]:
    """Whatever ``parse`` has to say of a cell."""
    parsed = identifiers.parse("doi", value)
    return parsed.notes, parsed.refusal


def timed(work: Sequence[tuple[Callable[[str], Any], Sequence[str]]], rounds: int) -> list[float]:
    """Values a second of each function on its values; nothing is remembered from round to round."""
    spent: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for (read, given), seconds in zip(work, spent, strict=True):
            cells._parse_remembered.cache_clear()  # noqa: SLF001
            began = time.process_time()
            for value in given:
                read(value)
            seconds.append(time.process_time() - began)
    return [len(given) / statistics.median(seconds) for (_, given), seconds in zip(work, spent, strict=True)]


def measure(count: int, rounds: int = 5) -> dict[str, Any]:
    """Values a second of each, and the ratio of ``parse`` to idutils."""
    cells, fields = values(KINDS, count), values(FIELDS, count // 10)
    ours, theirs = timed([(with_parse, cells), (with_idutils, cells)], rounds)
    thorough, unknown = timed([(with_reasons, cells[: count // 10]), (identifiers.find, fields)], rounds)
    return {
        "values": count,
        "parse_per_second": round(ours),
        "idutils_per_second": round(theirs),
        "ratio": round(ours / theirs, 2),
        "parse_with_reasons_per_second": round(thorough),
        "find_per_second": round(unknown),
        "parse_read": sum(with_parse(cell) is not None for cell in cells),
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
        table = Table("", "DOIs read", "values a second", title=f"DOIs in {figures['values']:,} cells, all different")
        table.add_row("parse", f"{figures['parse_read']:,}", f"{figures['parse_per_second']:,}")
        table.add_row("idutils", f"{figures['idutils_read']:,}", f"{figures['idutils_per_second']:,}")
        table.add_row("parse, with notes and reasons", "", f"{figures['parse_with_reasons_per_second']:,}")
        table.add_row("find, on values of OAI-PMH records", "", f"{figures['find_per_second']:,}")
        table.caption = f"parse is {figures['ratio']} times as fast as idutils"
        Console().print(table)
    return 0 if figures["ratio"] >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
