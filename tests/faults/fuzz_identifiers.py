"""Throws random and mutated texts at the reading of identifiers: nothing raises, what is read is read again alike.

``python tests/faults/fuzz_identifiers.py --count 1000000 --seed 1``; the status is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from explorer.identifiers import SCHEMES, extract, find, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAINS = ("lilliput.example",)
SEEDS = (
    "10.5555/abc(04)", "https://doi.org/10.5555/a%28b%29?x=1#y", "10.5555/(sici)1<2::aid>3.0.co;2-#", "10.978.000000/0026",
    "12345.0", "pmid:00123", "https://www.ncbi.nlm.nih.gov/m/pubmed/123?x", "2.67E+07", "arXiv:2101.00001v2",
    "math.GT/0101001", "https://arxiv.org/pdf/2101.00001.pdf", "2024Lilli..12..345G", "2024A%26A...330..515F",
    "nct01234567", "RePEc:llp:wpaper:A-1", "https://hdl.handle.net/20.500.99999/7", "https://r.example/handle/99999/7/x",
    "192.0.2.1/path", "urn:nbn:de:X-%2a", "urn:isbn:9780000000026", "ISBN 978-0-00-000002-6", "0-00-000006-X",
    "HTTP://A.Lilliput.Example:80/b/?c=d#e", '=HYPERLINK("https://doi.org/10.5555/x","y")', '<a href="10.5555/x">10.5555/x</a>',
    "[10.5555/x](https://doi.org/10.5555/x)", "10.5555/a&amp;lt;b&amp;gt;", "n.a.", "1234-5679",
)  # fmt: skip
PIECES = (
    *"0123456789./()<>[]{}%&;:#?=@-_+|\"' \t\r\n\0aXvé٣３𝟙ſK–−…\u00a0\u200b\u2003\ufeff\ud800🐇",
    "10.", "10.5555/", "%2F", "%25", "%E9", "&lt;", "&amp;", "&#38;", "&#x26;", "doi:", "https://", "doi.org/", "urn:",
    "NCT", "RePEc:", "hdl:", "handle/", "isbn", "978", "arXiv:", "pmid", ";2-#", "...", "</a>", "lilliput.example",
)  # fmt: skip
ALPHABETS = ("0123456789.", "10./", "0123456789- X", "abc.:/%25&;", "".join(chr(c) for c in range(0x20, 0x250)))
BATCH = 5_000


def strings(chance: random.Random, count: int) -> Iterator[str]:
    """Texts of three kinds: seeds with random edits, pieces in random order, characters in random order."""
    for _ in range(count):
        kind = chance.random()
        if kind < 0.6:
            yield _mutated(chance)
        elif kind < 0.85:
            yield "".join(chance.choices(PIECES, k=chance.randrange(12)))
        else:
            yield "".join(chance.choices(chance.choice(ALPHABETS), k=chance.randrange(40)))


def _mutated(chance: random.Random) -> str:
    text = chance.choice(SEEDS)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(text) + 1)
        edit = chance.randrange(6)
        if edit == 0:
            text = text[:at] + text[at + 1 :]
        elif edit == 1:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif edit == 2:
            text = text[:at] + chance.choice(PIECES) + text[at + 1 :]
        elif edit == 3:
            text = text[:at] + chance.choice(SEEDS) + text[at:]
        elif edit == 4:
            text = text.swapcase()
        else:
            text = text[at:] + text[:at]
    return text


def check(scheme: str, text: str) -> None:
    """Reads a text in all three ways; what was read must be read from itself, alone and in a sentence."""
    parsed = parse(scheme, text, uri_domains=DOMAINS)
    assert not (parsed.value and parsed.refusal), (scheme, text)
    values = [(scheme, value) for value in extract(scheme, text, uri_domains=DOMAINS)]
    extract(scheme, text, strict=True)
    values += [(found.scheme, found.value) for found in find(text, uri_domains=DOMAINS)]
    if parsed.value is not None:
        values.append((parsed.scheme, parsed.value))
    for name, value in dict.fromkeys(values):
        again = parse(name, value, uri_domains=DOMAINS)
        assert (again.scheme, again.value) == (name, value), (scheme, text, name, value, again)
        assert extract(name, value, uri_domains=DOMAINS) == [value], (scheme, text, name, value)


def _batch(job: tuple[int, int]) -> tuple[int, list[str]]:
    seed, count = job
    faults = []
    for number, text in enumerate(strings(random.Random(seed), count)):
        try:
            check(SCHEMES[number % len(SCHEMES)], text)
        except Exception as error:  # noqa: BLE001  every kind is a fault
            faults.append(f"{text!r}: {type(error).__name__}: {error}")
    return count, faults


def main() -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    console = Console()
    starts = range(0, options.count, BATCH)
    jobs = [(options.seed * 1_000_003 + start, min(BATCH, options.count - start)) for start in starts]
    began = time.monotonic()
    faults: list[str] = []
    columns = (TextColumn("texts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with multiprocessing.Pool(options.processes) as pool, Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=options.count)
        for done, found in pool.imap_unordered(_batch, jobs):
            progress.advance(task, done)
            faults += found
    for fault in faults[:20]:
        console.print(fault, markup=False, highlight=False)
    console.print(f"{options.count:,} texts, {len(faults):,} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
