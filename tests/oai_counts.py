"""Counts of simple Dublin Core in OAI-PMH answers, by XPath and plain patterns on the raw file: no line of ours.

The golden tables tests/contract/golden_oai_*.csv are made of them, and a person can check a row with a text editor:

    python -m tests.oai_counts bepress > tests/contract/golden_oai_bepress.csv
"""

from __future__ import annotations

import csv
import html
import re
import sys
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from lxml import etree

from tests.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DC = {"dc": "http://purl.org/dc/elements/1.1/"}
RECORD = "//*[local-name()='record'][*[local-name()='header']]"
DELETED = "*[local-name()='header'][@status='deleted']"
# Metadata with elements, none of which is Dublin Core.
FOREIGN = (
    "*[local-name()='metadata']/*[*][not(descendant-or-self::*[starts-with(namespace-uri(), 'http://purl.org/dc/')])]"
)
DOI = re.compile(r"\b10\.\d{4,9}/\S")
HANDLE = re.compile(r"(?:hdl\.handle\.net/|/handle/)(?!123456789/)\d[\d.]*/\S|^(?!10\.|123456789/)\d[\d.]+/\S+$")
PUBMED = re.compile(r"ncbi\.nlm\.nih\.gov/pubmed/\d|list_uids=\d|^PMID:? ?\d|\bPMID: ?\d")
ISBN = re.compile(r"(?<![\d-])(?:97[89][ -]?)?(?:\d[ -]?){9}[\dXx](?![\d-])")


@dataclass(frozen=True)
class Row:
    """One file. From ``doi`` on: live records with at least one of that kind, in dc:identifier (or bepress' links)."""

    file: str
    sets: int  # ListSets
    headers: int  # ListIdentifiers
    records: int
    deleted: int
    rejected: int  # live, without metadata, or in a format that is not Dublin Core
    authors: int  # different creators, record by record
    doi: int
    pmid: int
    handle: int
    isbn: int
    none: int  # live records without any identifier


def counted(file: Path, name: str, platform: str) -> Row:
    """The row of a file; one that is no XML at all (an empty body of HTTP 500) has only zeros."""
    try:
        root: Any = etree.parse(file, etree.XMLParser(resolve_entities=False)).getroot()
    except etree.XMLSyntaxError:
        return Row(name, *([0] * 11))
    records = root.xpath(RECORD)
    live = [each for each in records if not each.xpath(DELETED)]
    described = [each for each in live if each.xpath("*[local-name()='metadata']/*") and not each.xpath(FOREIGN)]
    found = [_schemes(each, platform) for each in described]
    return Row(
        name,
        sets=len(root.xpath("//*[local-name()='set'][*[local-name()='setSpec']]")),
        headers=len(root.xpath("//*[local-name()='ListIdentifiers']/*[local-name()='header']")),
        records=len(records),
        deleted=len(records) - len(live),
        rejected=len(live) - len(described),
        authors=sum(
            len({_folded(each) for each in one.xpath(".//dc:creator", namespaces=DC)} - {""}) for one in described
        ),
        **{scheme: sum(scheme in each for each in found) for scheme in SCHEMES},
        none=sum(not each for each in found),
    )


def _folded(element: Any) -> str:
    return " ".join(html.unescape("".join(element.itertext())).split()).casefold()


def _schemes(record: Any, platform: str) -> set[str]:
    texts = [str(text).strip().replace("\u200b", "") for text in record.xpath(".//dc:identifier/text()", namespaces=DC)]
    if platform == "bepress":
        texts += [html.unescape(str(text)) for text in record.xpath(".//dc:relation/text()", namespaces=DC)]
    return {scheme for scheme, holds in SCHEMES.items() if any(holds(text) for text in texts)}


def _holds_isbn(text: str) -> bool:
    """Whether a text holds a number with the check digit of an ISBN, as a field of its own or in an address."""
    if len(text) > 40 and not text.startswith("http"):
        return False  # a citation: the book that an article stands in
    if text.startswith("http") and "isbn" not in text.lower():
        return False
    return any(_is_isbn(re.sub(r"[ -]", "", each)) for each in ISBN.findall(text))


def _is_isbn(digits: str) -> bool:
    if len(digits) == 13:
        return digits.startswith(("978", "979")) and sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0
    values = [10 if d in "Xx" else int(d) for d in digits]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


SCHEMES: Mapping[str, Callable[[str], bool]] = {
    "doi": lambda text: bool(DOI.search(text)),
    "pmid": lambda text: bool(PUBMED.search(text)),
    "handle": lambda text: bool(HANDLE.search(text)),
    "isbn": _holds_isbn,
}


def rows(platform: str) -> Iterator[Row]:
    """All captured files of a platform, by name."""
    folder = sample(f"oai/{platform}")
    for file in sorted(folder.rglob("*.xml")):
        if "synthetic" not in file.parts and not (platform == "dspace6" and file.name.startswith("hierarchy")):
            yield counted(file, file.relative_to(folder).as_posix(), platform)


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, [each.name for each in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows(sys.argv[1]))
