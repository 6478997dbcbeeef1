"""Counts of OAI-PMH answers, made without our parser: XPath on the raw file, and a plain pattern for DOIs.

Run it to see them beside what our source makes of the same files, one line per file:

    python -m tests.oai_golden FOLDER [PLATFORM]
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

DC = {"dc": "http://purl.org/dc/elements/1.1/"}
RECORD = "//*[local-name()='record'][*[local-name()='header']]"
DOI = re.compile(r"10\.\d{4,9}/[^\s<>\"]+")
BARE_DOI = re.compile(r"(?:doi:\s?|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Counts:
    """Of one file. ``with_doi``: live records that have a DOI anywhere in identifier or relation."""

    records: int
    deleted: int
    without_metadata: int
    creators: int
    creators_with_id: int
    with_doi: int
    sets: int


def independently(file: Path) -> Counts:
    """The counts of a well-formed file. Raises ``XMLSyntaxError`` for any other."""
    root: Any = etree.parse(file, etree.XMLParser(resolve_entities=False)).getroot()

    def count(path: str) -> int:
        return int(root.xpath(f"count({path})", namespaces=DC))

    deleted = "*[local-name()='header'][@status='deleted']"
    live = [each for each in root.xpath(RECORD) if not each.xpath(deleted)]
    return Counts(
        records=count("//*[local-name()='header'][*[local-name()='identifier'] or @status]"),
        deleted=count("//*[local-name()='header'][@status='deleted']"),
        without_metadata=count(f"{RECORD}[not({deleted})][not(*[local-name()='metadata']/*)]"),
        creators=count(f"{RECORD}[not({deleted})]//dc:creator"),
        creators_with_id=count(f"{RECORD}[not({deleted})]//dc:creator[normalize-space(@id)]"),
        with_doi=sum(any(DOI.search(text) for text in _fields(each)) for each in live),
        sets=count("//*[local-name()='set'][*[local-name()='setSpec']]"),
    )


def bare_dois(file: Path) -> dict[str, set[str]]:
    """Per live record, by OAI identifier, the DOIs that are the whole of an identifier or relation, in lower case."""
    root: Any = etree.parse(file).getroot()
    found: dict[str, set[str]] = {}
    for each in root.xpath(RECORD):
        key = each.xpath("string(*[local-name()='header']/*[local-name()='identifier'])").strip()
        dois = (BARE_DOI.fullmatch(text.strip()) for text in _fields(each))
        found[key] = {doi[1].lower().rstrip(".") for doi in dois if doi}
    return found


def _fields(record: Any) -> list[str]:
    return [str(text) for text in record.xpath(".//dc:identifier/text() | .//dc:relation/text()", namespaces=DC)]


def table(folder: Path, platform: str = "generic") -> Iterator[str]:
    """The lines of the table."""
    from explorer.config import OaiPmhSource
    from explorer.sources import SourceError
    from explorer.sources.oai_platforms import Settings, accent
    from explorer.sources.oai_records import output
    from explorer.sources.oai_xml import parse

    source = OaiPmhSource.model_validate(
        {"kind": "oai_pmh", "platform": platform, "url": "https://repo.lilliput.example/oai", "authors": "all"}
    )
    counts = "records, deleted, empty, creators, with id, with DOI, sets"
    yield f"| file | counted: {counts} | ours | identifiers | rejected |"
    yield "|---|---|---|---|---|"
    for file in sorted(folder.rglob("*.xml")):
        try:
            counted = ", ".join(map(str, astuple(independently(file))))
        except etree.XMLSyntaxError:
            counted = "not well-formed"
        try:
            document = parse(file.read_bytes())
        except SourceError as error:
            yield f"| {file.relative_to(folder)} | {counted} | {error} | | |"
            continue
        made = [output(each, accent(platform), Settings(source, hash_key=b"key")) for each in document.records]
        schemes = Counter(one.scheme for each in made for one in each.identifiers)
        refused = Counter(each.refusal.rule for each in made if each.refusal)
        with_doi = sum(any(one.scheme == "doi" for one in each.identifiers) for each in made)
        ours = (
            f"{len(made)} records, {sum(each.deleted for each in made)} deleted,"
            f" {sum(len(each.contributions) for each in made)} authors, {with_doi} with DOI, {len(document.sets)} sets"
        )
        told = [", ".join(f"{name} {number}" for name, number in each.most_common()) for each in (schemes, refused)]
        yield f"| {file.relative_to(folder)} | {counted} | {ours} | {told[0]} | {told[1]} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(Path(sys.argv[1]), *sys.argv[2:3])) + "\n")
