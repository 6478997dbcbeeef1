"""Every captured file of a platform: what stands in the golden table, what XPath counts, and what we make of it."""

from __future__ import annotations

import csv
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from explorer.sources import SourceError
from explorer.sources.oai_platforms import accent
from explorer.sources.oai_records import output
from explorer.sources.oai_xml import Document, parse
from tests.contract.test_oai_harvest import made
from tests.oai_counts import PLATFORM_OF, SCHEMES, rows
from tests.samples import sample

GOLDEN = sorted(Path(__file__).parent.glob("golden_oai_*.csv"))
FOLDERS = [file.stem.removeprefix("golden_oai_") for file in GOLDEN]
Table = dict[str, dict[str, int]]


def golden(folder: str) -> Table:
    with (Path(__file__).parent / f"golden_oai_{folder}.csv").open(newline="") as file:
        return {row.pop("file"): {name: int(value) for name, value in row.items()} for row in csv.DictReader(file)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_table_is_what_a_count_without_our_parser_gives(folder: str) -> None:
    counted = {
        row.file: {name: number for name, number in asdict(row).items() if name != "file"} for row in rows(folder)
    }
    assert counted == golden(folder)


@pytest.mark.parametrize("folder", FOLDERS)
def test_our_reading_gives_the_numbers_of_the_table(folder: str) -> None:
    place = sample(f"oai/{folder}")
    wrong = {}
    for file, expected in golden(folder).items():
        ours = read((place / file).read_bytes(), PLATFORM_OF.get(folder, folder))
        if differ := {name: (ours.get(name), number) for name, number in expected.items() if ours.get(name) != number}:
            wrong[file] = differ
    assert wrong == {}


def test_no_captured_file_is_without_a_row() -> None:
    place = sample("oai")
    files = {file.relative_to(place).as_posix() for kind in ("*.xml", "*.html") for file in place.rglob(kind)}
    known = {f"{folder}/{file}" for folder in FOLDERS for file in golden(folder)}
    assert {file for file in files - known if "/hierarchy" not in file} == set()
    assert len(known) > 200


def read(body: bytes, platform: str) -> dict[str, int]:
    """The numbers of one answer as our source has them; records without the frame of an answer get one."""
    if re.match(rb"\s*(?:<\?xml[^>]*>\s*)?<records?[\s>]", body):
        body = b"<OAI-PMH><ListRecords>" + re.sub(rb"^\s*<\?xml[^>]*>", b"", body) + b"</ListRecords></OAI-PMH>"
        body = re.sub(rb"</?records[^>]*>", b"", body)
    try:
        document = parse(body)
    except SourceError:
        document = Document()
    settings = made("http://repo.lilliput.example/oai", platform=platform, authors="all").settings
    is_list = b"<ListIdentifiers" in body
    found = [] if is_list else [output(each, accent(platform), settings) for each in document.records]
    live = [each for each in found if not each.deleted and each.refusal is None]
    schemes = [{one.scheme for one in each.identifiers} for each in live]
    return {
        "sets": len(document.sets),
        "headers": len(document.records) if is_list else 0,
        "records": len(found),
        "deleted": sum(each.deleted for each in found),
        "rejected": sum(each.refusal is not None for each in found),
        "authors": sum(len(each.contributions) for each in live),
        **{scheme: sum(scheme in each for each in schemes) for scheme in SCHEMES},
        "none": sum(not each for each in schemes),
    }
